"""Votes for tests of every engine: of real people (tests/data/votes/README.md), and of a world that is known."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from rating.game import Game
from rating.outcomes import parse_outcome
from rating.simulation import PollRules, World, named, simulate
from rating.votefile import write_votes
from rating.votes import Votes, votes_of

FOLDER = Path(__file__).parents[1] / "data" / "votes"
OUTCOMES = {"left": "1", "right": "2", "tie": "1=2"}
POLLS = (
    PollRules("duel"),
    PollRules("ffa", seats=4, answer="pick", bad=0.05),
    PollRules("fixed", answer="draws", tie=0.5, left=0.2, skip=0.05),
)


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


@pytest.fixture(scope="session")
def world() -> World:
    return World(named(6), np.linspace(-1.0, 1.0, 6), POLLS, voters=40, prompts=10)


@pytest.fixture(scope="session")
def file(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("votes") / "votes.csv"
    write_votes(path, simulate(world, 3000, np.random.default_rng(0)))
    return path
