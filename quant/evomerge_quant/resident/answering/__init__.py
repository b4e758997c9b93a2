"""Reading prompts and decoding answers in batches."""
