"""Stoker's sidecar: keeps one Ollama hot, and its pod open to traffic only while it is."""

VERSION = "0.1.0"
"""That of pyproject.toml. Python's own way to ask for it takes a MiB that every pod would pay."""
