"""Draws votes from a world whose strengths are known, to check what the engines make of them (docs/simulation.md)."""

from dataclasses import dataclass, replace
from itertools import combinations
from math import comb
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from rating.errors import WorldError
from rating.joint import JointFit
from rating.stages import tie_name
from rating.votes import BAD, DRAW, NOBODY, PICK, RANKING, SKIP, Votes

Answer = Literal["duel", "draws", "pick", "ranking"]
Noise = Literal["logistic", "normal"]
Floats = NDArray[np.float64]
MAX_ALTERNATIVES = 1000
CERTAIN = 40.0  # log nu of a poll that always drew
LAST = -1e300  # an empty seat comes after everybody


@dataclass(frozen=True)
class PollRules:
    """How one poll asks: its seats and what may be answered.

    "duel": one of two is picked. "draws": one of two, or a draw. "pick": the best of several. "ranking": all in order.
    `tie` >= 0 makes draws and ties in rankings: Davidson's nu in a logistic world (1 = two equals draw every third
    time), the margin in nat within which performances draw in a normal one. `larger_ties` are the nu of ties of three,
    four, …, which do not occur without one. `left` (nat) is added to the utility of the first seat. `bad` and `skip`
    are the shares of votes that call all bad or decline; `share` weighs the poll among the others.
    """

    name: str
    seats: int = 2
    answer: Answer = "duel"
    tie: float = 0.0
    larger_ties: tuple[float, ...] = ()
    left: float = 0.0
    bad: float = 0.0
    skip: float = 0.0
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.seats < 2 or (self.seats > 2 and self.answer in ("duel", "draws")):
            raise WorldError(f"poll {self.name!r}: {self.answer} with {self.seats} seats; duels and draws take two")
        if any(self.ties) and self.answer not in ("draws", "ranking"):
            raise WorldError(f"poll {self.name!r}: {self.answer} knows no ties, yet they have a weight")
        if min(*self.ties, self.bad, self.skip) < 0 or self.bad + self.skip > 1 or not self.share > 0:
            raise WorldError(f"poll {self.name!r}: ties, bad, skip must be >= 0, bad + skip <= 1, share > 0")

    @property
    def ties(self) -> tuple[float, ...]:
        """The nu of ties of two, three, …"""
        return (self.tie, *self.larger_ties)


@dataclass(frozen=True, eq=False)
class World:
    """Contestants of known strength (n,), in nat, and the voters and prompts that votes on them come from.

    A vote's utility of a contestant is its strength, plus the voter's own taste for it, N(0, taste^2), plus the
    prompt's effect on it, N(0, effect^2), plus the left bonus. "logistic" noise is Gumbel: the answers follow
    Bradley-Terry, Davidson and Plackett-Luce. "normal" noise is N(0, beta^2) on each performance, as in TrueSkill.
    With 0 voters (or prompts) votes name none, and each has a taste (effect) of its own. `activity` is the exponent of
    the Pareto law of how much a voter votes; inf makes all alike.
    """

    contestants: tuple[str, ...]
    strengths: Floats
    polls: tuple[PollRules, ...] = (PollRules("duel"),)
    voters: int = 0
    taste: float = 0.0
    activity: float = 1.5
    prompts: int = 0
    effect: float = 0.0
    noise: Noise = "logistic"
    beta: float = 1.0

    def __post_init__(self) -> None:
        names = [poll.name for poll in self.polls]
        if list(self.contestants) != sorted(set(self.contestants)) or names != sorted(set(names)) or not names:
            raise WorldError("name the contestants and the polls once each, in sorted order, and at least one poll")
        if np.shape(self.strengths) != (len(self.contestants),) or not np.isfinite(self.strengths).all():
            raise WorldError("give one finite strength for each contestant")
        if max(poll.seats for poll in self.polls) > len(self.contestants):
            raise WorldError("a poll has more seats than there are contestants")


def named(count: int, stem: str = "contestant") -> tuple[str, ...]:
    """That many names, in sorted order: contestant-00, contestant-01, …"""
    width = len(str(max(count - 1, 0)))
    return tuple(f"{stem}-{at:0{width}d}" for at in range(count))


def simulate(world: World, count: int, rng: np.random.Generator) -> Votes:
    """`count` votes of a world: uniformly random matchups, polls by their share, voters by their activity."""
    return answers(world, design(world, count, rng), rng)


