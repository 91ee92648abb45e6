"""Making, revoking and checking API tokens."""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import IntegrityError
from django.utils import timezone

from arena.api.models import ApiToken, Scope

PREFIX = "arena_"
MINUTE = timedelta(minutes=1)
MOST_DAYS = 3660


class TokenError(Exception):
    """A token that cannot be made or found, or that does not let in; the text says why and what to do."""


@dataclass(frozen=True)
class Caller:
    """Who calls, and what for: the name of a token and its scopes."""

    name: str
    scopes: frozenset[str]


OPERATOR = Caller("ARENA_API_TOKEN", frozenset(Scope.values))


def issue(name: str, scopes: Iterable[str], days: float) -> tuple[ApiToken, str]:
    """A new token and its secret, which is stored nowhere. Raises TokenError."""
    asked = sorted(set(scopes))
    unknown = [scope for scope in asked if scope not in Scope.values]
    if unknown or not asked:
        wrong = f"there is no scope {unknown[0]!r}" if unknown else "no scope is given"
        raise TokenError(f"{wrong}; known: {', '.join(Scope.values)}")
    if not 0 < days <= MOST_DAYS:
        raise TokenError(f"a token is valid for more than 0 and at most {MOST_DAYS} days, not {days:g}")
    if not name.strip() or len(name) > 100 or name == OPERATOR.name:
        raise TokenError("give the token a name of 1 to 100 characters that says whose it is")
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = timezone.now() + timedelta(days=days)
    try:
        token = ApiToken.objects.create(name=name, sha256=digest(secret), scopes=asked, expires_at=expires_at)
    except IntegrityError as error:
        raise TokenError(f"a token {name!r} exists, or existed, already; choose another name") from error
    return token, secret


def revoke(name: str) -> ApiToken:
    """Let nobody in with it any more; one that is revoked stays so. Raises TokenError naming the known ones."""
    token = ApiToken.objects.filter(name=name).first()
    if token is None:
        known = ", ".join(ApiToken.objects.values_list("name", flat=True)) or "none"
        raise TokenError(f"there is no token {name!r}; known: {known}")
    if token.revoked_at is None:
        token.revoked_at = timezone.now()
        token.save(update_fields=["revoked_at"])
    return token


def caller_of(secret: str) -> Caller:
    """Whose secret it is: ARENA_API_TOKEN may do everything. Raises TokenError where it does not let in."""
    if hmac.compare_digest(secret.encode(), settings.ARENA_API_TOKEN.encode()):
        return OPERATOR
    token = ApiToken.objects.filter(sha256=digest(secret)).first()
    if token is None:
        raise TokenError("this token is unknown")
    if token.state != "valid":
        when = token.revoked_at or token.expires_at
        raise TokenError(f"the token {token.name!r} is {token.state} since {when.isoformat(timespec='seconds')}")
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > MINUTE:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return Caller(token.name, frozenset(token.scopes))


def digest(secret: str) -> str:
    """What is stored. A secret has 256 random bits, so that a plain hash cannot be searched and needs no salt."""
    return sha256(secret.encode()).hexdigest()
