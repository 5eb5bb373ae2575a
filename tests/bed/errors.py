"""What can go wrong with a bed, said so that its reader knows what to do."""


class BedError(Exception):
    """The bed cannot do what was asked; the message says why and what helps."""
