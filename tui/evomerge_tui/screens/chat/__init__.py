"""A conversation with the child and a parent."""
