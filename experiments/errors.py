"""The error of a command that cannot be obeyed as given."""

from __future__ import annotations


class WrongUse(ValueError):
    """A command that cannot be obeyed as given; the message says how to mend it."""
