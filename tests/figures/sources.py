"""The real votes and ratings behind docs/usual-practice.md, as arrays of votes."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rating.battles import read_battles
from rating.votes import DRAW, NOBODY, PICK, Votes

FOLDER = Path(__file__).resolve().parent.parent / "data" / "votes"
RANKS = {"left": (0, 1), "right": (1, 0), "tie": (0, 0)}


def llmfao() -> Votes:
    """8,931 crowd votes on pairs of answers of 59 language models to 13 prompts; 39 % ties."""
    with (FOLDER / "llmfao_crowd.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    contestants = tuple((FOLDER / "llmfao_contestants.txt").read_text(encoding="utf-8").splitlines())
    seats = np.array([(row["left"], row["right"]) for row in rows]).astype(np.int32)
    prompts, prompt = _coded([row["prompt"] for row in rows])
    voters, voter = _coded([row["voter"] for row in rows])
    ranks = np.array([RANKS[row["winner"]] for row in rows], np.int16)
    return _votes(contestants, prompts, voters, seats, ranks, prompt, voter, "fixed")


def arena_counts() -> tuple[Votes, np.ndarray]:
    """Duels of 129 chatbots: four votes a pair (left wins, right wins, tie, both bad) and how often each was given.

    Both bad is a draw here, as the usual practice has it: every fourth vote, from the fourth on.
    """
    rows = np.loadtxt(FOLDER / "chatbot_arena_counts.csv", np.int32, delimiter=",", skiprows=1)
    reference = json.loads((FOLDER / "joint_reference.json").read_text(encoding="utf-8"))
    contestants = tuple(sorted(reference["evalica_bradley_terry"]["chatbot_arena_counts_20240814"]))
    seats = np.repeat(rows[:, :2], 4, axis=0)
    ranks = np.tile(np.array([(0, 1), (1, 0), (0, 0), (0, 0)], np.int16), (len(rows), 1))
    nobody = np.full(len(ranks), NOBODY, np.int32)
    return _votes(contestants, (), (), seats, ranks, nobody, nobody, "arena"), rows[:, 2:].ravel().astype(np.float64)


def genai_arena() -> Votes:
    """1,451 blind votes on images of six checkpoints, both bad kept apart; 526 that knew the names are skips."""
    return read_battles(FOLDER / "genai_arena_t2i.csv")


def imagenhub() -> tuple[tuple[str, ...], np.ndarray]:
    """Seven text-to-image systems and (ratings, 7) what each rater found each picture of a prompt to be worth.

    The worth is sqrt(semantic consistency * perceptual quality), in [0, 1]; there are 197 prompts and 3 raters.
    """
    with (FOLDER / "imagenhub_text_to_image.csv").open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    pairs = np.array([[cell.split() for cell in row[2:]] for row in rows], np.float64)
    order = np.argsort(names[2:])
    return tuple(sorted(names[2:])), np.sqrt(pairs.prod(axis=2))[:, order]


def imagenhub_votes(seats: int, count: int, rng: np.random.Generator) -> Votes:
    """Votes as those raters would have cast them: a random rating, random systems, the highest worth is picked.

    Two equal ones are a draw in a duel; a tie for the best of more is broken at random, as one has to pick.
    """
    names, worth = imagenhub()
    shown = np.argsort(rng.random((count, len(names))), axis=1)[:, :seats].astype(np.int32)
    values = worth[rng.integers(len(worth), size=count)[:, None], shown]
    if seats > 2:
        best = (values + 1e-6 * rng.random(values.shape)).argmax(axis=1)
        ranks = np.arange(seats) != best[:, None]
    else:
        ranks = values < values.max(axis=1, keepdims=True)
    nobody = np.full(count, NOBODY, np.int32)
    return _votes(names, (), (), shown, ranks.astype(np.int16), nobody, nobody, "fixed" if seats == 2 else "pick")


def _coded(texts: Sequence[str]) -> tuple[tuple[str, ...], np.ndarray]:
    names, codes = np.unique(np.array(texts), return_inverse=True)
    return tuple(names.tolist()), codes.astype(np.int32)


def _votes(
    contestants: tuple[str, ...],
    prompts: tuple[str, ...],
    voters: tuple[str, ...],
    seats: np.ndarray,
    ranks: np.ndarray,
    prompt: np.ndarray,
    voter: np.ndarray,
    poll: str,
) -> Votes:
    return Votes(
        contestants=contestants,
        polls=(poll,),
        prompts=prompts,
        voters=voters,
        seats=seats,
        ranks=ranks,
        kinds=np.where(ranks.max(axis=1) == 0, DRAW, PICK).astype(np.int8),
        poll=np.zeros(len(ranks), np.int32),
        prompt=prompt,
        voter=voter,
        times=np.arange(len(ranks), dtype=np.float64),
    )
