"""The outermost middleware: an id for every request, limits on bodies, headers of every answer, no blank error page."""

import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from arena import errors

HEADER = "X-Request-ID"
SANE = re.compile(r"[A-Za-z0-9._-]{8,64}")
CURRENT: ContextVar[str] = ContextVar("request id", default="-")
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Resource-Policy": "same-origin",
}
RETRY_SECONDS = 30

logger = logging.getLogger(__name__)


class RequestIdFilter(logging.Filter):
    """Gives every log line the id of the request it belongs to, as `request_id`; "-" outside of requests."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Django logs a refused request after it has left the middleware, and sends the request along.
        record.request_id = getattr(getattr(record, "request", None), "id", None) or CURRENT.get()
        return True


class Outermost:
    """Stands before all other middleware, so that whatever answers, the answer has an id and the headers."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, with the id in force meanwhile."""
        request.id = request_id(request)  # type: ignore[attr-defined]
        token = CURRENT.set(request.id)  # type: ignore[attr-defined]
        try:
            response = refuse_body(request) or self.get_response(request)
            return finish(request, response)
        finally:
            CURRENT.reset(token)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """What can be foreseen, such as a database that does not answer, has its own page; the rest becomes a 500."""
        return errors.foreseen(request, exception)


def request_id(request: HttpRequest) -> str:
    """The proxy's id of the request where the proxy is trusted and its id is sane; else a new one."""
    given = request.headers.get(HEADER, "")
    return given if settings.BEHIND_PROXY and SANE.fullmatch(given) else uuid.uuid4().hex[:16]


def refuse_body(request: HttpRequest) -> HttpResponse | None:
    """Turn a body down by its announced length, before anybody reads it."""
    announced = request.META.get("CONTENT_LENGTH") or "0"
    if not re.fullmatch(r"[0-9]{1,18}", str(announced)):
        logger.warning("refused a request whose Content-Length is no number")
        return errors.bad_request(request, BadRequest("Content-Length is no number"))
    if int(announced) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        logger.warning("refused a body of %s bytes", announced)
        return errors.bad_request(request, RequestDataTooBig())
    return None


def finish(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Fill a blank error page and set the headers that every answer has."""
    if response.status_code >= 400 and not response.streaming and not response.content:
        response = fill(request, response)
    response[HEADER] = request.id  # type: ignore[attr-defined]
    for name, value in HEADERS.items():
        response.setdefault(name, value)
    if settings.DEBUG and response.status_code >= 400:
        # Django's own debug pages are made with inline styles.
        del response["Content-Security-Policy"]
    if response.status_code == 503:
        response.setdefault("Retry-After", str(RETRY_SECONDS))
    return response


def fill(request: HttpRequest, blank: HttpResponseBase) -> HttpResponse:
    """The page of the blank answer's status, with the headers and cookies that it had."""
    response = errors.answer(request, errors.trouble_of(blank.status_code))
    for name, value in blank.items():
        if name.lower() not in {"content-type", "content-length"}:
            response[name] = value
    response.cookies = blank.cookies
    return response
