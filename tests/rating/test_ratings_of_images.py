"""How many votes it takes until ratings put real systems in the right order (spec, arena.md, demand 7).

The truth is the mean worth of each system over all raters and prompts of ImagenHub; seats are balanced random, as the
arena's own. Means over fixed seeds, held against what is demanded give or take two standard errors.
"""

from dataclasses import replace

import numpy as np
import pytest

from rating.joint import fit_joint
from rating.registry import rating_system
from rating.votes import DRAW, KINDS, NOBODY, PICK, Votes
from tests.figures.sources import imagenhub
from tests.figures.yardsticks import kendall

RANKING = KINDS.index("ranking")


def balanced(systems: int, seats: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """(count, seats) those shown least, ties and order at random."""
    shown, found = np.zeros(systems, int), np.empty((count, seats), np.int32)
    for at in range(count):
        least = np.lexsort((rng.random(systems), shown))[:seats]
        shown[least] += 1
        found[at] = rng.permutation(least)
    return found


def votes_of(answer: str, count: int, rng: np.random.Generator) -> Votes:
    """Answers of random raters: duels with draws, the best of four (ties at random), or four ranked with ties."""
    names, worth = imagenhub()
    seats = balanced(len(names), 2 if answer == "duel" else 4, count, rng)
    values = worth[rng.integers(len(worth), size=count)[:, None], seats]
    if answer == "pick":
        best = (values + 1e-6 * rng.random(values.shape)).argmax(axis=1)
        ranks = (np.arange(4) != best[:, None]).astype(np.int16)
    else:
        ranks = np.array([np.unique(-row, return_inverse=True)[1] for row in values], np.int16)
    nobody = np.full(count, NOBODY, np.int32)
    votes = Votes(
        contestants=names, polls=(answer,), prompts=(), voters=(), seats=seats, ranks=ranks,
        kinds=np.where(ranks.max(axis=1) == 0, DRAW, PICK).astype(np.int8),
        poll=np.zeros(count, np.int32), prompt=nobody, voter=nobody, times=np.arange(count, dtype=np.float64),
    )  # fmt: skip
    ranked = np.where(votes.kinds == DRAW, DRAW, RANKING).astype(np.int8)
    return replace(votes, kinds=ranked) if answer == "ranking" else votes


def joint(votes: Votes) -> np.ndarray:
    return fit_joint(votes, ridge=2.0).estimate[: len(votes.contestants)]


def trueskill(votes: Votes) -> np.ndarray:
    system = rating_system("trueskill")
    found = system.standings(system.fold(system.start(), votes))
    return np.array([found[name].mu for name in votes.contestants])


@pytest.mark.parametrize(
    ("answer", "count", "system", "demanded", "repeats"),
    [("pick", 200, joint, 0.83, 120), ("ranking", 100, trueskill, 0.83, 120), ("duel", 1600, joint, 0.89, 50)],
)
def test_so_many_votes_are_enough(answer: str, count: int, system, demanded: float, repeats: int) -> None:
    truth = imagenhub()[1].mean(axis=0)
    taus = [kendall(system(votes_of(answer, count, np.random.default_rng(seed))), truth) for seed in range(repeats)]
    assert np.mean(taus) > demanded - 2 * np.std(taus) / np.sqrt(len(taus))


def test_a_tenth_of_them_is_not() -> None:
    """The yardstick tells enough from too few."""
    truth = imagenhub()[1].mean(axis=0)
    taus = [kendall(joint(votes_of("pick", 20, np.random.default_rng(seed))), truth) for seed in range(120)]
    assert np.mean(taus) < 0.75
