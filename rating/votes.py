"""Many votes as arrays: what every engine of this package computes on."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rating.game import Game
from rating.ids import Ids
from rating.outcomes import Kind, Outcome

KINDS: tuple[Kind, ...] = ("pick", "draw", "ranking", "bad", "skip")
PICK, DRAW, RANKING, BAD, SKIP = range(5)
NOBODY = -1


@dataclass(frozen=True, eq=False)
class Votes:
    """N votes on up to S seats, in the order of the log. A name is a code: its place in one of the tuples of names.

    `contestants` is sorted and may name some that have no vote. `seats` (N, S) int32 holds the contestant shown in each
    seat, -1 beyond the seats a vote has. `ranks` (N, S) int16 holds 0 for the best, without gaps, and -1 where `seats`
    is -1 or the vote compares nobody. `kinds` (N,) int8 indexes KINDS. `poll`, `prompt` and `voter` (N,) int32 are
    codes, -1 where the prompt or the voter is unknown. `times` (N,) float64 is in seconds since 1970.
    `ids` names the votes; `extra` keeps the other columns of a file, each of length N.
    """

    contestants: tuple[str, ...]
    polls: tuple[str, ...]
    prompts: tuple[str, ...]
    voters: tuple[str, ...]
    seats: NDArray[np.int32]
    ranks: NDArray[np.int16]
    kinds: NDArray[np.int8]
    poll: NDArray[np.int32]
    prompt: NDArray[np.int32]
    voter: NDArray[np.int32]
    times: NDArray[np.float64]
    ids: Sequence[str] = ()
    extra: dict[str, list[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.kinds)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """(N,) whether a vote compares contestants: not all bad, not skipped."""
        return self.kinds <= RANKING

    @property
    def sizes(self) -> NDArray[np.intp]:
        """(N,) how many seats each vote has."""
        total = np.zeros(len(self), np.intp)
        for column in self.seats.T:  # several times as fast as along the rows
            total += column >= 0
        return total

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.intp]) -> "Votes":
        """The votes under a mask or in the given places, in that order; the names stay, so codes keep their meaning."""
        places = np.flatnonzero(chosen) if chosen.dtype == bool else chosen.astype(np.intp, copy=False)
        arrays = {
            name: getattr(self, name)[places]
            for name in ("seats", "ranks", "kinds", "poll", "prompt", "voter", "times")
        }
        ids: Sequence[str] = ()
        if len(self.ids):
            ids = self.ids.take(places) if isinstance(self.ids, Ids) else [self.ids[place] for place in places]
        extra = {name: [column[place] for place in places] for name, column in self.extra.items()}
        return replace(self, **arrays, ids=ids, extra=extra)

    def among(self, names: Collection[str]) -> "Votes":
        """The votes that seat nobody but these contestants."""
        codes = [code for code, name in enumerate(self.contestants) if name in names]
        return self.take(np.all(np.isin(self.seats, codes) | (self.seats < 0), axis=1))

    def span(self, start: int, stop: int) -> "Votes":
        """The votes from place `start` to before `stop`, bare of ids and other columns; nothing is copied."""
        names = ("seats", "ranks", "kinds", "poll", "prompt", "voter", "times")
        return replace(self, **{name: getattr(self, name)[start:stop] for name in names}, ids=(), extra={})

    def games(self) -> Iterator[Game]:
        """The counted votes, one by one."""
        for at in np.flatnonzero(self.counted):
            seated = self.seats[at] >= 0
            ranks = tuple(self.ranks[at, seated].tolist())
            yield Game(
                seats=tuple(self.contestants[code] for code in self.seats[at, seated]),
                outcome=Outcome(KINDS[self.kinds[at]], ranks),
                poll=self.polls[self.poll[at]],
                time=float(self.times[at]),
                voter=self.voters[self.voter[at]] if self.voter[at] >= 0 else "",
                prompt=self.prompts[self.prompt[at]] if self.prompt[at] >= 0 else "",
            )


def by_appearance(votes: Votes) -> Votes:
    """The same votes with all names but the polls' numbered in the order in which the counted votes show them first.

    What is computed by code, in sums and random draws, then has the same bits whatever the names are; polls are in the
    order of their names. Names that no counted vote shows come last. `contestants` is then no longer sorted.
    """
    counted = votes.take(votes.counted)
    polls, poll = _recoded(votes.polls, votes.poll, sorted(votes.polls))
    columns: dict[str, tuple[tuple[str, ...], NDArray[np.int32]]] = {}
    for many, one in (("contestants", "seats"), ("prompts", "prompt"), ("voters", "voter")):
        names: tuple[str, ...] = getattr(votes, many)
        shown, first = np.unique(getattr(counted, one), return_index=True)
        order = [names[code] for code in shown[np.argsort(first)] if code >= 0]
        columns[many] = _recoded(names, getattr(votes, one), [*order, *sorted(set(names) - set(order))])
    return replace(
        votes,
        contestants=columns["contestants"][0],
        seats=columns["contestants"][1],
        prompts=columns["prompts"][0],
        prompt=columns["prompts"][1],
        voters=columns["voters"][0],
        voter=columns["voters"][1],
        polls=polls,
        poll=poll,
    )


def _recoded(
    names: tuple[str, ...], codes: NDArray[np.int32], order: list[str]
) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The names in this order, and the codes that go with it."""
    place = {name: at for at, name in enumerate(order)}
    table = np.array([*(place[name] for name in names), NOBODY], dtype=np.int32)
    return tuple(order), table[codes]


def votes_of(games: Sequence[Game]) -> Votes:
    """The games as arrays, in their order."""
    contestants, seated = _coded([seat for game in games for seat in game.seats])
    polls, poll = _coded([game.poll for game in games])
    prompts, prompt = _coded([game.prompt for game in games])
    voters, voter = _coded([game.voter for game in games])
    sizes = np.array([len(game.seats) for game in games], dtype=np.intp)
    taken = np.arange(sizes.max(initial=0)) < sizes[:, None]
    seats, ranks = np.full(taken.shape, NOBODY, np.int32), np.full(taken.shape, NOBODY, np.int16)
    seats[taken] = seated
    ranks[taken] = [rank for game in games for rank in game.outcome.ranks]
    return Votes(
        contestants=contestants,
        polls=polls,
        prompts=prompts,
        voters=voters,
        seats=seats,
        ranks=ranks,
        kinds=np.array([KINDS.index(game.outcome.kind) for game in games], dtype=np.int8),
        poll=poll,
        prompt=prompt,
        voter=voter,
        times=np.array([game.time for game in games], dtype=np.float64),
    )


def _coded(texts: list[str]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The names in sorted order and the code of each text; an empty text is nobody."""
    names = tuple(sorted(set(texts) - {""}))
    code = {name: at for at, name in enumerate(names)} | {"": NOBODY}
    return names, np.array([code[text] for text in texts], dtype=np.int32)
