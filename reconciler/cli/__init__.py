"""The command line: flags in, text out. The only place that prints; every decision is made elsewhere."""
