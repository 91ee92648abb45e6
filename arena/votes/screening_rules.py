"""What the votes of one voter look like beside everybody's: pure numbers, no database. docs/screening.md explains.

Every vote is taken as a choice of one among its seats. A rule weighs the voter's choices under two stories, an honest
voter's and a careless one's; the honest story is told generously, so that its product of odds is an e-value: an honest
voter's exceeds 1/a with probability at most a, however often one looks (Ville's inequality).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.special import bdtrc, expit, logit

from rating.votes import Votes

VERSION = "1"
SIDE_TOLERANCE = 0.1  # an honest voter may like a seat this much more often than its even share
SIDE_ALARM, SIDE_CERTAIN = 1e-4, 1e-8
OTHERS = 5  # voters besides this one who must have compared two contestants
INFORMATIVE = 30  # votes with a clear consensus before a voter is called random
CLEAR = 0.1  # a consensus is clear when its favourite has this much more than an even share
HONEST_SHARE = 0.75  # of the others' clearness that an honest voter may show
FAN_SHARE = 0.95  # how often a fan picks its own
FAN_TOLERANCE = 0.5  # nat by which an honest voter may prefer one side to what others see in it
CONSENSUS_ALARM, CONSENSUS_CERTAIN = 0.005, 1e-6
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a rule holds against a voter. `certain` findings exclude, others leave the votes unverified."""

    rule: str
    certain: bool
    numbers: str
    evidence: float = field(default=0.0, compare=False)

    @property
    def reason(self) -> str:
        """As stored with each vote: the rule, its version and its numbers."""
        return f"{self.rule}/{VERSION}: {self.numbers}"


@dataclass(frozen=True, eq=False)
class Choices:
    """M votes that name one best: who chose (M,), the contestants (M, S), -1 in empty seats, and the seat (M,)."""

    voter: NDArray[np.int32]
    seats: NDArray[np.int32]
    seat: NDArray[np.intp]

    def of(self, voter: int) -> "Choices":
        """Those of one voter."""
        own = self.voter == voter
        return Choices(self.voter[own], self.seats[own], self.seat[own])

    @property
    def chosen(self) -> NDArray[np.int32]:
        """(M,) the contestants chosen."""
        return self.seats[np.arange(len(self.seat)), self.seat]

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(M,) how many seats each vote has."""
        return np.asarray(np.count_nonzero(self.seats >= 0, axis=1))


def choices_of(votes: Votes) -> Choices:
    """The votes with one best contestant and a known voter; draws, ties for the first place, bad and skips are not."""
    best = votes.ranks == 0 if len(votes) else np.empty((0, 1), dtype=bool)
    kept = (best.sum(axis=1) == 1) & votes.counted & (votes.voter >= 0)
    return Choices(votes.voter[kept], votes.seats[kept], best[kept].argmax(axis=1))


class Consensus:
    """How often each contestant is preferred to each other one, one voter one voice, and without any one voter."""

    def __init__(self, choices: Choices, contestants: int, trusted: NDArray[np.bool_]) -> None:
        """Count the choices among that many contestants; only the voters in `trusted` (by code) are heard."""
        self._size = contestants
        self._trusted = trusted
        self._own = {int(voter): self._voice(choices.of(voter)) for voter in np.unique(choices.voter)}
        heard = [voice for voter, voice in self._own.items() if trusted[voter]]
        blank = np.zeros((contestants, contestants))
        self._sum = sum((share for share, _ in heard), start=blank)
        self._voices = sum((spoke for _, spoke in heard), start=blank)

    def without(self, voter: int) -> tuple[Floats, NDArray[np.bool_]]:
        """(n, n) the share of the others who prefer row to column, shrunk towards 1/2, and where enough have spoken."""
        share, voices = self._sum, self._voices
        if self._trusted[voter]:
            own_share, own_spoke = self._own[voter]
            share, voices = share - own_share, voices - own_spoke
        known = voices >= OTHERS
        np.fill_diagonal(known, True)
        return (share + 1) / (voices + 2), known

    def _voice(self, choices: Choices) -> tuple[Floats, Floats]:
        """(n, n) a voter's own shares, 0 where it never compared the two, and whether it did."""
        wins = np.zeros((self._size, self._size))
        losers = choices.seats.copy()
        losers[np.arange(len(losers)), choices.seat] = -1
        at, seat = np.nonzero(losers >= 0)
        np.add.at(wins, (choices.chosen[at], losers[at, seat]), 1.0)
        games = wins + wins.T
        return np.divide(wins, games, out=np.zeros_like(wins), where=games > 0), (games > 0).astype(float)


def expected(seats: NDArray[np.int32], share: Floats, known: NDArray[np.bool_]) -> tuple[Floats, NDArray[np.bool_]]:
    """(M, S) how probably the others would choose each seat, and (M,) whether all its pairs are known.

    From pairs to four seats by Plackett and Luce: 1 / P(i) = sum over j of share(j, i) / share(i, j).
    """
    filled = seats >= 0
    row, column = seats[:, :, None], seats[:, None, :]
    both = filled[:, :, None] & filled[:, None, :]
    odds = np.where(both, share[column, row] / share[row, column], 0.0)
    odds[:, np.arange(seats.shape[1]), np.arange(seats.shape[1])] = 1.0
    probability = np.where(filled, 1 / odds.sum(axis=2), 0.0)
    return probability / probability.sum(axis=1, keepdims=True), (known[row, column] | ~both).all(axis=(1, 2))


