"""Simulated votes follow the laws they name, and keep what was asked."""

from dataclasses import replace
from itertools import permutations
from math import sqrt
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import chdtrc

from rating.errors import WorldError
from rating.joint import fit_joint
from rating.simulation import Answer, PollRules, World, answers, design, fitted_world, named, simulate
from rating.votes import BAD, DRAW, PICK, RANKING, SKIP, Votes, votes_of

COUNT = 40_000
PHI = NormalDist().cdf


def rng(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def world(*strengths: float, poll: PollRules | None = None, **rest: object) -> World:
    return World(named(len(strengths)), np.array(strengths), (poll or PollRules("poll"),), **rest)  # type: ignore[arg-type]


def in_fixed_seats(votes: Votes, seats: tuple[int, ...]) -> Votes:
    """The same votes, all on these seats, not answered yet."""
    return replace(votes, seats=np.tile(np.array(seats, np.int32), (len(votes), 1)))


def ranks_of(of: World, seats: tuple[int, ...]) -> list[tuple[int, ...]]:
    """COUNT outcomes on fixed seats."""
    votes = answers(of, in_fixed_seats(design(of, COUNT, rng(0)), seats), rng())
    return [tuple(row) for row in votes.ranks.tolist()]


def check_frequencies(found: list[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> None:
    """Pearson's chi-square: nothing but the expected outcomes, as often as expected."""
    assert sum(expected.values()) == pytest.approx(1)
    assert set(found) <= set(expected)
    counts = np.array([found.count(ranks) for ranks in expected])
    hoped = len(found) * np.array(list(expected.values()))
    assert chdtrc(len(expected) - 1, ((counts - hoped) ** 2 / hoped).sum()) > 0.001


def luce(weights: list[float], order: tuple[int, ...]) -> float:
    chance = 1.0
    for at, seat in enumerate(order):
        chance *= weights[seat] / sum(weights[other] for other in order[at:])
    return chance


class TestLogisticLaws:
    def test_a_duel_is_bradley_terry_with_the_left_bonus(self) -> None:
        p = 1 / (1 + np.exp(-(0.3 + 0.25 - 0.8)))
        found = ranks_of(world(0.3, 0.8, poll=PollRules("poll", left=0.25)), (0, 1))
        check_frequencies(found, {(0, 1): p, (1, 0): 1 - p})

    def test_draws_are_davidsons(self) -> None:
        a, b, nu = np.exp(0.5 + 0.1), np.exp(-0.2), 0.4
        total = a + b + nu * sqrt(a * b)
        found = ranks_of(world(0.5, -0.2, poll=PollRules("poll", 2, "draws", tie=nu, left=0.1)), (0, 1))
        check_frequencies(found, {(0, 1): a / total, (1, 0): b / total, (0, 0): nu * sqrt(a * b) / total})

    def test_a_pick_is_a_softmax(self) -> None:
        strengths = np.array([0.0, 0.5, 1.0, -1.0])
        p = np.exp(strengths) / np.exp(strengths).sum()
        found = ranks_of(world(*strengths, poll=PollRules("poll", 4, "pick")), (0, 1, 2, 3))
        check_frequencies(found, {tuple(int(seat != best) for seat in range(4)): p[best] for best in range(4)})

    def test_a_ranking_is_plackett_luce(self) -> None:
        weights = [1.0, 2.0, 3.0, 0.5]
        of = world(*np.log(weights), poll=PollRules("poll", 4, "ranking"))
        expected = {tuple(np.argsort(order).tolist()): luce(weights, order) for order in permutations(range(4))}
        check_frequencies(ranks_of(of, (0, 1, 2, 3)), expected)

    def test_a_ranking_with_ties_goes_by_stages(self) -> None:
        """Every weak order of three, by the weights of Firth, Kosmidis & Turner (2019), written out by hand."""
        a, b, c, two, three = 1.0, 2.0, 0.5, 0.3, 0.2
        ab, ac, bc, abc = two * sqrt(a * b), two * sqrt(a * c), two * sqrt(b * c), three * (a * b * c) ** (1 / 3)
        first = a + b + c + ab + ac + bc + abc
        after_a, after_b, after_c = b + c + bc, a + c + ac, a + b + ab
        expected = {
            (0, 0, 0): abc / first,
            (0, 0, 1): ab / first,
            (0, 1, 0): ac / first,
            (1, 0, 0): bc / first,
            (0, 1, 1): a / first * bc / after_a,
            (0, 1, 2): a / first * b / after_a,
            (0, 2, 1): a / first * c / after_a,
            (1, 0, 1): b / first * ac / after_b,
            (1, 0, 2): b / first * a / after_b,
            (2, 0, 1): b / first * c / after_b,
            (1, 1, 0): c / first * ab / after_c,
            (1, 2, 0): c / first * a / after_c,
            (2, 1, 0): c / first * b / after_c,
        }
        poll = PollRules("poll", 3, "ranking", tie=two, larger_ties=(three,))
        check_frequencies(ranks_of(world(*np.log([a, b, c]), poll=poll), (0, 1, 2)), expected)


class TestNormalLaws:
    def test_a_duel_with_draws_is_thurstone_with_a_margin(self) -> None:
        of = world(0.5, 0.0, poll=PollRules("poll", 2, "draws", tie=0.3), noise="normal", beta=0.8)
        s = sqrt(2) * 0.8
        win, lose = PHI((0.5 - 0.3) / s), PHI((-0.5 - 0.3) / s)
        check_frequencies(ranks_of(of, (0, 1)), {(0, 1): win, (1, 0): lose, (0, 0): 1 - win - lose})

    def test_the_best_of_three_equals_is_each_as_often(self) -> None:
        found = ranks_of(world(0, 0, 0, poll=PollRules("poll", 3, "pick"), noise="normal"), (2, 0, 1))
        check_frequencies(found, dict.fromkeys([(0, 1, 1), (1, 0, 1), (1, 1, 0)], 1 / 3))

    def test_ties_in_a_ranking_are_a_chain(self) -> None:
        """A margin wider than the noise ties all: each is near its neighbour."""
        of = world(0, 1, 2, poll=PollRules("poll", 3, "ranking", tie=1.5), noise="normal", beta=1e-6)
        assert set(ranks_of(of, (0, 1, 2))) == {(0, 0, 0)}
        near = replace(of, strengths=np.array([0.0, 1.0, 4.0]))
        assert set(ranks_of(near, (0, 1, 2))) == {(1, 1, 0)}


class TestVotersAndPrompts:
    def share_by(self, group: NDArray[np.int32], votes: Votes) -> NDArray[np.float64]:
        won = votes.seats[np.arange(len(votes)), votes.ranks.argmin(axis=1)] == 0
        counts = np.bincount(group)
        return np.bincount(group, won) / np.maximum(counts, 1)

    @pytest.mark.parametrize("noise", ["logistic", "normal"])
    def test_a_voters_votes_agree_with_each_other_by_taste(self, noise: str) -> None:
        of = world(0.0, 0.0, voters=100, activity=np.inf, noise=noise)
        plain = self.share_by(simulate(of, COUNT, rng()).voter, simulate(of, COUNT, rng()))
        keen = simulate(replace(of, taste=1.0), COUNT, rng())
        # 400 votes a voter: a fair coin's share has sd 0.025; tastes of sd 1 on each of two spread it to some 0.25.
        assert plain.std() < 0.032
        assert 0.15 < self.share_by(keen.voter, keen).std() < 0.4
        assert self.share_by(keen.prompt + 1, keen).std() == 0

    def test_a_prompts_votes_agree_by_its_effect(self) -> None:
        votes = simulate(world(0.0, 0.0, prompts=100, effect=1.0), COUNT, rng())
        assert 0.15 < self.share_by(votes.prompt, votes).std() < 0.35

    def test_an_unknown_voter_has_a_taste_for_each_vote(self) -> None:
        """Taste then only adds noise: the strengths look nearer to each other."""
        votes = simulate(world(2.0, 0.0, taste=2.0), COUNT, rng())
        won = (votes.seats[np.arange(COUNT), votes.ranks.argmin(axis=1)] == 0).mean()
        gaps, weights = np.polynomial.hermite_e.hermegauss(60)
        exact = float(weights @ (1 / (1 + np.exp(-(2 + sqrt(8) * gaps))))) / sqrt(2 * np.pi)
        assert won == pytest.approx(exact, abs=4 * sqrt(exact * (1 - exact) / COUNT))

    def test_activity_is_paretos_law(self) -> None:
        """With exponent a > 1 the top share q of the voters casts q^(1 - 1/a) of the votes."""
        votes = simulate(world(0, 1, voters=4000, activity=3.0), 400_000, rng())
        counts = np.sort(np.bincount(votes.voter, minlength=4000))[::-1]
        assert counts[:400].sum() / counts.sum() == pytest.approx(0.1 ** (2 / 3), abs=0.03)
        even = np.bincount(simulate(world(0, 1, voters=50, activity=np.inf), COUNT, rng()).voter)
        assert abs(even - COUNT / 50).max() < 5 * sqrt(COUNT / 50)


class TestWhatIsAsked:
    def test_seats_are_distinct_and_every_order_equally_likely(self) -> None:
        votes = design(world(0, 0, 0, 0, poll=PollRules("poll", 3, "pick")), COUNT, rng())
        found = [tuple(row) for row in votes.seats.tolist()]
        check_frequencies(found, dict.fromkeys(permutations(range(4), 3), 1 / 24))

    def test_polls_come_by_share_and_bad_and_skip_by_theirs(self) -> None:
        polls = (PollRules("a", bad=0.2, skip=0.1), PollRules("b", 4, "ranking", share=3.0))
        votes = simulate(World(named(5), np.zeros(5), polls), COUNT, rng())
        assert np.bincount(votes.poll) / COUNT == pytest.approx([0.25, 0.75], abs=0.01)
        here = votes.kinds[votes.poll == 0]
        shares = [(here == kind).mean() for kind in (PICK, DRAW, RANKING, BAD, SKIP)]
        assert shares == pytest.approx([0.7, 0, 0, 0.2, 0.1], abs=0.02)
        assert (votes.ranks[~votes.counted] == -1).all()
        assert (votes.seats[votes.poll == 0, 2:] == -1).all()
        assert (votes.ranks[votes.poll == 0, 2:] == -1).all()

    def test_every_counted_vote_is_a_valid_game(self) -> None:
        polls = (PollRules("a", 2, "draws", tie=1.0), PollRules("b", 4, "ranking", tie=0.5), PollRules("c", 3, "pick"))
        votes = simulate(World(named(6), np.zeros(6), polls, voters=3, prompts=2), 500, rng())
        games = list(votes.games())
        assert len(games) == 500
        assert {game.poll: len(game.seats) for game in games} == {"a": 2, "b": 4, "c": 3}
        assert {game.voter for game in games} == {"voter-0", "voter-1", "voter-2"}
        tied = [game for game in games if game.poll == "a" and game.outcome.kind == "draw"]
        assert all(game.outcome.ranks == (0, 0) for game in tied)
        assert tied

    def test_the_same_seed_gives_the_same_votes_and_another_gives_others(self) -> None:
        of = world(0, 0.5, 1, voters=9, taste=1.0, prompts=4, effect=0.5)
        one, two, other = simulate(of, 300, rng(5)), simulate(of, 300, rng(5)), simulate(of, 300, rng(6))
        for name in ("seats", "ranks", "kinds", "poll", "prompt", "voter", "times"):
            assert np.array_equal(getattr(one, name), getattr(two, name))
        assert not np.array_equal(one.ranks, other.ranks)


class TestAnswersAnew:
    def votes(self) -> Votes:
        polls = (
            PollRules("duel", 2, "draws", tie=0.5, left=0.2, bad=0.1),
            PollRules("ffa", 4, "pick", skip=0.1),
            PollRules("rank", 4, "ranking", tie=0.3, larger_ties=(0.2,)),
        )
        return simulate(World(named(6), np.linspace(-1, 1, 6), polls, voters=20, prompts=5), 6000, rng())

    def test_what_was_asked_stays(self) -> None:
        votes = self.votes()
        anew = answers(fitted_world(fit_joint(votes), votes), votes, rng(2))
        for name in ("seats", "poll", "prompt", "voter", "times"):
            assert np.array_equal(getattr(anew, name), getattr(votes, name))
        assert np.array_equal(anew.kinds >= BAD, votes.kinds >= BAD)
        assert np.array_equal(anew.kinds[votes.poll == 1], votes.kinds[votes.poll == 1])
        assert not np.array_equal(anew.ranks, votes.ranks)

    def test_a_fit_of_votes_drawn_from_a_fit_finds_it_again(self) -> None:
        votes = self.votes()
        fit = fit_joint(votes)
        again = fit_joint(answers(fitted_world(fit, votes), votes, rng(3)))
        assert again.parameters == fit.parameters
        assert {"tie:duel", "left:duel", "tie:rank", "tie3:rank"} <= set(fit.parameters)
        z = (again.estimate - fit.estimate) / np.sqrt(np.diag(fit.covariance()))
        assert abs(z).max() < 4
        assert 0.3 < (z**2).mean() < 2.5

    def test_picks_among_rankings_stay_picks(self) -> None:
        votes = self.votes()
        mixed = replace(votes, poll=np.where(votes.poll == 1, 2, votes.poll).astype(np.int32))
        anew = answers(fitted_world(fit_joint(mixed), mixed), mixed, rng(4))
        wide = mixed.poll == 2
        assert 0 < (mixed.kinds[wide] == PICK).mean() < 1
        assert np.array_equal(anew.kinds[wide] == PICK, mixed.kinds[wide] == PICK)

    def test_a_poll_of_draws_alone_goes_on_drawing(self) -> None:
        votes = self.votes()
        drawn = replace(votes, poll=np.zeros_like(votes.poll), polls=("always",)).take(votes.sizes == 2)
        drawn = replace(
            drawn, ranks=np.where(drawn.seats >= 0, 0, -1).astype(np.int16), kinds=np.full(len(drawn), DRAW)
        )
        both = votes_of([*votes.games(), *drawn.games()])
        anew = answers(fitted_world(fit_joint(both), both), both, rng(5))
        assert (anew.kinds[both.poll == both.polls.index("always")] == DRAW).all()
        with pytest.raises(WorldError, match="davidson"):
            fitted_world(fit_joint(both, ties="rao-kupper"), both)

    def test_votes_of_another_world_are_refused(self) -> None:
        votes = self.votes()
        with pytest.raises(WorldError, match="no poll 'ffa'"):
            answers(World(votes.contestants, np.zeros(6)), votes, rng())
        with pytest.raises(WorldError, match="other names"):
            answers(World(named(7), np.zeros(7)), votes, rng())


@pytest.mark.parametrize(
    ("seats", "answer", "rest"),
    [
        (1, "duel", {}),
        (3, "draws", {}),
        (2, "duel", {"tie": 0.1}),
        (4, "pick", {"larger_ties": (0.1,)}),
        (2, "draws", {"tie": -0.1}),
        (2, "duel", {"bad": 0.7, "skip": 0.4}),
        (2, "duel", {"share": 0.0}),
    ],
)
def test_rules_that_cannot_be_are_refused(seats: int, answer: Answer, rest: dict[str, float]) -> None:
    with pytest.raises(WorldError, match="poll 'x'"):
        PollRules("x", seats, answer, **rest)  # type: ignore[arg-type]


def test_worlds_that_cannot_be_are_refused() -> None:
    with pytest.raises(WorldError, match="sorted"):
        World(("b", "a"), np.zeros(2))
    with pytest.raises(WorldError, match="finite strength"):
        World(("a", "b"), np.array([0.0, np.nan]))
    with pytest.raises(WorldError, match="more seats"):
        World(("a", "b"), np.zeros(2), (PollRules("x", 4, "pick"),))
    wide = World(named(12), np.zeros(12), (PollRules("x", 12, "ranking", tie=1.0, larger_ties=(1.0,) * 10),))
    with pytest.raises(WorldError, match="alternatives"):
        simulate(wide, 10, rng())