def design(world: World, count: int, rng: np.random.Generator) -> Votes:
    """What is asked, whom, and which votes will be bad or skipped; nothing compared yet (all ranks -1)."""
    shares = np.array([poll.share for poll in world.polls])
    poll = rng.choice(len(world.polls), size=count, p=shares / shares.sum()).astype(np.int32)
    sizes = np.array([rules.seats for rules in world.polls])[poll]
    seats = _distinct(len(world.contestants), int(sizes.max(initial=0)), count, rng)
    seats[np.arange(seats.shape[1]) >= sizes[:, None]] = NOBODY
    place = rng.random(count)
    bad, skip = (np.array([getattr(rules, name) for rules in world.polls])[poll] for name in ("bad", "skip"))
    kind = np.array([RANKING if rules.answer == "ranking" else PICK for rules in world.polls])[poll]
    return Votes(
        contestants=world.contestants,
        polls=tuple(rules.name for rules in world.polls),
        prompts=named(world.prompts, "prompt"),
        voters=named(world.voters, "voter"),
        seats=seats,
        ranks=np.full(seats.shape, NOBODY, np.int16),
        kinds=np.select([place < bad, place < bad + skip], [BAD, SKIP], kind).astype(np.int8),
        poll=poll,
        prompt=_someone(np.ones(world.prompts), count, rng),
        voter=_someone(_activities(world, rng), count, rng),
        times=np.arange(count, dtype=np.float64),
    )


def answers(world: World, asked: Votes, rng: np.random.Generator) -> Votes:
    """The same seats, voters, prompts and polls with outcomes drawn anew; bad and skipped votes stay what they are.

    On more than two seats a vote that `asked` has as a pick is a pick, any other a ranking. Raises WorldError where the
    world has other contestants or lacks a poll, or where ties make more than MAX_ALTERNATIVES of one choice.
    """
    rules = {poll.name: poll for poll in world.polls}
    missing = sorted({asked.polls[code] for code in np.unique(asked.poll)} - set(rules))
    if asked.contestants != world.contestants:
        raise WorldError("the world does not fit the votes: other names of contestants")
    if missing:
        raise WorldError(f"the world does not fit the votes: no poll {missing[0]!r}")
    utility = _utilities(world, asked, rng)
    ranks, kinds = np.full(asked.seats.shape, NOBODY, np.int16), asked.kinds.copy()
    for code, name in enumerate(asked.polls):
        here = asked.counted & (asked.poll == code)
        picked = here & (asked.kinds == PICK) & (asked.sizes > 2)
        ordered = np.flatnonzero(here & ~picked)
        ranks[picked] = _picks(world, utility[picked], rng)
        ranks[ordered] = _rankings(world, utility[ordered], rules[name].ties, rng)
        kinds[ordered] = RANKING if rules[name].answer == "ranking" else PICK
        kinds[ordered[ranks[ordered].max(axis=1, initial=0) == 0]] = DRAW
    return replace(asked, ranks=ranks, kinds=kinds)


def fitted_world(fit: JointFit, votes: Votes) -> World:
    """The world of a joint fit to these votes: `answers(fitted_world(fit, votes), votes, rng)` draws them anew.

    Contestants that took no part have strength 0. Raises WorldError for ties that are not Davidson's.
    """
    if any(name.startswith("margin:") for name in (*fit.terms, *fit.left_out)):
        raise WorldError("votes are drawn anew from Davidson's draws; fit with ties='davidson'")
    term = {name: CERTAIN for name in fit.left_out if name.startswith("tie")}
    term |= {name: float(fit.estimate[place]) for name, place in fit.terms.items()}
    sizes, polls = votes.sizes, []
    for code, name in enumerate(votes.polls):
        here = votes.poll == code
        polls.append(_fitted_rules(name, int(sizes[here].max(initial=2)), set(votes.kinds[here].tolist()), term))
    return World(votes.contestants, np.nan_to_num(fit.estimate[: len(votes.contestants)]), tuple(polls))


def _fitted_rules(name: str, seats: int, kinds: set[int], term: dict[str, float]) -> PollRules:
    ties = [float(np.exp(term.get(tie_name(name, size), -np.inf))) for size in range(2, seats + 1)]
    picks: Answer = "pick" if seats > 2 else "draws" if any(ties) else "duel"
    answer: Answer = "ranking" if RANKING in kinds or (seats > 2 and DRAW in kinds) else picks
    return PollRules(name, seats, answer, ties[0], tuple(ties[1:]), term.get(f"left:{name}", 0.0))


