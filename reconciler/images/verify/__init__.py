"""Whether an image is signed by a key that its spec names: cosign's signatures, checked by ourselves, offline.

`verifier` asks the registry and decides; `bundles` and `simple_signing` read the two forms; `keys` does the arithmetic.
"""
