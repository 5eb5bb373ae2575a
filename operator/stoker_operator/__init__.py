"""Stoker's operator: LLMDeployments into the objects that keep a model hot."""

VERSION = "0.1.0"
"""That of pyproject.toml."""
