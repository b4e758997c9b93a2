"""What is missing on this machine, and the command that fixes it. Nothing here prints anything."""
