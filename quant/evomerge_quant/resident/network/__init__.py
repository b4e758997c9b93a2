"""The network that stays in memory and takes candidates' weights."""
