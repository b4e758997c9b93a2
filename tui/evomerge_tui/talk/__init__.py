"""A chat with one or more models, separate from how it is shown."""
