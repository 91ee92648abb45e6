"""What a matchup is worth, what is chosen, and with which probability."""

from collections import Counter
from itertools import combinations, permutations
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import chdtrc

from rating.errors import MatchupError
from rating.matchmaking import (
    Costs,
    Method,
    Plan,
    Posterior,
    Question,
    choose,
    criterion,
    expected_covariance,
    information,
    pair_weights,
    values,
)

Floats = NDArray[np.float64]
METHODS: tuple[Method, ...] = ("a-optimal", "information-gain", "balanced-random", "uniform")
QUESTIONS = (Question(), Question(2, "draws", 0.6), Question(4, "pick"), Question(4, "ranking"), Question(3, "ranking"))


def posterior(n: int, seed: int = 0) -> Posterior:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    return Posterior(rng.normal(size=n), root @ root.T / n * 0.5 + 0.02 * np.eye(n))


def equals(n: int) -> Posterior:
    return Posterior(np.zeros(n), np.eye(n))


def log_chances(utility: Floats, question: Question) -> list[float]:
    """The log probability of every possible answer, straight from the definitions."""
    a = np.exp(utility)
    if question.answer == "draws":
        draw = question.tie * np.sqrt(a[0] * a[1])
        return [float(np.log(part / (a.sum() + draw))) for part in (*a, draw)]
    if question.answer == "ranking":
        orders = [list(order) for order in permutations(range(len(a)))]
        return [float(sum(np.log(a[o[at]] / a[o[at:]].sum()) for at in range(len(o)))) for o in orders]
    return [float(value) for value in np.log(a / a.sum())]


def after(before: Floats, h: Floats, group: tuple[int, ...]) -> Floats:
    """The covariance after an answer of information h, the long way."""
    whole = np.zeros_like(before)
    whole[np.ix_(group, group)] = h
    return np.linalg.inv(np.linalg.inv(before) + whole)


class TestInformation:
    @pytest.mark.parametrize("question", QUESTIONS)
    def test_it_is_the_mean_square_of_the_score(self, question: Question) -> None:
        utility = np.array([0.3, -0.4, 1.1, 0.0])[: question.seats]
        chances = np.exp(log_chances(utility, question))
        assert chances.sum() == pytest.approx(1)
        step = 1e-5 * np.eye(question.seats)
        scores = [
            (np.array(log_chances(utility + one, question)) - log_chances(utility - one, question)) / 2e-5
            for one in step
        ]
        expected = np.einsum("io,jo,o->ij", scores, scores, chances)
        assert information(utility, question) == pytest.approx(expected, abs=1e-8)

    def test_equals_give_the_figures_of_theory(self) -> None:
        """Per contestant: 1/4 for a duel, 3/16 for a pick of four, 0.479 for a ranking of four."""
        found = [information(np.zeros(q.seats), q)[0, 0] for q in (Question(), Question(4, "pick"))]
        assert found == pytest.approx([0.25, 0.1875])
        # Stages of 4, 3 and 2 with shares 1, 3/4 and 2/4: 3/16 + 3/4 * 2/9 + 1/2 * 1/4.
        assert information(np.zeros(4), Question(4, "ranking"))[0, 0] == pytest.approx(3 / 16 + 1 / 6 + 1 / 8)

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_strengths_far_apart_tell_nothing(self, question: Question) -> None:
        utility = np.array([1e6, 0.0, -1e6, -2e6])[: question.seats]
        assert information(utility, question) == pytest.approx(np.zeros((question.seats,) * 2), abs=1e-12)


