"""What every API view shares: the token, JSON in, JSON or problem+json (RFC 9457) out."""

import json
from collections.abc import Callable, Mapping
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from arena.api.models import Scope
from arena.api.tokens import Caller, TokenError, caller_of
from arena.middleware import CURRENT
from arena.votes.limits import address, hits, seconds_left

# A checkpoint's manifest is a few kilobytes; nothing that is posted here is larger than this.
MAX_BODY_BYTES = 1_000_000
View = Callable[..., HttpResponse]


class ProblemError(Exception):
    """A request that is refused: a status, a detail that names what is wrong and what to do, headers that go along."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}


def problem(error: ProblemError) -> JsonResponse:
    """The answer that carries a problem."""
    body = {"type": "about:blank", "title": error.status.phrase, "status": error.status, "detail": error.detail}
    body["request_id"] = CURRENT.get()
    return JsonResponse(body, status=error.status, content_type="application/problem+json", headers=dict(error.headers))


def methods(**views: View) -> View:
    """One address: the view of each method, and problem+json for every ProblemError.

    No cookie is looked at, so there is nothing for a forged request to borrow: exempt from CSRF.
    """

    @csrf_exempt
    @never_cache
    def dispatch(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            if request.method not in views:
                allowed = ", ".join(views)
                detail = f"{request.path} takes {allowed} only"
                raise ProblemError(HTTPStatus.METHOD_NOT_ALLOWED, detail, {"Allow": allowed})
            return views[request.method](request, *args, **kwargs)
        except ProblemError as error:
            return problem(error)

    dispatch.views = views  # type: ignore[attr-defined]
    return dispatch


def needs(scope: Scope) -> Callable[[View], View]:
    """Let in only callers whose token has the scope, and each as often in a minute as settings say."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            caller = _caller(request)
            _throttle(f"api {caller.name}")
            if scope not in caller.scopes:
                has = ", ".join(sorted(caller.scopes))
                raise ProblemError(
                    HTTPStatus.FORBIDDEN,
                    f"the token {caller.name!r} lacks the scope {scope.value!r} (it has: {has}); "
                    f"make one with `manage.py api_token create NAME --scope {scope.value}`",
                    {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope.value}"'},
                )
            return view(request, *args, **kwargs)

        checked.scope = scope  # type: ignore[attr-defined]
        return checked

    return decorate


def _caller(request: HttpRequest) -> Caller:
    """Who calls. Wrong tokens are counted by address, so that nobody can go on trying."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    challenge = "Bearer"
    try:
        if scheme.lower() != "bearer":
            raise TokenError("no token was sent")
        challenge = 'Bearer error="invalid_token"'
        return caller_of(given.strip())
    except TokenError as error:
        _throttle(f"api without a token {address(request)}")
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            f"{error}: send the header 'Authorization: Bearer TOKEN' with a token of `manage.py api_token create`, or "
            "with ARENA_API_TOKEN, the content of the file api-token in the arena's home",
            {"WWW-Authenticate": challenge},
        ) from error


def _throttle(who: str) -> None:
    most = settings.ARENA_API_REQUESTS_PER_MINUTE
    if most and hits(who) > most:
        wait = seconds_left()
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            f"more than {most} requests in this minute; try again in {wait} s",
            {"Retry-After": str(wait)},
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
