"""Files of a project that containers read: copies that stand still, and what a remote engine cannot see.

`materialising` says what is mounted instead of a repository's files, `keeping` writes and removes those copies,
`serving` puts into containers what an engine on another machine cannot mount.
"""
