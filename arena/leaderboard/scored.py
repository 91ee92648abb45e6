"""The board of character similarity, which needs no votes: how near images come to the characters' references."""

import math
from datetime import datetime
from hashlib import sha256
from typing import Any

import numpy as np
from django.db.models import Sum
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from arena.evaluations.models import CharacterScore, CheckpointScore
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.heading import NORMAL, Head
from arena.leaderboard.log import content_names
from arena.leaderboard.models import Standing
from arena.leaderboard.rows import Row, rows_of
from arena.votes.models import Voter
from rating.ranks import best_probability, ranges_of, separations
from rating.settling import DRAWS, LEVEL, SEED

Measured = tuple[int, int, float | None, float | None, float | None]
"""Contestant, images, difference, and its interval."""


def score_board(
    poll: str | None, population: str, cut: str, as_of: datetime | None, now: datetime
) -> tuple[Head, list[Row]]:
    """Contestants by the mean difference of their images to the references, the least first.

    Of the scores by one encoder on one suite, that of the newest complete score (at `as_of`). The slice
    `character=NAME` takes that character's part. Incomplete scores are provisional. Ranks take the scores of two
    contestants for independent. Raises UnknownBoardError for what only votes have.
    """
    if poll is not None or population != Voter.Population.PEOPLE:
        raise UnknownBoardError("the metric 'ccip' has no votes: ask for it without a poll and a population")
    if cut and not cut.startswith("character="):
        raise UnknownBoardError(f"the metric 'ccip' has no slice {cut!r}; known: character=NAME")
    scores = CheckpointScore.objects.filter(measured_at__lte=as_of or now).current()
    placed, shown = _placed(list(_measured(scores, cut)))
    incomplete = scores.filter(missing__gt=0).values_list("contestant_id", flat=True)
    rows = rows_of(placed, shown, incomplete, {})
    return _head(scores, cut, placed, as_of, now), rows


def _measured(scores: Any, cut: str) -> Any:
    """(contestant, images, difference, low, high) of each."""
    if not cut:
        return scores.values_list("contestant_id", "images", "difference", "difference_low", "difference_high")
    parts = CharacterScore.objects.filter(score__in=scores, character__name=cut.partition("=")[2])
    return [(*part, None, None) for part in parts.values_list("score__contestant_id", "images", "difference")]


def _placed(
    measured: list[tuple[int, int, float | None, float | None, float | None]],
) -> tuple[list[Standing], dict[int, int]]:
    """The standings, nearest first, and how many images of each were measured."""
    known = sorted((row for row in measured if row[2] is not None), key=lambda row: (row[2], row[0]))
    value = np.array([row[2] for row in known], np.float64)
    reach = np.array([math.nan if row[3] is None or row[4] is None else (row[4] - row[3]) / 2 for row in known])
    placed = [
        Standing(contestant_id=key, value=difference, low=low, high=high) for key, _, difference, low, high in known
    ]
    if len(known) and np.isfinite(reach).all():
        covariance, rng = np.diag((reach / NORMAL) ** 2), np.random.default_rng(SEED)
        separated = separations(-value, covariance, level=LEVEL, rng=rng, draws=DRAWS)
        ranges = ranges_of(-value, separated)
        best = best_probability(-value, covariance, rng=rng, draws=DRAWS)
        for at, row in enumerate(placed):
            row.rank, row.rank_high = int(ranges.low[at]), int(ranges.high[at])
            row.best_probability = float(best[at])
    missing = [Standing(contestant_id=row[0]) for row in measured if row[2] is None]
    return [*placed, *missing], {row[0]: row[1] for row in measured}


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
