"""What specs may ask for: rules as data, and one place that every payload for an engine passes. Pure."""
