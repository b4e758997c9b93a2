"""The quickstart: its command, and how it ends."""
