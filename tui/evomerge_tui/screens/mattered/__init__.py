"""Which numbers of the genome mattered."""
