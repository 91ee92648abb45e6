"""A large board between two settlements: new votes move it at once, intervals stay, the next settlement is exact."""

import numpy as np
import pytest
from scipy.optimize import minimize

from arena.leaderboard import replay
from arena.leaderboard.auditing import compare
from arena.leaderboard.log import Slice, counted_votes
from arena.leaderboard.models import RatingRun
from arena.leaderboard.replay import rebuild, refresh
from arena.leaderboard.table import board
from arena.votes.models import Vote
from rating.onward import Onward
from rating.registry import SYSTEMS
from tests.arena.leaderboard.test_replay import cast, content

every_metric = pytest.mark.parametrize("metric", sorted(SYSTEMS))


@pytest.fixture(autouse=True)
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every board counts as one that a look does not settle."""
    monkeypatch.setattr(replay, "SETTLED_AT_ONCE", 0)


def values(run: RatingRun) -> dict[int, float]:
    return {row.contestant_id: row.value for row in run.standings.all()}


@every_metric
def test_new_votes_move_the_values_with_the_next_look(log, metric: str) -> None:
    cast(log, 40)
    counted, before = refresh(metric).counted, values(RatingRun.objects.get())
    for _ in range(4):
        log.vote("duel", "e a", "1")
    run = refresh(metric, seconds=0.0)
    better, worse = (log.contestants[name].pk for name in "ea")
    assert values(run)[better] - values(run)[worse] > before[better] - before[worse]
    head = board(metric, seconds=0.0).head
    assert (head.behind, head.counted, head.settled_votes) == (0, counted + 4, counted)
    assert list(compare(run)) == []
    assert content(refresh(metric)) == content(rebuild(metric))


def test_what_is_settled_after_folding_is_the_maximum_that_another_solver_finds(log) -> None:
    rng = np.random.default_rng(5)
    for portion in range(4):
        for _ in range(30):
            one, other = rng.permutation(list("abcd"))[:2]
            log.vote("duel", f"{one} {other}", "1" if rng.random() < 0.5 + 0.1 * (one < other) else "2")
        refresh("joint", seconds=0.0 if portion == 2 else None)
    found = values(refresh("joint"))
    keys = sorted(found)
    votes = [(vote.outcome == "1", *vote.ticket.matchup.seats.values_list("sample__contestant", flat=True))
             for vote in Vote.objects.all()]  # fmt: skip
    won, left, right = np.array([(won, keys.index(one), keys.index(other)) for won, one, other in votes]).T

    def unlikely(at: np.ndarray) -> float:
        """Minus the log likelihood of Bradley and Terry (1952) with a bonus of the first seat."""
        logit = at[left] - at[right] + at[-1]
        return float(np.logaddexp(0.0, np.where(won == 1, -logit, logit)).sum())

    strengths = minimize(unlikely, np.zeros(len(keys) + 1), tol=1e-10).x[:-1]
    wanted = 1500 + 400 / np.log(10) * (strengths - strengths.mean())
    assert [found[key] for key in keys] == pytest.approx(wanted, abs=0.01)


def moved_on(settled: int) -> dict[int, float]:
    """The joint values of the first votes, moved by those counted since."""
    first = replay.replayed("joint", Slice(), settled)
    onward = Onward.from_state(first.settled["onward"]).with_votes(counted_votes(Slice(), after=settled))
    moves, rows = onward.moves(), first.settled["rows"]
    return {int(key): row["value"] + 400 / np.log(10) * moves[key] for key, row in rows.items()}


@every_metric
def test_a_settlement_is_kept_though_others_fold_on_meanwhile(log, metric: str, monkeypatch) -> None:
    cast(log, 40)
    refresh(metric, seconds=0.0)
    real = replay.settle_run

    def overtaken(*given: object) -> object:
        if Vote.objects.count() == 40:
            cast(log, 6, seed=7)
            refresh(metric, seconds=0.0)
        return real(*given)

    monkeypatch.setattr(replay, "settle_run", overtaken)
    run = refresh(metric)
    assert (run.through, run.settled["through"]) == (46, 40)
    assert list(compare(run)) == []
    if metric == "joint":
        assert values(run) == pytest.approx(moved_on(40), abs=1e-9)
    assert content(refresh(metric)) == content(rebuild(metric))


@every_metric
def test_intervals_stay_when_a_vote_is_taken_off(log, metric: str) -> None:
    cast(log, 40)
    before = refresh(metric)
    off = log.vote("duel", "e a", "1")
    cast(log, 3, seed=3)
    refresh(metric, seconds=0.0)
    log.exclude(off)
    found = board(metric, seconds=0.0)
    assert found.head.settled_votes == before.counted
    assert all(row.low is not None for row in found.rows)
    if metric == "joint":
        assert {row.contestant_id: row.value for row in found.rows} == pytest.approx(moved_on(40), abs=1e-9)
    assert content(refresh(metric)) == content(rebuild(metric))
