"""How fast anybody may go: one-minute counters in the cache. Addresses are counted as salted hashes, never stored."""

import logging
import time
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.core.cache import cache
from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext as _

from arena.votes.models import Voter
from arena.votes.refusals import TooMany

SALT = "arena.votes.limits"
MINUTE = 60
SIGN_INS_A_MINUTE = 10

logger = logging.getLogger(__name__)


def limit_votes(voter: Voter, ticket_token: str, link: str) -> None:
    """Count an answer of the voter; the same ticket again within the minute is a retry and not counted.

    Raises TooMany.
    """
    most = settings.ARENA_VOTES_PER_MINUTE
    if most and first_time(f"ticket {ticket_token}") and hits(f"votes {voter.pk}") > most:
        forget(f"ticket {ticket_token}")
        raise TooMany(_("That was more than %(most)d answers in a minute.") % {"most": most}, link, seconds_left())


def limit_tickets(request: HttpRequest, link: str) -> None:
    """Count a matchup asked for from the request's address. Raises TooMany."""
    most = settings.ARENA_TICKETS_PER_MINUTE
    if most and hits(f"tickets {address(request)}") > most:
        text = _("More than %(most)d matchups in a minute were asked for from your address.") % {"most": most}
        raise TooMany(text, link, seconds_left())


def limit_sign_ins(request: HttpRequest, link: str) -> None:
    """Count a password sent from the request's address. Raises TooMany."""
    if hits(f"sign-ins {address(request)}") > SIGN_INS_A_MINUTE:
        text = _("More than %(most)d passwords in a minute were tried from your address.") % {"most": SIGN_INS_A_MINUTE}
        raise TooMany(text, link, seconds_left())


def address(request: HttpRequest) -> str:
    """Who asks: the peer, or what a trusted proxy says; of IPv6 the network, since a person has all of it."""
    peer = request.META.get("REMOTE_ADDR", "")
    if settings.BEHIND_PROXY:
        peer = request.headers.get("X-Forwarded-For", "").rsplit(",", 1)[-1].strip() or peer
    try:
        parsed = ip_address(peer)
    except ValueError:
        return peer
    return str(ip_network((parsed, 64), strict=False)) if isinstance(parsed, IPv6Address) else str(parsed)


def hits(what: str) -> int:
    """Count one more in this minute and say how many there were; 0 when the cache does not answer: voting goes on."""
    key = name_of(what)
    try:
        cache.add(key, 0, 2 * MINUTE)
        return int(cache.incr(key))
    except Exception:  # Every cache has errors of its own.
        logger.exception("the cache does not count")
        return 0


def first_time(what: str) -> bool:
    """Whether this was not seen in this minute."""
    try:
        return bool(cache.add(name_of(what), 1, 2 * MINUTE))
    except Exception:  # Every cache has errors of its own.
        logger.exception("the cache does not remember")
        return True


def forget(what: str) -> None:
    """Take back `first_time`: a refused answer is counted when it comes again."""
    try:
        cache.delete(name_of(what))
    except Exception:  # Every cache has errors of its own.
        logger.exception("the cache does not forget")


def name_of(what: str) -> str:
    """The counter's name in this minute; nobody can read from it whom it counts."""
    minute = int(time.time() // MINUTE)
    return f"limit:{salted_hmac(SALT, f'{minute} {what}', algorithm='sha256').hexdigest()[:40]}"


def seconds_left() -> int:
    """Seconds until the next minute's counters start."""
    return MINUTE - int(time.time() % MINUTE)
