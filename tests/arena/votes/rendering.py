"""The real renderer, with something happening at a known moment."""

from collections.abc import Iterator
from typing import Any

from arena.votes.models import FreePrompt
from generation.renderer import Renderer


class CancelledMeanwhile(Renderer):
    """The volunteer cancels just before the first step."""

    def attempt(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        FreePrompt.objects.update(state=FreePrompt.State.CANCELLED)
        return super().attempt(*args, **kwargs)


class Killed(Renderer):
    """The process is told to stop while it renders, as by a signal."""

    def attempt(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        raise SystemExit(1)
