"""Our own small client of the OCI distribution API: what registries have under a reference, and nothing of the rest."""
