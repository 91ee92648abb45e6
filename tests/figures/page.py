"""The page docs/usual-practice.md: its sentences with the measured numbers put in."""

import textwrap
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "usual-practice.md"
PICTURES_FOLDER = ROOT / "docs" / "pictures"
NUMBERS = PICTURES_FOLDER / "usual-practice.json"
TEMPLATE = Path(__file__).resolve().parent / "usual-practice.md"
DIGITS = 6


class Percent(float):
    """A share that `{:.1%}` writes as the pages of this project write percentages: `95.0 %`."""

    def __format__(self, spec: str) -> str:
        return f"{100.0 * self:{spec[:-1]}f} %" if spec.endswith("%") else super().__format__(spec)


def page(numbers: dict) -> str:
    """The whole page; each `{figure[name]}` of the template is a measured number, each of its lines a paragraph."""
    text = TEMPLATE.read_text(encoding="utf-8").format(**_percents(numbers))
    return "\n".join(_wrapped(line) for line in text.splitlines()) + "\n"


def _wrapped(line: str) -> str:
    """Prose in lines of 140; tables, headings, pictures and code as they are."""
    if line.startswith(("|", "#", "!", " ")):
        return line
    indent = "  " if line.startswith("- ") else ""
    return textwrap.fill(line, 140, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def plain(value: object) -> object:
    """Numbers as JSON has them, with six digits: more would differ between machines."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(inner) for inner in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}")
    return value.item() if isinstance(value, np.generic) else value


def _percents(value: object) -> object:
    if isinstance(value, dict):
        return {key: _percents(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_percents(inner) for inner in value]
    return Percent(value) if isinstance(value, float) else value
