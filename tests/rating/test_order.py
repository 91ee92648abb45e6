"""What the order of votes does: two votes by hand, and the figures measured on real votes."""

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from rating.elo import EloSystem, expected
from rating.game import Game
from rating.order import milestone, order_sd, order_study
from rating.outcomes import parse_outcome
from rating.registry import SYSTEMS
from rating.votes import Votes, votes_of


def game(seats: str, outcome: str) -> Game:
    return Game(tuple(seats), parse_outcome(outcome, len(seats)), "ffa")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_order_sd_of_two_votes_is_arithmetic() -> None:
    # a beats b and b beats a: whoever wins last ends above, 32 * (expected of the one ahead) - 16 points off 1500.
    votes = votes_of([game("ab", "1"), game("ab", "2")])
    off = 32 * expected(1516, 1484) - 16
    study = order_study(EloSystem(), votes, rng=rng())
    above = study.first[0]
    assert 0.3 < above < 0.7
    assert study.mean[0] == pytest.approx(1500 + off * (2 * above - 1), abs=1e-9)
    assert study.sd == pytest.approx([2 * off * np.sqrt(above * (1 - above) * 100 / 99)] * 2, abs=1e-9)
    assert order_sd(EloSystem(), votes, rng=rng()) == dict(zip("ab", study.sd.tolist(), strict=True))
    assert (study.low.tolist(), study.high.tolist()) == ([1, 1], [2, 2])
    agreeing = above**2 + (1 - above) ** 2
    assert study.kendall == pytest.approx(((2 * agreeing - 1) * 100 - 1) / 99, abs=1e-12)


def test_order_does_not_matter_where_it_cannot() -> None:
    study = order_study(EloSystem(), votes_of([game("ab", "1")] * 5), rng=rng(), permutations=10)
    assert study.sd.tolist() == [0.0, 0.0]
    assert study.kendall == 1.0
    assert study.first.tolist() == [1.0, 0.0]


def test_a_study_repeats_with_its_seed_and_reports_its_progress() -> None:
    votes = votes_of([game("ab", "1"), game("bc", "2"), game("ca", "1"), game("ab", "1=2")])
    done: list[int] = []
    first = order_study(EloSystem(), votes, rng=rng(7), permutations=5, progress=done.append)
    second = order_study(EloSystem(), votes, rng=rng(7), permutations=5)
    assert done == [1, 2, 3, 4, 5]
    assert np.array_equal(first.sd, second.sd)


def test_agreement_is_the_mean_kendall_of_all_pairs_of_orders() -> None:
    votes = votes_of([game("ab", "1"), game("bc", "1"), game("ca", "1"), game("ab", "1=2"), game("dc", "1")])
    seen: list[dict[str, float]] = []

    class Watched(EloSystem):
        def standings(self, state):  # type: ignore[no-untyped-def]
            found = super().standings(state)
            seen.append({name: one.value for name, one in found.items()})
            return found

    study = order_study(Watched(), votes, rng=rng(), permutations=8)
    agreements = [
        np.mean([np.sign(one[a] - one[b]) * np.sign(two[a] - two[b]) for a, b in combinations("abcd", 2)])
        for one, two in combinations(seen, 2)
    ]
    assert study.kendall == pytest.approx(np.mean(agreements), abs=1e-12)


def test_all_bad_votes_take_no_part() -> None:
    votes = votes_of([game("ab", "1"), game("cd", "1"), game("ab", "2")])
    votes.kinds[1], votes.ranks[1] = 3, -1
    assert order_study(EloSystem(), votes, rng=rng(), permutations=3).contestants == ("a", "b")


# sd in points, Kendall between two orders, width of the 95 % range of ranks: measured on these votes (docs/elo.md).
FIGURES = {4: (4.8, 0.914, 6.6), 16: (21.6, 0.765, 16.9), 32: (35.9, 0.645, 25.3)}


def check_figures(votes: Votes, k: int, permutations: int) -> None:
    study = order_study(EloSystem(k=k), votes, rng=rng(), permutations=permutations)
    sd, kendall, width = FIGURES[k]
    assert study.sd.mean() == pytest.approx(sd, rel=0.03)
    assert study.kendall == pytest.approx(kendall, abs=0.015)
    assert (study.high - study.low).mean() == pytest.approx(width, rel=0.05)


def test_the_order_of_real_votes_moves_elo_by_tens_of_points(real_votes: Callable[[str], Votes]) -> None:
    check_figures(real_votes("llmfao_crowd"), 32, 100)


@pytest.mark.slow
@pytest.mark.parametrize("k", [4, 16, 32])
def test_the_order_of_real_votes_at_every_step(real_votes: Callable[[str], Votes], k: int) -> None:
    check_figures(real_votes("llmfao_crowd"), k, 500)


def test_averages_depend_less_on_the_order(real_votes: Callable[[str], Votes]) -> None:
    votes = real_votes("llmfao_crowd")
    last, average = (order_sd(SYSTEMS[metric], votes, rng=rng(), permutations=15) for metric in ("elo", "elo-twa"))
    assert np.mean(list(average.values())) < 0.5 * np.mean(list(last.values()))


def test_milestones_are_few_and_depend_on_the_count_alone() -> None:
    assert [milestone(votes) for votes in (0, 1, 31, 32, 33, 34, 1023, 1024, 1087, 1088)] == [
        0, 1, 31, 32, 32, 34, 992, 1024, 1024, 1088,
    ]  # fmt: skip
    assert len({milestone(votes) for votes in range(1001)}) < 120
