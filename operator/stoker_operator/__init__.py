"""Stoker's operator: LLMDeployments into the objects that keep a model hot."""
