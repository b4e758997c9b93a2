"""What the terminal can show, and how: themes, ASCII, the clipboard."""
