"""Boards as JSON (docs/api.md)."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import chain, islice
from typing import Any

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.utils import timezone

from arena.api.models import Scope
from arena.api.openapi import CONTENT_TYPES
from arena.api.requests import ProblemError, needs
from arena.gallery.finding import UnknownCheckpointError, find_contestant
from arena.leaderboard.comparing import Comparing, compare_pair, compare_with, epochs_of
from arena.leaderboard.cuts import UnknownBoardError
from arena.leaderboard.exporting import KEY_BYTES, Export, ExportError, begin, card, stream
from arena.leaderboard.external import external_board
from arena.leaderboard.log import ReplayError, Slice
from arena.leaderboard.table import board, slice_of
from arena.leaderboard.tasks import catch_up
from rating.errors import RatingError, VoteFileError
from rating.writing import FORMATS

# A request folds for so long at most; a worker does the rest, and `behind` says how much that is.
SECONDS = 1.0


@needs(Scope.READ)
def leaderboard(request: HttpRequest) -> JsonResponse:
    """A board: the same rows as its page and `manage.py leaderboard`."""
    asked = request.GET
    as_of = _moment(request)
    with _refusals():
        if "board" in asked:
            found = external_board(asked["board"], asked.get("metric", "trueskill"), asked.get("poll") or None)
            return JsonResponse(found.as_json())
        found = board(
            asked.get("metric", "trueskill"),
            asked.get("poll") or None,
            asked.get("population", "people"),
            cut=asked.get("slice", ""),
            as_of=as_of,
            seconds=SECONDS,
        )
    catch_up(found.run)
    return JsonResponse(found.as_json())


@needs(Scope.READ)
def comparisons(request: HttpRequest) -> JsonResponse:
    """Whether b is better than a; or every candidate, or epoch of a run, against a reference."""
    asked, as_of = request.GET, _moment(request)
    try:
        level = float(asked.get("level", "0.95"))
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"'level' is {asked['level']!r}, not a number") from error
    with _refusals():
        chosen = slice_of(
            asked.get("poll") or None,
            asked.get("population", "people"),
            asked.get("slice", ""),
            as_of,
            timezone.now(),
        )
        how = {"as_of": as_of, "cluster": asked.get("cluster", "voter"), "level": level, "seconds": SECONDS}
        found = _compared(request, chosen, how)
    catch_up(found.run)
    return JsonResponse(found.as_json())


def _compared(request: HttpRequest, chosen: Slice, how: dict[str, Any]) -> Comparing:
    asked = request.GET
    if "reference" in asked:
        reference = find_contestant(asked["reference"])
        named = [find_contestant(name) for name in asked.getlist("candidate")]
        named += epochs_of(asked["run"], reference) if "run" in asked else []
        return compare_with(reference, named, chosen, **how)
    if "a" not in asked or "b" not in asked:
        detail = "name two checkpoints, ?a=A&b=B; or ?reference=A with &candidate=B for each, or with &run=NAME"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail)
    return compare_pair(find_contestant(asked["a"]), find_contestant(asked["b"]), chosen, **how)


def _moment(request: HttpRequest) -> datetime | None:
    """The moment of `as_of`, in UTC where it names no zone; one to come is refused."""
    text = request.GET.get("as_of")
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        detail = f"'as_of' is {text!r}; write a moment such as 2026-01-31 or 2026-01-31T12:00Z"
        raise ProblemError(HTTPStatus.BAD_REQUEST, detail) from error
    found, now = (found if found.tzinfo else found.replace(tzinfo=UTC)), timezone.now()
    if found > now:
        until = now.isoformat(timespec="minutes")
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"'as_of' {text!r} is still to come; give a moment until {until}")
    return found


@contextmanager
def _refusals() -> Iterator[None]:
    """What boards and comparisons refuse, as problems: 404 for names that do not exist, with the known ones."""
    try:
        yield
    except (UnknownBoardError, UnknownCheckpointError) as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
    except ReplayError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    except RatingError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, str(error)) from error


@needs(Scope.VOTES)
def votes(request: HttpRequest) -> StreamingHttpResponse:
    """The votes that boards count as a vote file, sent portion by portion."""
    form = request.GET.get("format", "csv")
    if form not in FORMATS:
        raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no format {form!r}; known: {', '.join(FORMATS)}")
    export = _export(request)
    try:
        content = _begun(stream(export, form))
    except (ExportError, VoteFileError) as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    name = "-".join(filter(None, ("votes", export.population, export.poll, f"{export.begun_at:%Y%m%d}")))
    headers = {"Content-Disposition": f'attachment; filename="{name}.{form}"'}
    return StreamingHttpResponse(content, content_type=CONTENT_TYPES[form], headers=headers)


@needs(Scope.VOTES)
def votes_card(request: HttpRequest) -> JsonResponse:
    """What such a file would hold just now: its data card."""
    return JsonResponse(card(_export(request)))


def _export(request: HttpRequest) -> Export:
    asked = request.GET
    try:
        key, now = secrets.token_bytes(KEY_BYTES), timezone.now()
        return begin(asked.get("poll") or None, asked.get("population", "people"), key=key, now=now)
    except UnknownBoardError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error


def _begun(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces with the first two made already: what is wrong from the start is an answer, not a torn file."""
    return chain(list(islice(pieces, 2)), pieces)
