"""Where specs come from: a directory, or a Git repository."""
