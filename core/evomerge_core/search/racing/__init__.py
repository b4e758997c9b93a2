"""Racing: a generation's candidates on growing sets of the same items, the hopeless ones dropped early."""
