"""``python -m training convert``: checkpoints and LoRAs from one form into another, by the renderer's own command."""

from __future__ import annotations

from collections.abc import Sequence

from generation.cli import main as generation_main


def main(argv: Sequence[str]) -> int:
    """`python -m generation convert` with these arguments; its exit status."""
    return generation_main(["convert", *argv], program="python -m training")