class TestValues:
    def test_weights_are_the_density_of_a_difference_at_zero(self) -> None:
        mean, covariance = belief = posterior(5)
        for i, j in combinations(range(5), 2):
            s = np.sqrt(covariance[i, i] + covariance[j, j] - 2 * covariance[i, j])
            assert pair_weights(belief)[i, j] == pytest.approx(NormalDist(mean[i] - mean[j], s).pdf(0))
        assert (np.diag(pair_weights(belief)) == 0).all()
        assert (pair_weights(Posterior(mean, np.zeros((5, 5)))) == 0).all()

    def test_the_criterion_is_the_weighted_sum_of_variances(self) -> None:
        weights, covariance = np.abs(posterior(4, 1).covariance), posterior(4, 2).covariance
        v = np.diag(covariance)[:, None] + np.diag(covariance) - 2 * covariance
        assert criterion(weights, covariance) == pytest.approx(
            sum(weights[p] * v[p] for p in combinations(range(4), 2))
        )

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_a_value_is_the_decrease_of_the_criterion(self, question: Question) -> None:
        mean, covariance = belief = posterior(6)
        weights = pair_weights(belief)
        groups = list(combinations(range(6), question.seats))
        found = values(belief, question, np.array(groups))
        for group, value in zip(groups, found, strict=True):
            later = after(covariance, information(mean[list(group)], question), group)
            assert value == pytest.approx(criterion(weights, covariance) - criterion(weights, later), rel=1e-9)
            assert expected_covariance(belief, question, group) == pytest.approx(later, rel=1e-9)

    def test_a_pairs_value_is_the_published_formula(self) -> None:
        mean, s = belief = posterior(5)
        w = pair_weights(belief)
        b = s @ (np.diag(w.sum(axis=1)) - w) @ s
        p = 1 / (1 + np.exp(mean[3] - mean[1]))
        h, v = p * (1 - p), s[1, 1] + s[3, 3] - 2 * s[1, 3]
        expected = h / (1 + v * h) * (b[1, 1] + b[3, 3] - 2 * b[1, 3])
        assert values(belief, Question(), np.array([[1, 3]]))[0] == pytest.approx(expected)

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_the_information_is_what_the_entropy_loses(self, question: Question) -> None:
        mean, covariance = belief = posterior(5)
        group = tuple(range(question.seats))
        later = after(covariance, information(mean[list(group)], question), group)
        lost = (np.linalg.slogdet(covariance)[1] - np.linalg.slogdet(later)[1]) / 2
        assert values(belief, question, np.array([group]), "information-gain")[0] == pytest.approx(lost)

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_only_differences_matter(self, question: Question) -> None:
        """A common shift of all strengths, or of how sure we are of their level, changes no value."""
        mean, covariance = belief = posterior(6)
        groups = np.array(list(combinations(range(6), question.seats)))
        shifted = Posterior(mean + 5.0, covariance + 3.0)
        for method in ("a-optimal", "information-gain"):
            assert values(shifted, question, groups, method) == pytest.approx(values(belief, question, groups, method))


