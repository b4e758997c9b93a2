"""The terminal's side: themes, the ASCII filter, the clipboard."""
