"""Probes in the figures: drawn like any stored metric, and held against what people say."""

import pytest
from django.test import Client

from arena.evaluations.models import ProbeScore
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.figures.asking import Ask
from arena.leaderboard.figures.making import made
from arena.leaderboard.table import board
from tests.arena.leaderboard.figure_log import records


def probed(contestant, name: str, value: float, **fields) -> ProbeScore:
    return ProbeScore.objects.create(
        contestant=contestant, probe=name, suite=fields.pop("suite", "s"), images=12, value=value, **fields
    )


def by_strength(log) -> list:
    strengths = {row.contestant: row.value for row in board("joint").rows}
    return sorted(log.contestants.values(), key=lambda one: strengths[str(one)])


@pytest.mark.parametrize(("name", "sign"), [("dynamic-range", 1), ("padding", -1)])
def test_people_agree_with_a_probe_in_its_own_direction(voted, name: str, sign: int) -> None:
    """The stronger, the more range and the less padding: all 15 pairs agree; with the best one last, five do not."""
    order = by_strength(voted)
    scores = [probed(contestant, name, sign * place / 10) for place, contestant in enumerate(order)]
    share = records(made(Ask("agreement", f"probe-{name}")))[0]
    assert (share["pairs"], share["value"]) == (15, 1)
    scores[-1].value = -sign
    scores[-1].save()
    found = made(Ask("agreement", f"probe-{name}"))
    assert records(found)[0]["value"] == pytest.approx(10 / 15)
    assert {row["people_prefer"] for row in records(found, 2)} == {str(order[-1])}


def test_scores_of_the_newest_suite_are_drawn_best_first(voted) -> None:
    one, other, third, *_ = voted.contestants.values()
    probed(third, "padding", 0.01, suite="an older one")
    probed(one, "padding", 0.3, value_low=0.2, value_high=0.4)
    probed(other, "padding", 0.1)
    found = made(Ask("ratings", "probe-padding"))
    rows = [(row["contestant"], row["value"], row["low"], row["missing"]) for row in records(found)]
    assert rows == [(str(other), 0.1, None, 0), (str(one), 0.3, 0.2, 0)]
    assert found.notes == []
    with pytest.raises(UnknownBoardError, match="probe-padding has no votes"):
        made(Ask("ratings", "probe-padding", "duel"))


def test_nothing_is_probed_yet(voted) -> None:
    found = made(Ask("ratings", "probe-inpainting"))
    assert (found.state, found.message) == ("no-scores", "No checkpoint was probed for it yet.")


def test_pages_offer_probes_that_somebody_has_a_score_of(client: Client, voted) -> None:
    assert "Effect of padding" not in client.get("/figures/ratings/").content.decode()
    probed(next(iter(voted.contestants.values())), "padding", 0.3)
    page = client.get("/figures/ratings/").content.decode()
    assert "Effect of padding" in page
    assert "Inpainting harmony" not in page
