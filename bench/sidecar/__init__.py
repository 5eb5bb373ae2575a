"""How small the sidecar is, and how soon it notices: see `__main__.py`."""
