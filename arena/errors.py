"""What goes wrong, told to people as a page and to programs as a problem document (RFC 9457), each with the request id.

Neither needs the database, a session or the visitor's account: these may be what is broken.
"""

import logging
import sys
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from django.core.exceptions import RequestDataTooBig
from django.db.utils import DataError, InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from kombu.exceptions import OperationalError as QueueError

Text = str | Promise
PROGRAM_PATHS = ("/api/", "/healthz")
JSON_TYPES = ("application/json", "application/problem+json")

logger = logging.getLogger(__name__)


class StoreError(OSError):
    """The store of the images does not answer, or refuses."""


class MissingError(StoreError, FileNotFoundError):
    """The store answers, and does not have the image."""


@dataclass(frozen=True)
class Trouble:
    """One thing that can go wrong: its status, what to say, what to do, and after how long to try again."""

    status: HTTPStatus
    title: Text
    text: Text
    remedy: Text
    retry_seconds: int | None = None


UNREADABLE = Trouble(
    HTTPStatus.BAD_REQUEST,
    _("This request could not be read"),
    _("Your browser sent something that the arena does not understand. Nothing was changed."),
    _("Go back, reload the page, and try again."),
)
FORBIDDEN = Trouble(
    HTTPStatus.FORBIDDEN,
    _("This is not open to you"),
    _("The page belongs to somebody else, or you are not signed in. Nothing was changed."),
    _("Go to the first page and choose a poll."),
)
FORGED = Trouble(
    HTTPStatus.FORBIDDEN,
    _("This form could not be trusted"),
    _("The form came without its secret: cookies are blocked, or the page was open for long. Nothing was changed."),
    _("Allow this site's cookies, reload the page with the form, and send it again."),
)
ABSENT = Trouble(
    HTTPStatus.NOT_FOUND,
    _("There is no such page"),
    _("The address is mistyped, or the page is gone."),
    _("Go to the first page and choose a poll."),
)
NO_ENDPOINT = Trouble(
    HTTPStatus.NOT_FOUND,
    _("There is no such address in the API"),
    _("The address is mistyped."),
    _("GET /api/openapi.json lists them all."),
)
WRONG_METHOD = Trouble(
    HTTPStatus.METHOD_NOT_ALLOWED,
    _("This address does not work that way"),
    _("The address exists, but it cannot be opened, or written to, like this. Nothing was changed."),
    _("Go back and use the buttons of the page."),
)
TOO_LARGE = Trouble(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    _("That was too much at once"),
    _("What your browser sent is larger than the arena takes. Nothing was changed."),
    _("Send less: a prompt, for example, has 300 characters at most."),
)
BROKEN = Trouble(
    HTTPStatus.INTERNAL_SERVER_ERROR,
    _("Something broke on our side"),
    _("This is our mistake and not yours; it has been written to the log."),
    _("Try again. If it happens again, tell us the id below."),
)
NO_DATABASE = Trouble(
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("The arena cannot be reached just now"),
    _("Its database does not answer. Votes that were acknowledged are safe."),
    _("Try again in half a minute."),
    30,
)
NO_STORE = Trouble(
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("The images cannot be reached just now"),
    _("The store that keeps them does not answer, or does not have this one."),
    _("Try again in half a minute, or go on with another matchup."),
    30,
)
NO_QUEUE = Trouble(
    HTTPStatus.SERVICE_UNAVAILABLE,
    _("Nothing can be rendered just now"),
    _("The renderer, or its queue, does not answer. Voting goes on without it."),
    _("Vote on what is there already, and try again in a few minutes."),
    120,
)
BY_STATUS = {
    trouble.status: trouble for trouble in (UNREADABLE, FORBIDDEN, ABSENT, WRONG_METHOD, TOO_LARGE, BROKEN, NO_DATABASE)
}
BY_EXCEPTION: tuple[tuple[tuple[type[Exception], ...], Trouble], ...] = (
    ((OperationalError, InterfaceError), NO_DATABASE),
    ((StoreError,), NO_STORE),
    ((QueueError,), NO_QUEUE),
    ((DataError,), UNREADABLE),
)
# What the drivers say of a value that no column holds, such as a number of 30 digits in a search of the admin.
UNSTORABLE = ("too large to convert to SQLite INTEGER", "cannot contain NUL")


def trouble_of(status: int) -> Trouble:
    """What to say about a status that came without words."""
    return BY_STATUS.get(HTTPStatus(status)) or (BROKEN if status >= 500 else UNREADABLE)


def answer(request: HttpRequest, trouble: Trouble) -> HttpResponse:
    """The page, or the problem document where the client prefers JSON, in the visitor's language."""
    identity = getattr(request, "id", "-")
    # The thread's own language may be that of an earlier visitor, where no other middleware was reached.
    with translation.override(translation.get_language_from_request(request)):
        said = {"title": str(trouble.title), "text": str(trouble.text), "remedy": str(trouble.remedy)}
        page = render_to_string("error.html", {**said, "status": int(trouble.status), "request_id": identity})
    response = HttpResponse(page, status=trouble.status)
    if for_program(request):
        detail = f"{said['text']} {said['remedy']}"
        body: dict[str, Any] = {"type": "about:blank", "title": said["title"], "status": trouble.status}
        body |= {"detail": detail, "request_id": identity}
        response = JsonResponse(body, status=trouble.status, content_type="application/problem+json")
    response["Cache-Control"] = "no-store"
    if trouble.retry_seconds:
        response["Retry-After"] = str(trouble.retry_seconds)
    return response


def for_program(request: HttpRequest) -> bool:
    """Whether the address is a program's, or the client prefers JSON."""
    if request.path.startswith(PROGRAM_PATHS):
        return True
    return request.get_preferred_type(["text/html", *JSON_TYPES]) in JSON_TYPES


def foreseen(request: HttpRequest, exception: BaseException | None) -> HttpResponse | None:
    """The answer to a part that does not answer (503), or to a value that no database holds (400), with a log line.

    None for every other exception.
    """
    trouble = next((trouble for kinds, trouble in BY_EXCEPTION if isinstance(exception, kinds)), None)
    if isinstance(exception, OverflowError | ValueError) and any(words in str(exception) for words in UNSTORABLE):
        trouble = UNREADABLE
    if trouble is None:
        return None
    logger.error("%s: %s", type(exception).__name__, exception, exc_info=exception)
    return answer(request, trouble)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of suspicious requests: 413 for a body that is too large, else 400."""
    return answer(request, TOO_LARGE if isinstance(exception, RequestDataTooBig) else UNREADABLE)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of what is not allowed."""
    return answer(request, FORBIDDEN)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Django's handler of forms without their secret."""
    return answer(request, FORGED)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler of addresses that lead nowhere."""
    return answer(request, NO_ENDPOINT if request.path.startswith("/api/") else ABSENT)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler of everything unexpected, also from outside the views, such as a session that cannot be read."""
    return foreseen(request, sys.exc_info()[1]) or answer(request, BROKEN)
