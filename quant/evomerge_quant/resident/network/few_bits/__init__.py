"""Linear layers that hold their weights in few bits."""
