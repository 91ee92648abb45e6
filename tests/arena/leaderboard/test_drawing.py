"""What the page draws of a board: bars on one axis, gains, numbers as text."""

from dataclasses import fields

import pytest

from arena.leaderboard.drawing import chart
from arena.leaderboard.table import Row


def row(**changes: object) -> Row:
    plain = {field.name: None for field in fields(Row)} | {"votes": 20, "provisional": False}
    return Row(**(plain | changes))


def test_bars_share_one_axis() -> None:
    drawn = chart([row(value=1.0, mu=20.0, low=10.0, high=30.0), row(value=0.0, mu=5.0, low=0.0, high=10.0), row()])
    assert (drawn.least, drawn.most) == (0.0, 30.0)
    first, second, third = (entry.bar for entry in drawn.entries)
    assert (second.left, first.right) == (4.0, 96.0)
    assert second.right == first.left == pytest.approx(4 + 92 / 3, abs=0.01)
    assert third is None


def test_a_single_value_is_drawn_without_a_width() -> None:
    (entry,) = chart([row(value=1500.0)]).entries
    assert entry.bar.left == entry.bar.dot == entry.bar.right == 4.0


@pytest.mark.parametrize(
    ("change", "error", "gain", "verdict"),
    [
        (3.0, 2.0, "+3.0", "up"),
        (-3.0, 2.0, "\N{MINUS SIGN}3.0", "down"),
        (1.0, 2.0, "+1.0", "unsure"),
        (40.0, None, "+40.0", "unsure"),
        (None, None, "", "unsure"),
    ],
)
def test_a_gain_is_called_one_only_beyond_its_error(change, error, gain: str, verdict: str) -> None:
    (entry,) = chart([row(change=change, change_error=error)]).entries
    assert (entry.gain, entry.verdict) == (gain, verdict)


def test_the_numbers_of_a_row_are_spelt_once_for_the_page() -> None:
    numbers = {"value": 1.25, "average": 1499.6, "low": 3.04, "high": 4.06, "change": 1.0, "change_error": 0.25}
    given = {**numbers, "epoch": 3, "previous_epoch": 2, "exposure": 40, "lineage": ["a", "b"]}
    (of_mu,) = chart([row(**given, mu=3.55)], 2).entries
    assert (of_mu.value, of_mu.average, of_mu.error) == ("1.25", "1500", "0.25")
    assert of_mu.interval == "3.5 (3.0 to 4.1)"
    assert (of_mu.epoch, of_mu.parent, of_mu.earlier, of_mu.shown) == ("epoch 3", "from b", "on epoch 2", "shown 40×")
    (of_value,) = chart([row(**given)], 2).entries
    assert of_value.interval == "3.04 to 4.06"
    (blank,) = chart([row(lineage=[])]).entries
    assert (blank.value, blank.average, blank.error, blank.parent, blank.earlier) == ("", "", "", "", "")
    assert blank.interval == "not measured yet"
