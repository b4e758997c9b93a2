"""Where a GGUF goes next: Ollama, LM Studio, KoboldCpp, Jan."""
