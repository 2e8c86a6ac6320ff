"""Which image a service may follow its registry to, and when (`x-reconcile.image`). Pure: lists and time are given.

`spec` reads its grammars (versions, ranges, patterns, windows) to refuse what nobody could follow; whoever resolves
images asks `choice`.
"""
