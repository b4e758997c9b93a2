"""Which tensor of a child comes from which tensors of the sources."""
