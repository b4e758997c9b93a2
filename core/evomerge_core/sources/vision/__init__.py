"""Vision-language models: where the language part is among the stored tensors, and what is kept as it is."""
