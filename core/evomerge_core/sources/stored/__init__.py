"""What lies in a model's folder: weight files, tokenizer files, config and card, and whether a file is still the same."""
