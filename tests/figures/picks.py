"""Figure 3: the best of four, read as a draw among the three others."""

import math
from itertools import pairwise
from statistics import NormalDist

import numpy as np
import trueskill

from rating.game import Game
from rating.outcomes import Outcome
from rating.simulation import PollRules, World, named, simulate
from rating.trueskill import TrueSkillSystem
from rating.votes import PICK, Votes, votes_of
from tests.figures.dynamics import BETA, MU, POINTS, SIGMA, SPREAD
from tests.figures.sources import imagenhub, imagenhub_votes
from tests.figures.yardsticks import difference_sd, differences, kendall, pairs, rmse

CONTESTANTS, WORLDS = 20, 40
POLLS = (100, 300, 1000, 3000)
CHECKED = 200  # polls that the package itself rates too
REAL_POLLS, REAL_RUNS = 1000, 40
NORMAL = NormalDist()
Beliefs = tuple[np.ndarray, np.ndarray]  # means (n,) and sds (n,)


def measure(rng: np.random.Generator) -> dict:
    """One vote, simulated polls and polls from real ratings."""
    worlds, curves = zip(*(_run(rng) for _ in range(WORLDS)), strict=True)
    checked = worlds[0].take(np.arange(CHECKED))
    return {
        "one_vote": one_vote(),
        "worlds": WORLDS,
        "contestants": CONTESTANTS,
        "polls": list(POLLS),
        "ties": _joined([world["ties"] for world in curves]),
        "star": _joined([world["star"] for world in curves]),
        "checked": CHECKED,
        "off_package": np.abs(np.subtract(ties(checked, (CHECKED,))[0], package(checked))).max(),
        "spread": POINTS * SPREAD,
        "real": _real(rng),
    }


def one_vote() -> dict:
    """[mean, sd] of winner and loser after one pick among four new contestants: exact, star and ties."""
    vote = votes_of([Game(("a", "b", "c", "d"), Outcome("pick", (0, 1, 1, 1)), "pick")])
    picked, tied = (np.transpose(engine(vote, (1,))[0]) for engine in (star, ties))
    return {"exact": _exact(), "star": picked[[0, 2]], "ties": tied[[0, 2]]}


def star(votes: Votes, upto: tuple[int, ...]) -> list[Beliefs]:
    """Beliefs after so many picks, read as the winner beating each loser."""
    return _beliefs(TrueSkillSystem(), votes, upto)


def ties(votes: Votes, upto: tuple[int, ...]) -> list[Beliefs]:
    """Beliefs after so many picks, read as ranks 0, 1, 1, 1, by the engine that equals the trueskill package.

    The package's own defaults, but no dynamics: figure 4 is about those.
    """
    return _beliefs(TrueSkillSystem(compat=True, tau=0.0), votes, upto)


def package(votes: Votes) -> Beliefs:
    """What the trueskill package itself makes of the picks as ranks 0, 1, 1, 1."""
    assert (votes.kinds == PICK).all()
    environment = trueskill.TrueSkill(tau=0.0)
    skills = [environment.create_rating() for _ in votes.contestants]
    for seats, ranks in zip(votes.seats.tolist(), votes.ranks.tolist(), strict=True):
        rated = environment.rate([(skills[code],) for code in seats], ranks=ranks)
        for code, (skill,) in zip(seats, rated, strict=True):
            skills[code] = skill
    return _arrays(skills)


def _beliefs(system: TrueSkillSystem, votes: Votes, upto: tuple[int, ...]) -> list[Beliefs]:
    state, found = system.start(), []
    for start, stop in pairwise((0, *upto)):
        state = system.fold(state, votes.take(np.arange(start, stop)))
        standings = system.standings(state)
        found.append(_arrays([standings[name] for name in votes.contestants]))
    return found


def _arrays(skills: list) -> Beliefs:
    return np.array([skill.mu for skill in skills]), np.array([skill.sigma for skill in skills])


def _exact() -> list[list[float]]:
    """The winner's performance is the largest of four alike: the moments by summing its density 4 pdf cdf^3."""
    x = np.linspace(-12.0, 12.0, 24_001)
    cdf = 0.5 * np.array([math.erfc(-at / math.sqrt(2.0)) for at in x])
    density = 4.0 * np.exp(-0.5 * x * x) / math.sqrt(2.0 * math.pi) * cdf**3 * (x[1] - x[0])
    first, second = float(density @ x), float(density @ x**2)
    spread = math.hypot(SIGMA, BETA)
    share = SIGMA**2 / spread**2
    found = []
    # All four together have mean 0 and mean square 1 each, which leaves the losers the rest.
    for mean, square in ((first, second), (-first / 3.0, (4.0 - second) / 3.0)):
        variance = SIGMA**2 * (1.0 - share) + share**2 * spread**2 * (square - mean**2)
        found.append([MU + share * spread * mean, math.sqrt(variance)])
    return found


def _run(rng: np.random.Generator) -> tuple[Votes, dict]:
    strengths = rng.normal(MU, SPREAD, CONTESTANTS)
    world = World(named(CONTESTANTS), strengths, (PollRules("pick", 4, "pick"),), noise="normal", beta=BETA)
    votes = simulate(world, POLLS[-1], rng)
    return votes, {
        engine.__name__: [[rmse(means, strengths), _held(means, sds, strengths)] for means, sds in engine(votes, POLLS)]
        for engine in (star, ties)
    }


def _held(means: np.ndarray, sds: np.ndarray, truth: np.ndarray) -> float:
    """How many 95 % intervals of pairs' differences hold the truth."""
    return float(np.mean(np.abs(differences(means) - differences(truth)) <= 1.96 * difference_sd(np.diag(sds**2))))


def _joined(runs: list[list[list[float]]]) -> dict:
    errors, held = np.array(runs).transpose(2, 0, 1)
    return {"rmse": np.sqrt((errors**2).mean(axis=0)), "coverage": held.mean(axis=0)}


def _real(rng: np.random.Generator) -> dict:
    """Agreement with the order of the mean worth, and by how much predicted shares of won duels miss the real ones."""
    worth = imagenhub()[1]
    better = (worth[:, :, None] > worth[:, None]) + 0.5 * (worth[:, :, None] == worth[:, None])
    shares = pairs(better.mean(axis=0))
    votes = [imagenhub_votes(4, REAL_POLLS, rng) for _ in range(REAL_RUNS)]
    found = {}
    for engine in (star, ties):
        means = [engine(cast, (REAL_POLLS,))[0][0] for cast in votes]
        predicted = np.array(
            [[NORMAL.cdf(gap / (math.sqrt(2.0) * BETA)) for gap in differences(mean)] for mean in means]
        )
        found[engine.__name__] = {
            "kendall": np.mean([kendall(mean, worth.mean(axis=0)) for mean in means]),
            "miss": np.abs(predicted - shares).mean(),
            "span": np.mean([np.ptp(mean) for mean in means]),
        }
    return {"polls": REAL_POLLS, "runs": REAL_RUNS, **found}
