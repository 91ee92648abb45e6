"""A renderer without weights: flat colours, with a pause in which a worker can be killed."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from PIL import Image

from generation.errors import Cancelled

PAUSE_SECONDS = 0.05


class FlatColours:
    """Takes what the real one takes; the colour tells checkpoint and seed apart."""

    def __init__(self, folder: Path, **_: Any) -> None:
        self._folder = folder

    def swap(self, folder: Path) -> None:
        """Go on with another checkpoint."""
        self._folder = folder

    def attempt(
        self, recipe: Any, requests: Sequence[Any], *, should_stop: Callable[[], bool] | None = None
    ) -> Iterator[Any]:
        """One image a request."""
        for request in requests:
            time.sleep(PAUSE_SECONDS)
            if should_stop and should_stop():
                raise Cancelled("asked to stop")
            number = hash((self._folder.name, request.seed)) & 0xFFFFFF
            image = Image.new("RGB", (8, 8), (number >> 16, number >> 8 & 255, number & 255))
            yield SimpleNamespace(image=image, manifest=self.manifest(recipe, request))

    def manifest(self, recipe: Any, request: Any) -> dict[str, Any]:
        """What the archive asks for."""
        checkpoint = {"name": self._folder.name, "sha256": ""}
        return {"checkpoint": checkpoint, "recipe": recipe.to_dict(), "prompt": request.prompt, "seed": request.seed}
