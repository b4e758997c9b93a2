"""The end of a run: the held-out test, the verdict, and the winner's files."""
