"""Models on disk: mapped checkpoints, adapters, tokenizers, and whether they can be merged."""
