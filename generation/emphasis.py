"""AUTOMATIC1111's prompt syntax: which part of a text has which weight. No torch here.

``(text)`` weighs 1.1 times, ``[text]`` 1/1.1 times, ``(text:1.3)`` 1.3 times; brackets nest and multiply; a backslash
takes a bracket literally; the word BREAK starts a new chunk. Brackets that are never closed count to the end of the
text. Source of the rules: the AUTOMATIC1111 web UI's documentation of attention (wiki page "Features").
"""

import re
from dataclasses import dataclass
from itertools import pairwise

ROUND, SQUARE = 1.1, 1 / 1.1
BREAK = re.compile(r"\s*\bBREAK\b\s*")
WEIGHT = re.compile(r":\s*([+-]?(?:\d+\.?\d*|\.\d+))\s*\)")
CLOSES = {")": "(", "]": "["}
MAX_WEIGHT = 10.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of text of one weight.

    Attributes:
        text: without brackets and backslashes.
        offsets: for every character of ``text``, where it stands in the whole prompt.
        weight: 1 where nothing is said.
        breaks: a new chunk begins with this piece.
    """

    text: str
    offsets: tuple[int, ...]
    weight: float = 1.0
    breaks: bool = False


@dataclass(slots=True)
class _Run:
    start: int
    end: int
    weight: float


def literal(text: str) -> list[Piece]:
    """The whole text as one piece of weight 1."""
    return [Piece(text, tuple(range(len(text))))]


def parse(text: str) -> list[Piece]:
    """Pieces in order. Raises ValueError for a weight beyond 10 in either direction."""
    characters, weights = _weigh(text)
    pieces: list[Piece] = []
    start = 0
    for match in (*BREAK.finditer("".join(c for c, _ in characters)), None):
        end = match.start() if match else len(characters)
        pieces += _runs(characters[start:end], weights[start:end], breaks=bool(pieces) and start > 0)
        start = match.end() if match else end
    return pieces or [Piece("", ())]


def _weigh(text: str) -> tuple[list[tuple[str, int]], list[float]]:
    """Characters with their place in the prompt, and the weight of each."""
    characters: list[tuple[str, int]] = []
    weights: list[float] = []
    open_brackets: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        character = text[at]
        given = WEIGHT.match(text, at) if open_brackets and open_brackets[-1][0] == "(" else None
        if character == "\\" and text[at + 1 : at + 2] in ("(", ")", "[", "]", "\\") and at + 1 < len(text):
            characters.append((text[at + 1], at + 1))
            weights.append(1.0)
            at += 2
        elif given:
            _multiply(weights, open_brackets.pop()[1], _number(given[1]))
            at = given.end()
        else:
            at += 1
            _take(character, at - 1, characters, weights, open_brackets)
    for kind, begin in open_brackets:
        _multiply(weights, begin, ROUND if kind == "(" else SQUARE)
    return characters, weights


def _take(
    character: str,
    at: int,
    characters: list[tuple[str, int]],
    weights: list[float],
    open_brackets: list[tuple[str, int]],
) -> None:
    """A bracket opens or closes a weight; anything else, and a bracket that closes nothing, is text."""
    if character in "([":
        open_brackets.append((character, len(weights)))
    elif character in CLOSES and open_brackets and open_brackets[-1][0] == CLOSES[character]:
        _multiply(weights, open_brackets.pop()[1], ROUND if character == ")" else SQUARE)
    else:
        characters.append((character, at))
        weights.append(1.0)


def _multiply(weights: list[float], begin: int, factor: float) -> None:
    weights[begin:] = [weight * factor for weight in weights[begin:]]


def _number(text: str) -> float:
    value = float(text)
    if abs(value) > MAX_WEIGHT:
        raise ValueError(f"the prompt weighs something {text} times; weights go from -{MAX_WEIGHT:g} to {MAX_WEIGHT:g}")
    return value


def _runs(characters: list[tuple[str, int]], weights: list[float], *, breaks: bool) -> list[Piece]:
    """Neighbouring characters of equal weight as one piece; an empty stretch after BREAK is still a piece."""
    bounds = [0, *(i for i in range(1, len(weights)) if weights[i] != weights[i - 1]), len(weights)]
    runs = [_Run(a, b, weights[a]) for a, b in pairwise(bounds) if b > a]
    pieces = []
    for number, run in enumerate(runs):
        part = characters[run.start : run.end]
        text, offsets = "".join(c for c, _ in part), tuple(i for _, i in part)
        pieces.append(Piece(text, offsets, run.weight, breaks and number == 0))
    return pieces or ([Piece("", (), 1.0, True)] if breaks else [])
