"""One candidate: merged, loaded, scored, and its score kept."""
