"""A conversation with a GGUF file."""
