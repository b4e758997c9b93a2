"""A conversation with several models, apart from how it is shown."""
