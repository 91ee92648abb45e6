"""The real renderer with a gate after its first batch, so that whatever is killed meanwhile is killed in the middle."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from generation.renderer import Renderer

GATE = "GATE_OF_THE_TEST"


def gated(gate: Path) -> dict[str, str]:
    """The environment of a worker that renders on once the file `gate` is there."""
    return {"ARENA_RENDERER": f"{__name__}.Gated", GATE: str(gate)}


class Gated(Renderer):
    """Waits before every batch but the first."""

    _begun = False

    def attempt(self, *arguments: Any, **options: Any) -> Iterator[Any]:
        """As the real one."""
        while self._begun and not Path(os.environ[GATE]).exists():
            time.sleep(0.02)
        self._begun = True
        return super().attempt(*arguments, **options)
