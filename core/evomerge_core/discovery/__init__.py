"""Models that are there, or could be: folders, the hub's cache, the hub."""
