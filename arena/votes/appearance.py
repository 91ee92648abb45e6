"""How pages look to this browser: light, dark, or as the system is set. Kept in a cookie, as nothing else needs it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

COOKIE = "arena_theme"
YEAR = 365 * 24 * 3600
THEMES = {"": gettext_lazy("As the system is set"), "light": gettext_lazy("Light"), "dark": gettext_lazy("Dark")}


def theme_of(request: HttpRequest) -> str:
    """The chosen theme; empty for the system's."""
    theme = request.COOKIES.get(COOKIE, "")
    return theme if theme in THEMES else ""


def remember_theme(response: HttpResponse, theme: str) -> None:
    """Keep the choice in this browser; the system's own needs no cookie."""
    if theme:
        response.set_cookie(
            COOKIE, theme, max_age=YEAR, httponly=True, samesite="Lax", secure=settings.SESSION_COOKIE_SECURE
        )
    else:
        response.delete_cookie(COOKIE, samesite="Lax")


def appearance(request: HttpRequest) -> dict[str, str]:
    """Context processor: `theme` for every page."""
    return {"theme": theme_of(request)}
