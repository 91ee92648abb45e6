"""A volunteer's settings: keys, language, light or dark, whether names are shown at once."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from arena.votes.appearance import THEMES, remember_theme, theme_of
from arena.votes.keys import ACTIONS, DEFAULTS, cap, check_keys, keys_of
from arena.votes.models import Voter
from arena.votes.voters import current_voter, remember


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def settings_page(request: HttpRequest) -> HttpResponse:
    """Show the settings, or keep new ones; two actions on one key are refused and nothing is kept."""
    if request.method == "POST":
        return save(request)
    voter = current_voter(request)
    keys = {name: binding.cap for name, binding in keys_of(voter).items()}
    chosen = {
        "theme": theme_of(request),
        "language": get_language(),
        "always_reveal": bool(voter and voter.settings.get("always_reveal")),
    }
    return page(request, keys, chosen, saved="saved" in request.GET)


def save(request: HttpRequest) -> HttpResponse:
    """Check everything, then keep everything."""
    defaults = request.POST.get("keys") == "default"
    typed = {action.name: request.POST.get(f"key_{action.name}", action.default) for action in ACTIONS}
    keys, errors = check_keys(DEFAULTS if defaults else typed)
    chosen = {
        "theme": request.POST.get("theme", ""),
        "language": request.POST.get("language", get_language()),
        "always_reveal": request.POST.get("always_reveal") == "on",
    }
    if chosen["theme"] not in THEMES:
        errors["theme"] = _("There is no such theme.")
    if chosen["language"] not in dict(settings.LANGUAGES):
        errors["language"] = _("There is no such language.")
    if errors:
        return page(request, typed, chosen, errors=errors, status=400)
    voter = current_voter(request) or Voter.objects.create()
    own = {name: key for name, key in keys.items() if key != DEFAULTS[name]}
    voter.settings = {**voter.settings, "always_reveal": chosen["always_reveal"], "keys": own}
    voter.save(update_fields=["settings"])
    response = HttpResponse(status=303, headers={"Location": "/settings/?saved"})
    remember(response, voter)
    remember_theme(response, chosen["theme"])
    remember_language(response, chosen["language"])
    return response


def remember_language(response: HttpResponse, language: str) -> None:
    """Keep the language in the cookie that Django's own switch uses."""
    response.set_cookie(
        settings.LANGUAGE_COOKIE_NAME,
        language,
        max_age=settings.LANGUAGE_COOKIE_AGE,
        httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
        samesite=settings.LANGUAGE_COOKIE_SAMESITE,
        secure=settings.LANGUAGE_COOKIE_SECURE,
    )


def page(
    request: HttpRequest,
    keys: dict[str, str],
    chosen: dict[str, Any],
    *,
    errors: dict[str, str] | None = None,
    saved: bool = False,
    status: int = 200,
) -> HttpResponse:
    """The form, with what was typed and what is wrong with it."""
    errors = errors or {}
    fields = [
        {"action": action, "value": keys[action.name], "default": cap(action.default), "error": errors.get(action.name)}
        for action in ACTIONS
    ]
    context = {
        "section": "settings",
        "fields": fields,
        "themes": THEMES,
        "chosen": chosen,
        "errors": errors,
        "saved": saved,
    }
    return render(request, "votes/settings.html", context, status=status)
