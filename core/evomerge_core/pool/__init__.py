"""Many models to choose a merge's sources from: which there are, which fit, how alike they are, what they promise together."""
