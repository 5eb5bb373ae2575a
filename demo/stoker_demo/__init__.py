"""The demo: one story, told to Ollama as people run it, and to the same Ollama with Stoker."""
