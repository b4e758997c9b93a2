"""From a model folder to a GGUF of plain numbers, by llama.cpp's own converter."""
