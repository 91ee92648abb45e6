"""Settings as TOML, which the standard library reads and does not write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def to_toml(settings: Mapping[str, Any], path: str = "") -> str:
    """Plain JSON values as TOML: values first, then each table under its path. None cannot be said and is left out."""
    plain = {name: value for name, value in settings.items() if value is not None and not isinstance(value, Mapping)}
    lines = [f"{name} = {_value(value)}" for name, value in plain.items()]
    tables = {name: value for name, value in settings.items() if isinstance(value, Mapping)}
    parts = ["\n".join([*([f"[{path}]"] if path and plain else []), *lines, ""])]
    return "\n".join([*parts, *(to_toml(value, f"{path}.{name}" if path else name) for name, value in tables.items())])


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{name} = {_value(item)}' for name, item in value.items() if item is not None)} }}"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value, ensure_ascii=False)  # strings, whole numbers, true and false are the same in both
