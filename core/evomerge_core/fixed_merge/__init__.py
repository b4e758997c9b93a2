"""One merge from a file: ours, mergekit's, or a path's."""
