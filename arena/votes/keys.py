"""Which key does what in the booth: the defaults, a voter's own choice, and what cannot be chosen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.functional import Promise
from django.utils.text import format_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from arena.votes.models import Voter

# What a keyboard event calls them, and what is shown on the page.
NAMED = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓"}
ALIASES = {cap: name for name, cap in NAMED.items()} | {name.lower(): name for name in NAMED}
RESERVED = frozenset({"enter", "space", "tab", "escape", "esc", "backspace", "delete"})


@dataclass(frozen=True)
class Action:
    """Something that a key does; `default` is the key of somebody who never chose one."""

    name: str
    label: str | Promise
    default: str


@dataclass(frozen=True)
class Binding:
    """A key as an event names it, empty for none, and the cap shown on the page."""

    code: str
    cap: str


ACTIONS = (
    *(Action(f"seat_{n}", format_lazy("{} {}", gettext_lazy("Image"), n), str(n)) for n in range(1, 5)),
    Action("left", gettext_lazy("Left image"), "ArrowLeft"),
    Action("right", gettext_lazy("Right image"), "ArrowRight"),
    Action("draw", gettext_lazy("Draw"), "d"),
    Action("bad", gettext_lazy("Both or all bad"), "b"),
    Action("skip", gettext_lazy("Skip"), "s"),
    Action("rank", gettext_lazy("Rank all four"), "r"),
    Action("tie", gettext_lazy("Tie with the last"), "t"),
    Action("undo", gettext_lazy("Undo"), "z"),
    Action("next", gettext_lazy("Next matchup"), "n"),
    Action("zoom", gettext_lazy("Enlarge an image"), "v"),
)
DEFAULTS = {action.name: action.default for action in ACTIONS}


class KeyRefused(ValueError):
    """A key that cannot be chosen; the text says why."""


def parse_key(text: str) -> str:
    """The key of what somebody typed: one character, or an arrow by name or sign; empty stays empty.

    Raises KeyRefused for anything longer, for white space, and for the keys that keep their meaning.
    """
    text = text.strip()
    if text.lower() in RESERVED:
        raise KeyRefused(_("This key keeps its own meaning; choose another one."))
    named = ALIASES.get(text.lower(), "")
    if named or not text:
        return named
    if len(text) > 1 or not text.isprintable():
        raise KeyRefused(_("Type one character, or an arrow: ← → ↑ ↓."))
    return text.lower()


def check_keys(typed: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """(keys, errors) by action; an action that shares its key with another is an error of both."""
    keys: dict[str, str] = {}
    errors: dict[str, str] = {}
    for action in ACTIONS:
        try:
            keys[action.name] = parse_key(typed.get(action.name, ""))
        except KeyRefused as error:
            errors[action.name] = str(error)
    labels = {action.name: action.label for action in ACTIONS}
    for name, key in keys.items():
        others = [str(labels[other]) for other, same in keys.items() if key and same == key and other != name]
        if others:
            errors[name] = _("The same key as: %(others)s.") % {"others": ", ".join(others)}
    return keys, errors


def keys_of(voter: Voter | None) -> dict[str, Binding]:
    """The bindings by action; whatever is unreadable in a voter's settings counts as never chosen.

    An action that came later has no key where its default is one that the voter chose for another.
    """
    kept: Any = voter.settings.get("keys") if voter and isinstance(voter.settings, dict) else None
    chosen = _texts(kept)
    defaults = {name: "" if key in chosen.values() else key for name, key in DEFAULTS.items()}
    keys, errors = check_keys({**defaults, **chosen})
    return {name: Binding(key, cap(key)) for name, key in (DEFAULTS if errors else keys).items()}


def seat_keys(keys: Mapping[str, Binding], position: int, seats: int) -> list[Binding]:
    """What chooses the image at a place: its number, and of two images an arrow as well."""
    names = [f"seat_{position}", {1: "left", 2: "right"}.get(position, "") if seats == 2 else ""]
    return [keys[name] for name in names if name and keys[name].code]


def cap(key: str) -> str:
    """What is printed on the key."""
    return NAMED.get(key, key.upper())


def _texts(chosen: Any) -> dict[str, str]:
    if not isinstance(chosen, dict):
        return {}
    return {name: key for name, key in chosen.items() if name in DEFAULTS and isinstance(key, str)}
