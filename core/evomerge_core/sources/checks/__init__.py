"""Whether models can be merged: compatibility, soundness, finite values, special tokens."""
