"""Votes of real people, for tests of every engine (tests/data/votes/README.md)."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.votes import Votes, votes_of

FOLDER = Path(__file__).parents[1] / "data" / "votes"
OUTCOMES = {"left": "1", "right": "2", "tie": "1=2"}


@pytest.fixture(scope="session")
def real_votes() -> Callable[[str], Votes]:
    """Reads `llmfao_crowd`, `evalica_food`, `evalica_simple` or `football_1990_3000` as votes of the poll `fixed`."""

    def read(name: str) -> Votes:
        with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        names = (FOLDER / "llmfao_contestants.txt").read_text(encoding="utf-8").splitlines()
        games = []
        for row in rows:
            seats = (row["left"], row["right"])
            if name == "llmfao_crowd":
                seats = names[int(row["left"])], names[int(row["right"])]
            outcome = parse_outcome(OUTCOMES[row["winner"]], 2)
            games.append(Game(seats, outcome, "fixed", voter=row.get("voter", ""), prompt=row.get("prompt", "")))
        return votes_of(games)

    return read
