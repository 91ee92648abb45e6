"""What every API view shares: the token, JSON in, JSON or problem+json (RFC 9457) out."""

import hmac
import json
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from arena.middleware import CURRENT

# A checkpoint's manifest is a few kilobytes; nothing that is posted here is larger than this.
MAX_BODY_BYTES = 1_000_000
View = Callable[..., HttpResponse]


class ProblemError(Exception):
    """A request that is refused: a status and a detail that names what is wrong and what to do."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def problem(error: ProblemError) -> JsonResponse:
    """The answer that carries a problem."""
    body = {"type": "about:blank", "title": error.status.phrase, "status": error.status, "detail": error.detail}
    body["request_id"] = CURRENT.get()
    answer = JsonResponse(body, status=error.status, content_type="application/problem+json")
    if error.status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    return answer


def endpoint(method: str, *, token: bool = True) -> Callable[[View], View]:
    """Make a view of one method that needs the API token and answers every ProblemError as problem+json.

    No cookie is looked at, so there is nothing for a forged request to borrow: exempt from CSRF.
    """

    def decorate(view: View) -> View:
        @csrf_exempt
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            try:
                if request.method != method:
                    raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, f"{request.path} takes {method} only")
                if token:
                    _check_token(request)
                return view(request, *args, **kwargs)
            except ProblemError as error:
                return problem(error)

        return checked

    return decorate


def _check_token(request: HttpRequest) -> None:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), settings.ARENA_API_TOKEN.encode()):
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "send the header 'Authorization: Bearer TOKEN'; the token is ARENA_API_TOKEN, or the content of the file "
            "api-token in the arena's home",
        )


def json_object(request: HttpRequest) -> dict[str, Any]:
    """The JSON object of the body. Raises ProblemError (400, 413, 415) for anything else."""
    if request.content_type != "application/json":
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send Content-Type: application/json")
    if int(request.headers.get("Content-Length") or 0) > MAX_BODY_BYTES:
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body may have {MAX_BODY_BYTES} bytes at most")
    try:
        value = json.loads(request.body)
    except ValueError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
    return value