def one_sided(choices: Choices) -> Finding | None:
    """Whether one voter chooses the same seat whoever sits there: exact binomial tail, every number of seats apart."""
    for size in np.unique(choices.sizes):
        seats = choices.seat[choices.sizes == size]
        counts = np.bincount(seats, minlength=size)
        most = int(counts.argmax())
        tail = size * bdtrc(counts[most] - 1, len(seats), 1 / size + SIDE_TOLERANCE) if counts[most] else 1.0
        if tail < SIDE_ALARM:
            numbers = f"seat {most + 1} of {size} in {counts[most]} of {len(seats)} choices, p={tail:.1e}"
            return Finding("one-sided", bool(tail < SIDE_CERTAIN), numbers)
    return None


def random(choices: Choices, probability: Floats) -> Finding | None:
    """Whether one voter's choices, with what the others would choose, fit a die better than a careful eye."""
    even = 1 / choices.sizes
    clear = probability.max(axis=1) >= even + CLEAR
    if np.count_nonzero(clear) < INFORMATIVE:
        return None
    picked = probability[np.arange(len(even)), choices.seat]
    honest = even + HONEST_SHARE * (picked - even)
    evidence = np.log(even / honest)[clear].sum()
    agreed = np.count_nonzero((picked == probability.max(axis=1))[clear])
    numbers = f"the others' favourite in {agreed} of {np.count_nonzero(clear)} clear choices, evidence {evidence:.1f}"
    return judged("random", evidence, 1, numbers)


def fan(choices: Choices, probability: Floats, camps: Mapping[str, NDArray[np.bool_]]) -> Finding | None:
    """Whether one voter stands by one camp (a contestant or a run, as a mask over contestants) against the others."""
    found: list[tuple[float, str]] = []
    for name, members in camps.items():
        inside = np.where(choices.seats >= 0, members[choices.seats], False)
        share = np.where(inside, probability, 0.0).sum(axis=1)
        mixed = (inside.any(axis=1)) & (inside.sum(axis=1) < choices.sizes)
        if not mixed.any():
            continue
        honest = np.minimum(expit(logit(share[mixed]) + FAN_TOLERANCE), FAN_SHARE)
        picked = members[choices.chosen][mixed]
        evidence = np.where(picked, np.log(FAN_SHARE / honest), np.log((1 - FAN_SHARE) / (1 - honest))).sum()
        wanted = share[mixed].sum()
        numbers = f"{name} in {picked.sum()} of {len(picked)} choices, the others {wanted:.0f}, evidence {evidence:.1f}"
        found.append((float(evidence), numbers))
    return judged("fan", *max(found)[:1], len(camps), max(found)[1]) if found else None


def judged(rule: str, evidence: float, tries: int, numbers: str) -> Finding | None:
    """A finding if the log of the e-value is beyond the threshold for that many tries."""
    if evidence < np.log(tries / CONSENSUS_ALARM):
        return None
    return Finding(rule, bool(evidence > np.log(tries / CONSENSUS_CERTAIN)), numbers, float(evidence))


def screen(votes: Votes, runs: Sequence[str]) -> dict[str, Finding]:
    """What stands against whom, by voter; `runs` names the run of each contestant.

    Twice: the second time, those found the first time are not heard as others.
    """
    choices = choices_of(votes)
    camps = camps_of(votes.contestants, runs)
    trusted = np.ones(len(votes.voters), dtype=bool)
    findings: dict[int, Finding] = {}
    for _ in range(2):
        consensus = Consensus(choices, len(votes.contestants), trusted)
        findings = {}
        for voter in np.unique(choices.voter):
            finding = screen_voter(choices.of(voter), consensus, int(voter), camps)
            if finding:
                findings[int(voter)] = finding
        trusted = np.ones(len(votes.voters), dtype=bool)
        trusted[list(findings)] = False
    return {votes.voters[voter]: finding for voter, finding in findings.items()}


def screen_voter(
    own: Choices, consensus: Consensus, voter: int, camps: Mapping[str, NDArray[np.bool_]]
) -> Finding | None:
    """What fits this voter best of that which the rules hold against it."""
    side = one_sided(own)
    if side:
        return side
    probability, known = expected(own.seats, *consensus.without(voter))
    heard = Choices(own.voter[known], own.seats[known], own.seat[known])
    found = fan(heard, probability[known], camps), random(heard, probability[known])
    return max(filter(None, found), key=lambda finding: finding.evidence, default=None)


def camps_of(contestants: Sequence[str], runs: Sequence[str]) -> dict[str, NDArray[np.bool_]]:
    """Whom a fan may stand by: each contestant, and each run with more than one but not all of them."""
    names = np.asarray(contestants)
    camps = {f"contestant {name}": names == name for name in contestants}
    for run in sorted(set(runs)):
        members = np.asarray(runs) == run
        if 1 < members.sum() < len(names):
            camps[f"run {run}"] = members
    return camps
