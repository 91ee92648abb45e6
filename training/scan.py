"""First pass over the posts: what has to be known of all of them before one can be written.

A part is scanned into a few numbers a post (33 bytes), and the parts' numbers together give every post its quality and
tell which ids and files came before.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generation.files import whole
from generation.tags import QUALITIES
from training.additions import additions_of, write_without_post
from training.errors import UserError
from training.intake import Images, Intake, take_in
from training.parts import Part
from training.posts import CATEGORIES, Post
from training.prepare_config import PrepareConfig
from training.quality import UNRANKED, QualityConfig, can_be_ranked, rank_posts
from training.vocabulary import Vocabulary, meanings, read_vocabulary

SAME_ID, SAME_FILE = 254, 253
_COLUMNS = (("ids", np.int64), ("times", np.int64), ("scores", np.int64), ("ratings", np.uint8), ("files", np.uint64))


@dataclass(frozen=True)
class Job:
    """One part of a preparation; cheap to send to another process."""

    number: int
    part: Part
    out: Path
    images: Images
    config: PrepareConfig

    def taken_in(self) -> Iterator[Intake]:
        """Its records as posts, or as what is wrong with them."""
        additions = additions_of(self.out) if self.config.texts else None
        return take_in(self.part, vocabulary_of(self.config.vocabulary), self.images, additions)

    @property
    def scanned(self) -> Path:
        """Where the part's numbers are kept."""
        return self.out / "scan" / f"{self.number:05d}.npz"

    @property
    def codes(self) -> Path:
        """Where the part's quality codes are kept."""
        return self.scanned.with_suffix(".npy")


@cache
def vocabulary_of(path: str) -> Vocabulary | None:
    """The vocabulary of a config, read once a process; None where it names no file."""
    return read_vocabulary(Path(path), lambda problem: None) if path else None


def scan_part(job: Job) -> int:
    """Write the part's numbers, if they are not there yet; returns how many posts it has.

    Raises:
        UserError: a problem, where the config says to stop.
    """
    if not job.scanned.exists():
        rows, categories = [], {}
        for found in job.taken_in():
            if found.problems and job.config.on_problem == "stop":
                raise UserError(f"{found.where}, post {found.id or 'without id'}: {'; '.join(found.problems)}")
            if found.post is not None:
                rows.append(_numbers(found.post, job.config.quality))
                for category in CATEGORIES:
                    categories.update(dict.fromkeys(getattr(found.post, category), category))
        _save(job.scanned, rows, categories)
    with np.load(job.scanned) as columns:
        return len(columns["ids"])


def _numbers(post: Post, config: QualityConfig) -> tuple[int, int, int, int, int]:
    ranked = can_be_ranked(post, config)
    time = round(post.created_at.timestamp() * 1e6) if post.created_at else 0
    score = getattr(post, config.metric)
    try:
        file = int(post.md5[:16], 16)
    except ValueError:
        file = 0
    return post.id, time, score if ranked else 0, ord(post.rating) if ranked else 0, file


def _save(path: Path, rows: list[tuple[int, int, int, int, int]], categories: dict[str, str]) -> None:
    columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
    arrays = {name: np.array(values, kind) for (name, kind), values in zip(_COLUMNS, columns, strict=True)}
    path.with_suffix(".json").write_text(json.dumps(categories, ensure_ascii=False), "utf-8")
    with whole(path) as partial, partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # numpy's stub takes any name for allow_pickle


def rank_all(jobs: list[Job], config: PrepareConfig) -> dict[str, list[str]]:
    """Write every part's codes; returns the words of two meanings with their tags.

    A code is a place in `generation.tags.QUALITIES`, `UNRANKED`, or says that the post's id (`SAME_ID`) or file
    (`SAME_FILE`) came before.
    """
    parts = [np.load(job.scanned) for job in jobs]
    columns = {name: np.concatenate([part[name] for part in parts] or [np.empty(0, kind)]) for name, kind in _COLUMNS}
    if config.texts:
        write_without_post(jobs[0].out, columns["ids"])
    codes = _codes(columns, config.quality)
    codes[_later(columns["files"]) & (columns["files"] != 0)] = SAME_FILE
    codes[_later(columns["ids"])] = SAME_ID
    first = 0
    for job, part in zip(jobs, parts, strict=True):
        last = first + len(part["ids"])
        np.save(job.codes, codes[first:last])
        first = last
        part.close()
    return words_of_two_meanings(jobs, config)


def _codes(columns: dict[str, NDArray[np.int64]], config: QualityConfig) -> NDArray[np.uint8]:
    codes = np.full(len(columns["ids"]), UNRANKED, np.uint8)
    ranked = columns["ratings"] != 0
    codes[ranked] = rank_posts(
        columns["times"][ranked], columns["ids"][ranked], columns["scores"][ranked],
        columns["ratings"][ranked].astype(np.uint8), config,
    )  # fmt: skip
    return codes


def _later(values: NDArray[np.int64]) -> NDArray[np.bool_]:
    """True where a value came before."""
    later = np.ones(len(values), bool)
    later[np.unique(values, return_index=True)[1]] = False
    return later


def words_of_two_meanings(jobs: list[Job], config: PrepareConfig) -> dict[str, list[str]]:
    """Ambiguous words with their tags, of the vocabulary and of all scanned posts."""
    known = vocabulary_of(config.vocabulary)
    categories = dict(known.categories) if known else {}
    for job in jobs:
        for tag, category in json.loads(job.scanned.with_suffix(".json").read_text("utf-8")).items():
            categories.setdefault(tag, category)
    return {word: list(tags) for word, tags in meanings(categories).items()}


def quality_of(code: int) -> str:
    """The quality tag of a code, empty for any other."""
    return QUALITIES[code] if code < len(QUALITIES) else ""
