"""The words of others, made fit to be shown: to a terminal, in a log, in a condition."""

import json


def one_line(text: str) -> str:
    """The text on one line, without what a terminal would obey and without broken characters."""
    if text.isprintable():
        return text
    sound = text.encode(errors="replace").decode()
    return " ".join("".join(c if c.isprintable() else " " for c in sound).split())


def escaped(text: str) -> str:
    """The text with all that cannot be seen written as JSON writes it; nothing of it is lost."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)
