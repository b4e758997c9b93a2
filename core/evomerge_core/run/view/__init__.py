"""What screens and commands read of a run."""
