"""Numbers of scores on pages: `{{ score.difference|figure }}`."""

from django import template
from django.utils.formats import number_format

register = template.Library()
NONE = "-"
UNRELATED = 0.5
LAST_MARK = 98.0


@register.filter
def figure(value: float | None) -> str:
    """A difference, to three places."""
    return NONE if value is None else number_format(f"{value:.3f}")


@register.filter
def signed(value: float) -> str:
    """A change of a difference, to three places, with its sign."""
    return ("\N{MINUS SIGN}" if value < 0 else "+") + number_format(f"{abs(value):.3f}")


@register.filter
def percent(value: float | None) -> str:
    """A rate, as a whole percentage; an interval's end that lies beyond what a rate can be is brought back to it."""
    return NONE if value is None else f"{round(100 * min(1.0, max(0.0, value)))} %"


@register.filter
def place(value: float | None) -> str:
    """Where the mark of a difference begins on a line of length 100 that ends at what unrelated images have."""
    return f"{LAST_MARK * min(1.0, (value or 0.0) / UNRELATED):.1f}"
