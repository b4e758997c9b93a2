"""Numbers, states, names and foreign text in the form that is shown."""
