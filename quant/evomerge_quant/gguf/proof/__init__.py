"""Verification: whether a GGUF is the model that it was made of."""
