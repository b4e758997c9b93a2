"""A search that breeds an archive: its generations, and what is in the archive."""
