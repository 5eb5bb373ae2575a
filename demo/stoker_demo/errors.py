"""What can go wrong with the demo itself, in sentences for people."""


class DemoError(Exception):
    """The demo cannot go on."""
