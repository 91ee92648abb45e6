"""The nearest known name, for error texts."""

from collections.abc import Sequence
from difflib import get_close_matches


def nearest(name: str, known: Sequence[str]) -> str:
    """Such as "; did you mean 'anna'?", or the first few names where none is near; empty for no names."""
    close = get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there are {', '.join(known[:5])}{', …' if len(known) > 5 else ''}" if known else ""
