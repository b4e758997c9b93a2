"""What strangers' files have worked out - templates, regular expressions - in a process with limits."""
