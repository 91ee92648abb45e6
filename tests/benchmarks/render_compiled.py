"""The same race with our UNet compiled; diffusers' pipeline stays as it comes."""

from collections.abc import Callable
from pathlib import Path

from tests.benchmarks import render


def workers(folder: Path) -> tuple[Callable[[], object], Callable[[], object]]:
    """Compiling takes its minutes before anything is timed."""
    return render.workers(folder, compile_backend="inductor")
