"""The tables of a run's store: what is written into each and read from it, in a file each. `Store` is all of them."""
