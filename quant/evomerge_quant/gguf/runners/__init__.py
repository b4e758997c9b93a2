"""Apps that run a GGUF: Ollama, LM Studio, KoboldCpp, Jan."""
