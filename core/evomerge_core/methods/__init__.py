"""Merge methods: one file each, a typed pure function of tensors, and their registry."""
