"""The board of character similarity, which needs no votes: how near images come to the characters' references."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import numpy as np
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from numpy.typing import NDArray

from arena.evaluations.models import CharacterScore, CheckpointScore
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.heading import Head
from arena.leaderboard.log import content_names
from arena.leaderboard.models import Standing
from arena.leaderboard.rows import Row, rows_of
from arena.votes.models import Voter
from rating import student
from rating.ranks import best_probability, ranges_of, separations
from rating.settling import DRAWS, LEVEL, SEED

Measured = tuple[int, int, float | None, float | None, float | None]
"""Contestant, images, difference, and its interval."""


@dataclass(frozen=True, eq=False)
class Pairing:
    """Complete scores held against each other character by character: what makes a character hard is the same for all,
    and leaves the difference of two (docs/ccip.md, “How sure”).

    `at` is the place of each contestant in `covariance` (n, n), that of the means over characters; `dof` one less than
    there are characters.
    """

    at: dict[int, int]
    covariance: NDArray[np.float64]
    dof: int

    def error_of(self, one: int, other: int) -> float | None:
        """Half of the 95 % interval of the paired difference; None where a score is incomplete."""
        if not {one, other} <= self.at.keys():
            return None
        weights = np.zeros(len(self.covariance))
        weights[self.at[one]], weights[self.at[other]] = 1.0, -1.0
        variance = max(0.0, float(weights @ self.covariance @ weights))
        return float(student.quantile(0.5 + LEVEL / 2, self.dof) * variance**0.5)


def score_board(
    poll: str | None, population: str, cut: str, as_of: datetime | None, now: datetime
) -> tuple[Head, list[Row]]:
    """Contestants by the mean difference of their images to the references, the least first.

    Of the scores by one encoder on one suite, that of the newest complete score (at `as_of`). The slice
    `character=NAME` takes that character's part. Incomplete scores come last, provisional and without a rank: what they
    lack may be what is hard. Raises UnknownBoardError for what only votes have.
    """
    if poll is not None or population != Voter.Population.PEOPLE:
        raise UnknownBoardError("the metric 'ccip' has no votes: ask for it without a poll and a population")
    if cut and not cut.startswith("character="):
        raise UnknownBoardError(f"the metric 'ccip' has no slice {cut!r}; known: character=NAME")
    scores = CheckpointScore.objects.filter(measured_at__lte=as_of or now).current()
    incomplete = set(scores.filter(missing__gt=0).values_list("contestant_id", flat=True))
    pairing = None if cut else _pairing(scores)
    placed, shown = _placed(list(_measured(scores, cut)), incomplete, pairing)
    rows = rows_of(placed, shown, incomplete, {}, pairing.error_of if pairing else None)
    return _head(scores, cut, placed, as_of, now), rows


def _measured(scores: Any, cut: str) -> Any:
    """(contestant, images, difference, low, high) of each."""
    if not cut:
        return scores.values_list("contestant_id", "images", "difference", "difference_low", "difference_high")
    parts = CharacterScore.objects.filter(score__in=scores, character__name=cut.partition("=")[2])
    return [(*part, None, None) for part in parts.values_list("score__contestant_id", "images", "difference")]


def _pairing(scores: Any) -> Pairing | None:
    """Of the complete scores; None for fewer than two characters."""
    parts = CharacterScore.objects.filter(score__in=scores.filter(missing=0)).order_by("score_id", "character_id")
    by_contestant: dict[int, list[float]] = {}
    for contestant, difference in parts.values_list("score__contestant_id", "difference"):
        by_contestant.setdefault(contestant, []).append(difference)
    table = np.array(list(by_contestant.values()), np.float64)
    if table.size == 0 or table.shape[1] < 2:
        return None
    characters = table.shape[1]
    at = {contestant: place for place, contestant in enumerate(by_contestant)}
    return Pairing(at, np.atleast_2d(np.cov(table)) / characters, characters - 1)


def _placed(
    measured: list[Measured], incomplete: set[int], pairing: Pairing | None
) -> tuple[list[Standing], dict[int, int]]:
    """The standings, nearest first, then the incomplete ones; and how many images of each were measured."""
    known = sorted(
        (row for row in measured if row[2] is not None), key=lambda row: (row[0] in incomplete, row[2], row[0])
    )
    placed = [
        Standing(contestant_id=key, value=difference, low=low, high=high) for key, _, difference, low, high in known
    ]
    if pairing is not None:
        _rank([row for row in placed if row.contestant_id in pairing.at], pairing)
    missing = [Standing(contestant_id=row[0]) for row in measured if row[2] is None]
    return [*placed, *missing], {row[0]: row[1] for row in measured}


def _rank(placed: list[Standing], pairing: Pairing) -> None:
    """Ranks that hold for all pairs at once, and who is the nearest of all."""
    places = [pairing.at[row.contestant_id] for row in placed]
    covariance = pairing.covariance[np.ix_(places, places)]
    nearness = np.array([-row.value for row in placed], np.float64)
    rng = np.random.default_rng(SEED)
    separated = separations(nearness, covariance, dof=pairing.dof, level=LEVEL, rng=rng, draws=DRAWS)
    ranges = ranges_of(nearness, separated)
    best = best_probability(nearness, covariance, dof=pairing.dof, rng=rng, draws=DRAWS)
    for at, row in enumerate(placed):
        row.rank, row.rank_high = int(ranges.low[at]), int(ranges.high[at])
        row.best_probability = float(best[at])


def _head(scores: Any, cut: str, placed: list[Standing], as_of: datetime | None, now: datetime) -> Head:
    newest = scores.first()
    known = [row for row in placed if row.rank is not None and row.rank_high is not None]
    decided = sum(row.rank - 1 for row in known)
    return Head(
        metric="ccip",
        poll=None,
        population=Voter.Population.PEOPLE,
        cut=cut,
        as_of=as_of,
        methodology=_methodology(newest),
        state="ok" if newest else "no-scores",
        message=_message(scores) if newest else _("No checkpoint has been measured yet."),
        counted=0,
        bad=0,
        skipped=0,
        excluded=0,
        unverified=0,
        through=0,
        behind=0,
        recounting=False,
        log_sha256=_hash(placed),
        groups=[],
        position_bias=[],
        settled_votes=None,
        voters=None,
        pairs=len(known) * (len(known) - 1) // 2 if known else None,
        decided_pairs=decided if known else None,
        votes_per_decided_pair=None,
        order_votes=0,
        order_sd=None,
        notes=[newest.notice] if newest and newest.notice else [],
        generated_at=now,
        images=scores.aggregate(images=Sum("images"))["images"] or 0,
        lower_is_better=True,
    )


def _methodology(newest: CheckpointScore | None) -> str:
    if newest is None:
        return "ccip"
    return f"ccip encoder={newest.encoder_name} {newest.encoder[:12]} suite={newest.suite[:12]} t={newest.threshold:g}"


def _message(scores: Any) -> str:
    incomplete = scores.filter(missing__gt=0).count()
    if not incomplete:
        return ""
    text = ngettext(
        "%(n)d checkpoint has images that are not measured yet.",
        "%(n)d checkpoints have images that are not measured yet.",
        incomplete,
    )
    return text % {"n": incomplete}


def _hash(placed: list[Standing]) -> str:
    """Names the scores of the board: contestants by their content, in its order."""
    names = content_names(row.contestant_id for row in placed)
    lines = [f"{names[row.contestant_id]},{row.value!r}" for row in placed]
    return sha256("\n".join(lines).encode()).hexdigest() if lines else ""
