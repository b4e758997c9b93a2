"""A run on disk: its folder, its database, and what is kept in them."""
