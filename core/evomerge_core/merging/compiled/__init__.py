"""Compiled loops that merge tensors block by block on the CPU."""
