"""Boards of votes from elsewhere: imported under a name, rated by the arena's own systems (docs/export.md)."""

import re
from collections.abc import Callable
from dataclasses import asdict
from hashlib import file_digest
from pathlib import Path
from typing import Any

import numpy as np
from django.db import transaction
from django.utils import timezone

from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.folding import Folded, folded, methodology, settle_run, sides, standings
from arena.leaderboard.heading import head_of
from arena.leaderboard.log import Slice
from arena.leaderboard.models import ExternalBoard, RatingRun, Standing
from arena.leaderboard.packing import pack, unpack
from arena.leaderboard.replay import ROW
from arena.leaderboard.rows import Row
from arena.leaderboard.table import VOTED, Board, check_known
from rating.battles import read_battles, read_either
from rating.errors import SettingError, VoteFileError
from rating.order import milestone, order_sd
from rating.registry import rating_system
from rating.tally import PROVISIONAL_VOTES, count, join
from rating.votefile import read_votes
from rating.votes import BAD, SKIP, Votes

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,99}")
FORMS: dict[str, Callable[..., Votes]] = {"votes": read_votes, "battles": read_battles}
ARRAYS = ("seats", "ranks", "kinds", "poll", "prompt", "voter", "times")
POPULATION = "imported"
ORDER_SEED = 0


def import_votes(
    path: Path,
    name: str,
    *,
    form: str | None = None,
    source: str = "",
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
) -> ExternalBoard:
    """Read a whole vote file, or a file of battles, and keep it as the external board `name`.

    `form` is one of FORMS; None tells by the columns. Nothing is kept unless every row can be read. What a board shows
    of the voters and prompts is only how many there are: their names are not kept.
    Raises SettingError for a name that cannot be, or is taken without `replace`, and VoteFileError naming the line, or
    for a pipe: the file is read once more for its hash.
    """
    if not NAME.fullmatch(name):
        raise SettingError(f"{name!r} is no name for a board: 1 to 100 of a-z, 0-9 and '-'")
    if not replace and ExternalBoard.objects.filter(name=name).exists():
        raise SettingError(f"there is an external board {name!r} already; choose another name, or replace it")
    if path.is_fifo():
        raise VoteFileError(
            f"{path}: is a pipe, and a board keeps the hash of its file; save the votes to a file first"
        )
    votes = (FORMS[form] if form else read_either)(path, progress=progress)
    with path.open("rb") as file:
        sha256 = file_digest(file, "sha256").hexdigest()
    kept = {
        "source": source,
        "file_name": path.name[:300],
        "file_sha256": sha256,
        "votes": len(votes),
        "names": {"contestants": votes.contestants, "polls": votes.polls},
        "data": pack(votes, ARRAYS),
        "runs": {},
        "created_at": timezone.now(),
    }
    board, _ = ExternalBoard.objects.update_or_create(name=name, defaults=kept)
    return board


def votes_of(board: ExternalBoard) -> Votes:
    """The votes of a board; everybody goes by a number from 1, as text."""
    arrays = unpack(bytes(board.data))
    return Votes(
        contestants=_numbers(len(board.names["contestants"])),
        polls=tuple(board.names["polls"]),
        prompts=_numbers(int(arrays["prompt"].max(initial=-1)) + 1),
        voters=_numbers(int(arrays["voter"].max(initial=-1)) + 1),
        **arrays,
    )


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, count + 1))


def find_external(name: str) -> ExternalBoard:
    """The board of that name, without its votes. Raises UnknownBoardError naming the known ones."""
    found = ExternalBoard.objects.defer("data").filter(name=name).first()
    if found is None:
        known = ", ".join(ExternalBoard.objects.values_list("name", flat=True)) or "none"
        raise UnknownBoardError(f"there is no external board {name!r}; known: {known}")
    return found


def external_board(name: str, metric: str, poll: str | None = None) -> Board:
    """A metric of an external board, for one of its polls or all together; computed once and kept.

    Raises UnknownBoardError naming what is known, and RatingError for votes that the metric cannot rate.
    """
    board = find_external(name)
    check_known("metric", metric, VOTED)
    if poll is not None:
        check_known(f"poll of {name}", poll, board.names["polls"])
    run = _run(board, metric, poll)
    return Board(head_of(run, Slice(), None, timezone.now()), _rows(board, run))


def _run(board: ExternalBoard, metric: str, poll: str | None) -> RatingRun:
    """What was computed of the board by the present method, or is now."""
    key = f"{metric} {poll or ''}".strip()
    run = RatingRun(
        metric=metric, poll=poll or "", population=POPULATION, methodology=methodology(rating_system(metric))
    )
    kept = board.runs.get(key)
    if kept is None or kept["methodology"] != run.methodology:
        votes = votes_of(board)
        kept = computed(run, votes if poll is None else votes.take(votes.poll == votes.polls.index(poll)), board)
        with transaction.atomic():
            row = ExternalBoard.objects.select_for_update(no_key=True).defer("data").get(pk=board.pk)
            if row.file_sha256 == board.file_sha256:
                row.runs[key] = kept
                row.save(update_fields=["runs"])
    for name, value in kept.items():
        setattr(run, name, value)
    return run


def computed(run: RatingRun, votes: Votes, board: ExternalBoard) -> dict[str, Any]:
    """The fields of a run out of all its votes at once, as folding the arena's log would fill them."""
    system, played = rating_system(run.metric), votes.take(votes.counted)
    checked = milestone(min(len(played), system.order_check))
    rng = np.random.default_rng(ORDER_SEED)
    tallies = count({}, played)
    state = Folded(
        system=system.fold(system.start(), played),
        tallies={key: [one.wins, one.losses, one.draws] for key, one in tallies.items()},
        groups=join([], played),
        sides=sides({}, played),
        bad=int((votes.kinds == BAD).sum()),
        skipped=int((votes.kinds == SKIP).sum()),
        order_votes=checked,
        order_sd=order_sd(system, played.take(np.arange(checked)), rng=rng) if checked else {},
    )
    run.state, run.counted, run.through, run.log_sha256 = asdict(state), len(played), len(votes), board.file_sha256
    run.settled = settle_run(run, played) if state.comparable else {}
    return {
        name: getattr(run, name) for name in ("methodology", "state", "counted", "through", "log_sha256", "settled")
    }


def _rows(board: ExternalBoard, run: RatingRun) -> list[Row]:
    names, spread = board.names["contestants"], folded(run).order_sd
    return [_row(one, names[one.contestant_id - 1], spread.get(str(one.contestant_id))) for one in standings(run)]


def _row(standing: Standing, name: str, spread: float | None) -> Row:
    """A contestant from elsewhere has a name and numbers; what the arena knows of its own checkpoints stays empty."""
    return Row(
        contestant=name,
        contestant_id=standing.contestant_id,
        run="",
        epoch=0,
        step=0,
        checkpoint="",
        lineage=[],
        licence="",
        imported=False,
        order_sd=spread if standing.value is not None else None,
        previous_epoch=None,
        change=None,
        change_error=None,
        exposure=standing.votes,
        provisional=standing.votes < PROVISIONAL_VOTES,
        **{name: getattr(standing, name) for name in ROW},
    )
