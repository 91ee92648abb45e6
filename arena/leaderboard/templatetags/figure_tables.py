"""How the numbers behind a figure are shown on its page."""

from collections.abc import Iterator, Sequence

from django import template
from django.utils.translation import gettext as _

from arena.leaderboard.figures.asking import Cell, Column
from arena.leaderboard.figures.svg import spelled

register = template.Library()


@register.filter
def cells(row: Sequence[Cell], columns: Sequence[Column]) -> Iterator[dict[str, object]]:
    """Each cell as text, and whether it is a number; a missing number is a dash."""
    for value, column in zip(row, columns, strict=True):
        number = value is None or (isinstance(value, int | float) and not isinstance(value, bool))
        yield {"text": shown(value, column), "number": number}


def shown(value: Cell, column: Column) -> str:
    """A cell as people read it."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return _("yes") if value else ""
    if isinstance(value, str):
        return str(column.words.get(value, value))
    return spelled(value, column.digits if isinstance(value, float) else 0)
