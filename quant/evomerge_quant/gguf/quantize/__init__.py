"""From a GGUF of plain numbers to a quantised one."""
