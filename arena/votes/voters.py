"""Knowing a volunteer again without a login: a signed cookie holds the voter's key and nothing else."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from arena.votes.models import Voter
from arena.votes.refusals import BrokenCookie, NoCookie

COOKIE = "arena_voter"
SALT = "arena.votes.voter"
YEAR = 365 * 24 * 3600


def current_voter(request: HttpRequest) -> Voter | None:
    """Whose cookie the request carries; None for no cookie, a forged or broken one, or a voter no longer known."""
    key = request.get_signed_cookie(COOKIE, default=None, salt=SALT, max_age=YEAR)
    return Voter.objects.filter(key=key, population=Voter.Population.PEOPLE).first() if key else None


def known_voter(request: HttpRequest, link: str) -> Voter:
    """The same, for requests that mean nothing without a voter. Raises NoCookie or BrokenCookie."""
    voter = current_voter(request)
    if voter:
        return voter
    if COOKIE in request.COOKIES:
        raise BrokenCookie(_("The voter cookie that your browser sent is not one of this arena."), link)
    raise NoCookie(_("Your browser sent no voter cookie with this answer."), link)


def remember(response: HttpResponse, voter: Voter) -> None:
    """Set or renew the cookie: not readable by scripts, not sent along by other sites' forms."""
    response.set_signed_cookie(
        COOKIE, voter.key, salt=SALT, max_age=YEAR, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
    )
