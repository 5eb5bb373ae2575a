"""Stoker's sidecar: keeps one Ollama hot, and its pod open to traffic only while it is."""

VERSION = "0.1.0"
