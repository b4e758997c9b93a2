"""Sums in an order that neither the number of threads nor the processor's instruction set changes."""
