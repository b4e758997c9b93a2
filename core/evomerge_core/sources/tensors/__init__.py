"""What a model's tensors are called, which of them the model doesn't use, and whether embedding and head are one."""
