"""YAML -> Project: `load` makes one normalised document of Compose files, `lowering` Engine API terms of that."""
