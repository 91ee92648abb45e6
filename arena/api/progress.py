"""A training run's report on itself: checked, then kept on its Run row."""

import math
import re
from collections.abc import Mapping
from typing import Any

from arena.gallery.models import Run

NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")
COUNTS = ("epoch", "epochs", "step", "total_steps")
# Reported name: column. Rates may be unknown (null).
RATES = {
    "loss": "loss",
    "images_per_s": "images_per_second",
    "images_per_second": "images_per_second",
    "eta_s": "eta_seconds",
    "eta_seconds": "eta_seconds",
}
TEXTS = {"preset": 100, "message": 2000}
MAX_COUNT = 2**31 - 1


def keep(name: str, report: Mapping[str, Any]) -> Run:
    """Create or update the run `name`; fields that are not reported stay as they are.

    Raises ValueError naming the field that is unknown or out of range.
    """
    if not NAME.fullmatch(name):
        raise ValueError("a run's name has 1 to 200 characters out of A-Z a-z 0-9 . _ -")
    columns = dict(_column(field, value) for field, value in report.items())
    run, _ = Run.objects.update_or_create(name=name, defaults=columns)
    return run


def _column(field: str, value: Any) -> tuple[str, Any]:
    if field in COUNTS:
        return field, _count(field, value)
    if field in RATES:
        return RATES[field], _rate(field, value)
    if field in TEXTS:
        if not isinstance(value, str) or len(value) > TEXTS[field]:
            raise ValueError(f"{field!r} must be text of at most {TEXTS[field]} characters")
        return field, value
    if field == "state":
        if value not in Run.State.values:
            raise ValueError(f"'state' must be one of {', '.join(Run.State.values)}, not {value!r}")
        return field, value
    raise ValueError(f"{field!r} is unknown; known are {', '.join(sorted([*COUNTS, *RATES, *TEXTS, 'state']))}")


def _count(field: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        raise ValueError(f"{field!r} must be a whole number from 0 to {MAX_COUNT}, not {value!r}")
    return value


def _rate(field: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{field!r} must be a finite number or null, not {value!r}")
    return float(value)
