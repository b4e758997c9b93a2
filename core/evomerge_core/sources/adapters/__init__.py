"""What PEFT's files say: the settings of an adapter, what its tensors are called, and which of them hold one tied matrix."""
