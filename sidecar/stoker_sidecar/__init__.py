"""Stoker's sidecar: keeps one Ollama hot, and its pod open to traffic only while it is."""

from importlib.metadata import version

VERSION = version("stoker-sidecar")
