"""A real Kubernetes and a real Ollama on one machine, for the tests (docs/test-bed.md)."""