class TestChoose:
    @pytest.mark.parametrize("question", [Question(), Question(4, "pick")])
    @pytest.mark.parametrize("method", METHODS)
    def test_the_stated_probability_is_the_frequency(self, method: Method, question: Question) -> None:
        """Over every set that there is: the probabilities add up to one, and the draws follow them."""
        n = 4 if question.seats < 4 else 5
        exposure, count = np.array([3, 1, 2, 2, 2])[:n], 300
        rng = np.random.default_rng(8)
        belief = posterior(n)
        stated: dict[frozenset[int], float] = {}
        seen: Counter[frozenset[int]] = Counter()
        for _ in range(count):
            (choice,) = choose(belief, question, method=method, exposure=exposure, exploration=0.5, rng=rng)
            assert stated.setdefault(frozenset(choice.seats), choice.probability) == choice.probability
            seen[frozenset(choice.seats)] += 1
        sets = [frozenset(group) for group in combinations(range(n), question.seats)]
        assert sum(stated[group] for group in sets) == pytest.approx(1)
        expected = np.array([count * stated[group] for group in sets])
        square = ((np.array([seen[group] for group in sets]) - expected) ** 2 / expected).sum()
        assert chdtrc(len(sets) - 1, square) > 0.001

    @pytest.mark.parametrize("method", METHODS)
    @pytest.mark.parametrize("seats", [2, 4])
    def test_each_seat_is_equally_likely_and_nobody_meets_itself(self, method: Method, seats: int) -> None:
        question, rng = Question(seats, "duel" if seats == 2 else "pick"), np.random.default_rng(3)
        orders: Counter[tuple[int, ...]] = Counter()
        belief = posterior(5)
        for _ in range(480):
            (choice,) = choose(belief, question, method=method, rng=rng)
            assert len(set(choice.seats)) == seats
            orders[tuple(int(at) for at in np.argsort(choice.seats))] += 1
        found = np.array([orders[order] for order in permutations(range(seats))])
        expected = 480 / len(found)
        assert chdtrc(len(found) - 1, ((found - expected) ** 2 / expected).sum()) > 0.001

    def test_the_best_pair_is_chosen_and_explored_away_from_five_times_in_a_hundred(self) -> None:
        belief, rng = posterior(12), np.random.default_rng(4)
        pairs = np.array(list(combinations(range(12), 2)))
        best = frozenset(pairs[np.argmax(values(belief, Question(), pairs))].tolist())
        drawn = [choose(belief, Question(), rng=rng)[0] for _ in range(600)]
        hits = [choice for choice in drawn if frozenset(choice.seats) == best]
        assert {choice.probability for choice in hits} == {0.95 + 0.05 / 66}
        assert {choice.probability for choice in drawn if choice not in hits} == {0.05 / 66}
        assert 0.92 < len(hits) / 600 < 0.98

    def test_four_seats_extend_the_best_pair_one_by_one(self) -> None:
        belief, question = posterior(9), Question(4, "pick")
        group: tuple[int, ...] = ()
        for size in (2, 3, 4):
            options = [c for c in combinations(range(9), size) if set(group) <= set(c)]
            group = max(options, key=lambda c: float(values(belief, question, np.array([c]))[0]))
        (choice,) = choose(belief, question, exploration=0.0, rng=np.random.default_rng(0))
        assert set(choice.seats) == set(group)
        assert choice.probability == 1.0
        assert choice.value == pytest.approx(float(values(belief, question, np.array([group]))[0]))

    def test_a_batch_spreads(self) -> None:
        """Twelve duels among eight equals: no pair twice, everybody three times; without looking ahead all are one."""
        rng = np.random.default_rng(0)
        for method in ("a-optimal", "information-gain"):
            batch = choose(equals(8), Question(), count=12, method=method, exploration=0.0, rng=rng)
            assert len({frozenset(choice.seats) for choice in batch}) == 12
            assert set(Counter(code for choice in batch for code in choice.seats).values()) == {3}
        alone = [choose(equals(8), Question(), exploration=0.0, rng=rng)[0] for _ in range(12)]
        assert len({frozenset(choice.seats) for choice in alone}) == 1

    def test_a_newcomer_of_whom_nothing_is_known_is_asked_for(self) -> None:
        mean, covariance = np.zeros(10), 0.02 * np.eye(10)
        covariance[7, 7] = 1.0
        batch = choose(Posterior(mean, covariance), Question(), count=5, exploration=0.0, rng=np.random.default_rng(0))
        assert all(7 in choice.seats for choice in batch)

    def test_balanced_random_takes_the_least_seen_and_counts_on(self) -> None:
        rng, exposure = np.random.default_rng(0), np.array([5, 0, 2, 2, 2, 9])
        one, two = choose(
            equals(6), Question(), count=2, method="balanced-random", exposure=exposure, exploration=0.0, rng=rng
        )
        assert 1 in one.seats
        assert one.probability == pytest.approx(1 / 3)
        partner = next(code for code in one.seats if code != 1)
        assert 1 in two.seats
        assert partner not in two.seats
        assert two.probability == pytest.approx(1 / 2)
        assert exposure.tolist() == [5, 0, 2, 2, 2, 9]

    def test_only_the_allowed_are_shown(self) -> None:
        for method in METHODS:
            batch = choose(
                posterior(9), Question(), count=40, method=method, allowed=[1, 4, 6], rng=np.random.default_rng(0)
            )
            assert {code for choice in batch for code in choice.seats} == {1, 4, 6}

    def test_the_same_generator_gives_the_same_batch(self) -> None:
        for method in METHODS:
            runs = [
                choose(posterior(9), Question(4, "ranking"), count=5, method=method, rng=np.random.default_rng(7))
                for _ in range(2)
            ]
            assert runs[0] == runs[1]

    def test_strengths_a_million_apart_are_no_trouble(self) -> None:
        belief = Posterior(np.array([0.0, 1e6, -1e6, 1e6 + 0.1, 0.2]), np.eye(5))
        for question in QUESTIONS:
            (choice,) = choose(belief, question, exploration=0.0, rng=np.random.default_rng(0))
            assert np.isfinite(choice.value)
            assert {0, 4} <= set(choice.seats) or {1, 3} <= set(choice.seats)