def _distinct(n: int, seats: int, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """(count, seats) codes below n, none twice in a row of it, every order equally likely."""
    drawn = np.empty((count, seats), np.int32)
    for seat in range(seats):
        code = rng.integers(n - seat, size=count, dtype=np.int32)
        for earlier in np.sort(drawn[:, :seat], axis=1).T:
            code += code >= earlier
        drawn[:, seat] = code
    return drawn


def _activities(world: World, rng: np.random.Generator) -> Floats:
    """(voters,) how much each votes: Pareto with this exponent, at least 1."""
    if not np.isfinite(world.activity):
        return np.ones(world.voters)
    return 1.0 + rng.pareto(world.activity, world.voters)


def _someone(weights: Floats, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """(count,) codes drawn by weight; nobody where there are none."""
    if not len(weights):
        return np.full(count, NOBODY, np.int32)
    return rng.choice(len(weights), size=count, p=weights / weights.sum()).astype(np.int32)


def _utilities(world: World, votes: Votes, rng: np.random.Generator) -> Floats:
    """(N, S) what each vote's contestants are worth to this voter on this prompt in this seat; -inf in empty seats."""
    utility = np.asarray(world.strengths, np.float64)[votes.seats]
    for sd, group, names in ((world.taste, votes.voter, votes.voters), (world.effect, votes.prompt, votes.prompts)):
        if sd:
            shared = rng.normal(0.0, sd, (len(names), len(world.contestants)))
            own = rng.normal(0.0, sd, utility.shape)
            known = group >= 0
            own[known] = shared[group[known, None], votes.seats[known]]
            utility += own
    left = {poll.name: poll.left for poll in world.polls}
    utility[:, 0] += np.array([left.get(name, 0.0) for name in votes.polls])[votes.poll]
    utility[votes.seats < 0] = -np.inf
    return utility


def _performances(world: World, utility: Floats, rng: np.random.Generator) -> Floats:
    if world.noise == "normal":
        return utility + rng.normal(0.0, world.beta, utility.shape)
    return utility + rng.gumbel(size=utility.shape)


def _picks(world: World, utility: Floats, rng: np.random.Generator) -> NDArray[np.int16]:
    """(N, S) ranks, 0 for the winner and 1 for the others."""
    best = _performances(world, utility, rng).argmax(axis=1)
    ranks = (np.arange(utility.shape[1]) != best[:, None]).astype(np.int16)
    return np.where(np.isfinite(utility), ranks, np.int16(NOBODY))


def _rankings(world: World, utility: Floats, ties: tuple[float, ...], rng: np.random.Generator) -> NDArray[np.int16]:
    """(N, S) ranks without gaps, -1 in empty seats."""
    if any(ties) and world.noise == "logistic":
        return _stagewise(utility, ties, rng)
    performance = np.where(np.isfinite(utility), _performances(world, utility, rng), LAST)
    order = np.argsort(-performance, axis=1)
    gaps = -np.diff(np.take_along_axis(performance, order, axis=1), axis=1)
    # TrueSkill's chain: neighbours in the order tie when they are closer than the margin.
    tiers = np.concatenate([np.zeros((len(order), 1)), (gaps > ties[0]).cumsum(axis=1)], axis=1)
    ranks = np.empty(utility.shape, np.int16)
    np.put_along_axis(ranks, order, tiers.astype(np.int16), axis=1)
    return np.where(np.isfinite(utility), ranks, np.int16(NOBODY))


def _stagewise(utility: Floats, ties: tuple[float, ...], rng: np.random.Generator) -> NDArray[np.int16]:
    """Davidson's law in stages (Firth, Kosmidis & Turner 2019, section 2): who is best among those that are left.

    A single seat i is so with weight exp(u_i), a tied group of D >= 2 with weight nu_D * exp(mean u of the group).
    On two seats this is Davidson (1970).
    """
    seats = utility.shape[1]
    log_nu = {size: np.log(nu) for size, nu in enumerate((1.0, *ties), 1) if nu > 0 and size <= seats}
    if sum(comb(seats, size) for size in log_nu) > MAX_ALTERNATIVES:
        raise WorldError(f"ties among {seats} seats make more than {MAX_ALTERNATIVES} alternatives")
    groups = [group for size in log_nu for group in combinations(range(seats), size)]
    member = np.array([[seat in group for seat in range(seats)] for group in groups])
    filled = np.isfinite(utility)
    mean = np.where(filled, utility, 0.0) @ (member / member.sum(axis=1, keepdims=True)).T
    weight = mean + np.array([log_nu[len(group)] for group in groups])
    ranks, left = np.full(utility.shape, NOBODY, np.int16), filled.copy()
    for stage in range(seats):
        open_groups = ~((~left).astype(np.int8) @ member.T.astype(np.int8)).astype(bool)
        noisy = np.where(open_groups, weight + rng.gumbel(size=weight.shape), -np.inf)
        best = member[noisy.argmax(axis=1)] & left
        ranks[best] = stage
        left &= ~best
    return ranks
