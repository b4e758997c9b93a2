"""The export screen: a winner as GGUF files."""
