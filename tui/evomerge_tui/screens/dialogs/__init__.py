"""Small screens over others: questions, help, a key to press."""
