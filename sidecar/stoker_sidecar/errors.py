"""Every error that the sidecar raises on purpose.

SidecarError
├── UsageError          a command line that asks for what cannot be
└── …                   each adapter's own, at the top of its module

Adapters turn the errors of their libraries into these at the border. One broad `except` is in the
keeper's loop; nothing else catches what it does not know.
"""


class SidecarError(Exception):
    """The root. Its text is a sentence for a person: what was wrong, where, what to do."""


class UsageError(SidecarError):
    """A command line that asks for what cannot be."""
