"""Groups of tensors, and vectors of numbers to merge parameters and back."""
