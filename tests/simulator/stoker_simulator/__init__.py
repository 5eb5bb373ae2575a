"""An Ollama 0.17.4 without models: what it says, when it says it, and how it fails."""

VERSION = "0.17.4"
