"""A Git repository that is followed. `repository` is what others use; git itself is run by `command` alone.

What a repository holds is written by people who may push to it, and a forge may be somebody else's: neither is trusted.
"""
