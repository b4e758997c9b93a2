"""What language an answer is in, and whether it is coherent."""
