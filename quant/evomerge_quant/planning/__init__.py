"""Before a run: what it will take here, and what stands in its way."""
