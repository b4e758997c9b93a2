"""A task's items: files, the hub, splits, and what is held out."""
