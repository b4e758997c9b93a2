"""Which sizes of models fit on which sizes of cards."""
