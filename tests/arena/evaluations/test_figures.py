"""Numbers of scores as a page writes them."""

import pytest
from django.utils import translation

from arena.evaluations.templatetags.figures import figure, percent, place


def test_numbers_are_rounded_not_cut() -> None:
    assert [figure(value) for value in (0.2586, 0.0, None)] == ["0.259", "0.000", "-"]
    assert [percent(value) for value in (0.104, 0.996, None)] == ["10 %", "100 %", "-"]
    with translation.override("ko"):
        assert figure(0.2586) == "0.259"


def test_an_interval_of_a_rate_ends_where_rates_end() -> None:
    assert [percent(value) for value in (-0.025, 1.02)] == ["0 %", "100 %"]


@pytest.mark.parametrize(
    ("difference", "at"), [(0.0, "0.0"), (0.25, "49.0"), (0.5, "98.0"), (0.9, "98.0"), (None, "0.0")]
)
def test_every_mark_lies_on_the_line(difference: float | None, at: str) -> None:
    assert place(difference) == at
