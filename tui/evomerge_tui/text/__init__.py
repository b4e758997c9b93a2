"""Numbers, states and others' text as words on a screen."""
