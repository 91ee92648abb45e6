"""What the pages that name checkpoints have in common."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from arena.gallery.finding import UnknownNameError

View = Callable[..., HttpResponse]


def naming_the_known(view: View) -> View:
    """Answer an UnknownNameError raised by the view with a page that lists what could be meant, 404."""

    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return view(request, *args, **kwargs)
        except UnknownNameError as error:
            return render(request, "gallery/unknown.html", {"section": "checkpoints", "error": error}, status=404)

    return answer
