"""Reading settings from the environment.

A value that cannot be right stops nothing here: the default is used and a sentence is kept, which the system checks
(`arena/checks.py`) then refuse by the variable's name, instead of a traceback from the middle of the settings.
"""

import os
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import dj_database_url

Number = TypeVar("Number", int, float)

PROBLEMS: list[tuple[str, str]] = []
YES, NO = {"1", "true", "yes", "on"}, {"0", "false", "no", "off", ""}
DATABASE_FORMS = "postgres://user:password@host:5432/name or sqlite:////absolute/path"
DATABASE_SCHEMES = {"postgres", "postgresql", "sqlite"}


def boolean(name: str, default: bool) -> bool:
    """A yes/no variable."""
    given = os.environ.get(name, "yes" if default else "no").strip().lower()
    if given not in YES | NO:
        PROBLEMS.append((name, f"{given!r} is neither yes nor no"))
        return default
    return given in YES


def listing(name: str, default: str) -> list[str]:
    """A comma-separated variable."""
    return [part.strip() for part in os.environ.get(name, default).split(",") if part.strip()]


def choice(name: str, default: str, choices: Collection[str]) -> str:
    """One of several words."""
    given = os.environ.get(name, "").strip() or default
    if given not in choices:
        PROBLEMS.append((name, f"{given!r} is none of {', '.join(choices)}"))
        return default
    return given


def whole(name: str, default: int, least: int = 0) -> int:
    """A whole number of at least `least`."""
    return _number(name, int, default, least)


def number(name: str, default: float, least: float = 0.0) -> float:
    """A number of at least `least`."""
    return _number(name, float, default, least)


def _number(name: str, parse: Callable[[str], Number], default: Number, least: Number) -> Number:
    given = os.environ.get(name, "").strip()
    if not given:
        return default
    try:
        value = parse(given)
    except ValueError:
        value = None
    if value is None or not least <= value < float("inf"):
        kind = "whole number" if parse is int else "number"
        PROBLEMS.append((name, f"{given!r} is no {kind} of at least {least}"))
        return default
    return value


def database(name: str, default: str) -> dict[str, Any]:
    """The database behind a URL, as Django takes it; a password in it is never repeated."""
    given = os.environ.get(name) or default
    scheme = given.partition(":")[0]
    try:
        if scheme not in DATABASE_SCHEMES:
            raise ValueError(scheme)
        found: dict[str, Any] = dict(dj_database_url.parse(given))
    except (ValueError, dj_database_url.ParseError, dj_database_url.UnknownSchemeError):
        PROBLEMS.append((name, f"{scheme[:30]!r} and what follows is no such URL; use {DATABASE_FORMS}"))
        return dict(dj_database_url.parse(default))
    if not found["NAME"]:
        PROBLEMS.append((name, f"it names no database; use {DATABASE_FORMS}"))
    return found
