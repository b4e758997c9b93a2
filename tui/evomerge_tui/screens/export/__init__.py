"""A winner as GGUF files."""
