"""Numbers of scores on pages: `{{ score.difference|figure }}`."""

from django import template
from django.utils.formats import number_format

register = template.Library()
NONE = "-"
UNRELATED = 0.5


@register.filter
def figure(value: float | None) -> str:
    """A difference, to three places."""
    return NONE if value is None else number_format(value, 3)


@register.filter
def percent(value: float | None) -> str:
    """A rate, as a whole percentage."""
    return NONE if value is None else f"{round(100 * value)} %"


@register.filter
def place(value: float | None) -> str:
    """Where a difference lies on a line of length 100 that ends at what unrelated images have."""
    return f"{100 * min(1.0, (value or 0.0) / UNRELATED):.1f}"
