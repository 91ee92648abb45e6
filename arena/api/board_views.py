"""Boards as JSON (docs/api.md)."""

import secrets
from collections.abc import Iterator
from dataclasses import asdict
from http import HTTPStatus
from itertools import chain, islice

from django.http import HttpRequest, JsonResponse, StreamingHttpResponse
from django.utils import timezone

from arena.api.models import Scope
from arena.api.requests import ProblemError, needs
from arena.leaderboard.exporting import KEY_BYTES, Export, ExportError, begin, card, stream
from arena.leaderboard.log import ReplayError
from arena.leaderboard.table import UnknownBoardError, board
from rating.errors import VoteFileError
from rating.writing import FORMATS

CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/jsonl",
    "parquet": "application/vnd.apache.parquet",
}


@needs(Scope.READ)
def leaderboard(request: HttpRequest) -> JsonResponse:
    """A board: the same rows as its page and `manage.py leaderboard`."""
    asked = request.GET
    try:
        found = board(asked.get("metric", "trueskill"), asked.get("poll") or None, asked.get("population", "people"))
    except UnknownBoardError as error:
        raise ProblemError(HTTPStatus.NOT_FOUND, str(error)) from error
    except ReplayError as error:
        raise ProblemError(HTTPStatus.CONFLICT, str(error)) from error
    return JsonResponse({"head": asdict(found.head), "rows": [asdict(row) for row in found.rows]})


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
