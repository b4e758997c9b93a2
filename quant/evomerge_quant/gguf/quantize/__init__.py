"""From a GGUF of plain numbers to one of few bits."""
