"""The loop that runs for months: follows sources and an engine, one queue, a pass at a time for each project."""
