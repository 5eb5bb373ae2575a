"""Stoker's sidecar: keeps one Ollama hot, and its pod open to traffic only while it is."""
