"""llama.cpp through llama-cpp-python's low-level binding: a GGUF file, its tokens, and many sequences read at once."""
