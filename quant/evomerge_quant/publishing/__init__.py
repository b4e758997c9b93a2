"""A child for others: what is published of a run or of GGUF files, its model card, and the upload to the hub."""
