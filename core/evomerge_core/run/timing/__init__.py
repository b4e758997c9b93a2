"""What a run costs in time, and how much of it is left."""
