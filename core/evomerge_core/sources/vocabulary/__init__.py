"""What a model's tokens mean: special tokens, chat templates, and what a child speaks with."""
