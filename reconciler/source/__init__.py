"""Where specs come from: a directory."""
