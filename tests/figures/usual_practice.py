"""Measures every number and draws every picture of docs/usual-practice.md: python -m tests.figures.usual_practice.

The numbers go to docs/pictures/usual-practice.json; pictures and page are made from that file alone. Name figures to
measure only those again, or `page` to measure none.
"""

import json
import sys
import time
from importlib import import_module

import numpy as np

from tests.figures import averages, both_bad, dynamics, intervals, order, picks, ranks
from tests.figures.page import NUMBERS, PAGE, PICTURES_FOLDER, page, plain

FIGURES = {module.__name__.rpartition(".")[2]: module for module in (
    order, intervals, picks, dynamics, averages, ranks, both_bad
)}  # fmt: skip
SEED = 20


def main(chosen: list[str]) -> None:
    """Measure, then draw and write."""
    numbers = json.loads(NUMBERS.read_text()) if NUMBERS.exists() else {}
    for at, (name, module) in enumerate(FIGURES.items()):
        if not chosen or name in chosen:
            print(f"{name}…", end=" ", file=sys.stderr, flush=True)
            start = time.perf_counter()
            numbers[name] = plain(module.measure(np.random.default_rng([SEED, at])))
            print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    NUMBERS.write_text(json.dumps({name: numbers[name] for name in FIGURES if name in numbers}, indent=1) + "\n")
    # matplotlib is needed here only, so that the numbers can be tested without it.
    drawing, style = import_module("tests.figures.pictures"), import_module("tests.figures.style")
    for name, (draw, title) in drawing.PICTURES.items():
        if name in numbers:
            style.save(draw(numbers[name]), PICTURES_FOLDER / f"usual-practice-{name.replace('_', '-')}.svg", title)
    PAGE.write_text(page(numbers), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
