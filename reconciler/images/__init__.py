"""What an image is built from: the context as one canonical archive, and the content key that names the result."""
