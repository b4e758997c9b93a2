"""What this machine has and does."""
