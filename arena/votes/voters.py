"""Knowing a volunteer again without a login: a signed cookie holds the voter's key and nothing else."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from arena.votes.models import Voter
from arena.votes.refusals import BrokenCookie, NoCookie

COOKIE = "arena_voter"
SALT = "arena.votes.voter"
YEAR = 365 * 24 * 3600


def current_voter(request: HttpRequest) -> Voter | None:
    """Whose cookie the request carries; without a good one, the voter of the account that is signed in, or None.

    Not good is a cookie that is forged or broken, or that of a voter no longer known.
    """
    key = request.get_signed_cookie(COOKIE, default=None, salt=SALT, max_age=YEAR)
    found = Voter.objects.filter(key=key, population=Voter.Population.PEOPLE).first() if key else None
    return found or voter_of(request.user)


def voter_of(user: User | AnonymousUser) -> Voter | None:
    """The first voter of an account; None for nobody."""
    return Voter.objects.filter(user=user.pk).order_by("id").first() if user.is_authenticated else None


def own_by(voter: Voter, path: str) -> dict[str, Any]:
    """A filter: rows whose voter, found by that path of fields, is this one or another of the same account."""
    return {f"{path}__user": voter.user_id} if voter.user_id else {path: voter}


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