class TestCosts:
    def test_of_equal_pairs_the_one_with_images_is_chosen(self) -> None:
        costs = Costs(gpu_seconds=3.0, voter_seconds=6.0, cached=frozenset({2, 5}))
        for question, cost in ((Question(), 6.0), (Question(4, "pick"), 12.0)):
            (choice,) = choose(equals(7), question, costs=costs, exploration=0.0, rng=np.random.default_rng(0))
            assert {2, 5} <= set(choice.seats)
            assert choice.cost == cost
            assert choice.value_per_second == choice.value / cost

    def test_costs_count_the_images_that_are_missing(self) -> None:
        costs = Costs(gpu_seconds=3.0, voter_seconds=6.0, cached=frozenset({2, 50}))
        assert costs.of(np.array([[0, 1], [0, 2], [2, 50]])).tolist() == [12.0, 9.0, 6.0]

    def test_a_more_valuable_pair_is_worth_a_higher_price_up_to_a_point(self) -> None:
        """Pair 0-1 is worth more than the cached 2-3: it is taken while rendering is cheap."""
        belief = Posterior(np.array([0.0, 0.0, 9.0, 9.0]), np.diag([1.0, 1.0, 0.6, 0.6]))
        worth = values(belief, Question(), np.array([[0, 1], [2, 3]]))
        assert worth[0] > worth[1]
        break_even = (worth[0] / worth[1] - 1) / 2
        for gpu_seconds, expected in ((0.9 * break_even, {0, 1}), (1.1 * break_even, {2, 3})):
            costs = Costs(gpu_seconds, 1.0, frozenset({2, 3}))
            (choice,) = choose(belief, Question(), costs=costs, exploration=0.0, rng=np.random.default_rng(0))
            assert set(choice.seats) == expected


def test_a_plan_knows_the_probability_of_every_set() -> None:
    plan = Plan(certain=(4,), rest=(0, 2, 3), allowed=(0, 1, 2, 3, 4), seats=3, exploration=0.2)
    sets = list(combinations(range(5), 3))
    assert sum(plan.probability(group) for group in sets) == pytest.approx(1)
    assert plan.probability((2, 4, 0)) == pytest.approx(0.8 / 3 + 0.02)
    assert plan.probability((0, 2, 3)) == pytest.approx(0.02)
    assert plan.probability((1, 2, 4)) == pytest.approx(0.02)
    assert plan.probability((0, 4, 5)) == 0
    assert plan.probability((0, 4, 4)) == 0


@pytest.mark.parametrize(
    ("belief", "question", "rest", "text"),
    [
        (equals(3), Question(4, "pick"), {}, "3 allowed contestants for 4 seats"),
        (equals(3), Question(), {"allowed": [1]}, "1 allowed"),
        (equals(3), Question(), {"allowed": [1, 3]}, "out of 3"),
        (equals(3), Question(3), {}, "duels and draws take two"),
        (equals(3), Question(1), {}, "1 seats"),
        (equals(3), Question(2, "duel", 0.1), {}, "unless draws"),
        (equals(3), Question(2, "draws", -0.1), {}, "unless draws"),
        (equals(3), Question(), {"exploration": 1.1}, "exploration"),
        (equals(3), Question(), {"costs": Costs(voter_seconds=0.0)}, "voter_seconds"),
        (Posterior(np.array([0.0, np.nan]), np.eye(2)), Question(), {}, "finite"),
        (Posterior(np.zeros(2), np.eye(3)), Question(), {}, r"\(2, 2\)"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    belief: Posterior, question: Question, rest: dict[str, object], text: str
) -> None:
    with pytest.raises(MatchupError, match=text):
        choose(belief, question, rng=np.random.default_rng(0), **rest)  # type: ignore[arg-type]
