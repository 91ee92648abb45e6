"""Boards as JSON (docs/api.md)."""

from dataclasses import asdict
from http import HTTPStatus

from django.http import HttpRequest, JsonResponse

from arena.api.models import Scope
from arena.api.requests import ProblemError, needs
from arena.leaderboard.log import ReplayError
from arena.leaderboard.table import UnknownBoardError, board


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
