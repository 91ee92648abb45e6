"""A prepared data set out of a source of posts: two passes over its parts, in processes, resumable."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from generation.canonical import canonical_sha256
from generation.files import remove, write_json
from training import additions
from training.census import part_counts, tags_of_parts
from training.config import to_mapping
from training.errors import UserError
from training.folder import MANIFEST, read_manifest
from training.intake import Images, take_in
from training.parts import Part
from training.prepare_config import PrepareConfig
from training.prepare_part import MEANINGS, write_part
from training.prune import load_scorer
from training.scan import Job, rank_all, scan_part, vocabulary_of
from training.sources import PART_ROWS, PLAN, parquet, parts_of
from training.vocabulary import FILE, Vocabulary, read_vocabulary, write_vocabulary

SCHEMA = 2
VOCABULARY_PROBLEMS = "vocabulary-problems.jsonl"
PICTURE_ROWS = 2_000  # of a part, where pictures are read: minutes of work, of which a kill costs the last ones
OWN = {"schema", "source", "source_parts_sha256", "prepare"}  # which tell a prepared set's plan from other files
OUTPUTS = ("scan", "parts", MEANINGS, FILE, VOCABULARY_PROBLEMS, additions.PROBLEMS, "characters.json")
BEFORE_PLAN = {VOCABULARY_PROBLEMS, f"{PLAN}.partial"}  # what an interrupted start may have left
CARRIED = ("styles", "synthetic_fields", "note")  # what a source's own manifest says and a prepared set says, too


@dataclass(frozen=True)
class Preparation:
    """What is prepared, how, and where to; ``records`` is ``jsonl`` or ``parquet``."""

    source: Path
    out: Path
    images: Path
    config: PrepareConfig
    records: str = "jsonl"

    def settings(self, parts: Sequence[Part]) -> dict[str, Any]:
        """What decides the set's content, the places of the source's ``parts`` among it."""
        return {
            "schema": SCHEMA,
            "source": str(self.source),
            "source_parts_sha256": canonical_sha256([*map(repr, parts), *_sizes(parts), *self._texts_sizes()]),
            "images": os.path.relpath(self.images, self.out),
            "records": self.records,
            "prepare": to_mapping(self.config),
        }

    def _texts_sizes(self) -> list[int]:
        return [size for file in self.config.texts for size in _sizes(parts_of(Path(file)))]


def prepare(plan: Preparation, *, command: str, workers: int = 1) -> dict[str, Any]:
    """Prepare the set, or go on with it where it was interrupted; returns its manifest.

    What another version left unfinished is begun anew, what it finished is left as it is.

    Raises:
        UserError: the source cannot be read, ``out`` holds something else or other settings, a problem where the
            config says to stop, or the disk refuses.
    """
    manifest = plan.out / MANIFEST
    additions.additions_of.cache_clear()  # an earlier preparation of this process may have had the same folder
    parts = parts_of(plan.source, PART_ROWS if plan.config.write == "records" else PICTURE_ROWS)
    try:
        settings = plan.settings(parts)
        _claim(plan, settings)
        if manifest.is_file():
            return read_manifest(plan.out)
        jobs = _jobs(plan, parts)
        (plan.out / "scan").mkdir(exist_ok=True)
        if plan.config.texts and not (plan.out / additions.FILE).is_file():
            additions.index(plan.config.texts, plan.out, stop=plan.config.on_problem == "stop")
        posts = sum(_each(scan_part, jobs, workers, "reading posts"))
        if not posts:
            raise UserError(f"{plan.source} has no usable post; the first problem: {_first_problem(jobs)}")
        write_json(plan.out / MEANINGS, rank_all(jobs, plan.config))
        _each(partial(write_part, records=plan.records), jobs, workers, "writing parts")
        known = vocabulary_of(plan.config.vocabulary) or Vocabulary()
        write_vocabulary(plan.out / FILE, tags_of_parts(plan.out, known))
        values = _manifest(plan, len(jobs), settings, command)
        write_json(manifest, values)
        shutil.rmtree(plan.out / "scan", ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write {plan.out}: {error}; free some space and run the same command again") from error
    return values


def _sizes(parts: Sequence[Part]) -> list[int]:
    """Of the source's files: one that was written anew has another, though its parts may be called the same."""
    files = dict.fromkeys(getattr(part, "file", None) for part in parts)
    return [file.stat().st_size for file in files if file]


def _claim(plan: Preparation, settings: dict[str, Any]) -> None:
    """Make the folder, or check that it holds this very preparation; one that an earlier version left is cleared."""
    path = plan.out / PLAN
    found = _read_plan(path)
    if found is not None and not (plan.out / MANIFEST).is_file() and _is_of_another_version(found, settings):
        print(f"{plan.out} was begun by another version: its unfinished parts are deleted and prepared anew")
        for name in OUTPUTS:
            remove(plan.out / name)
    elif found is not None:
        _check_same(plan.out, found, settings)
        return
    elif plan.out.exists() and not {file.name for file in plan.out.iterdir()} <= BEFORE_PLAN:
        raise UserError(f"{plan.out} exists and is not a prepared data set: choose another --out")
    _check_tools(plan)
    plan.out.mkdir(parents=True, exist_ok=True)
    write_json(path, settings)


def _read_plan(path: Path) -> dict[str, Any] | None:
    """What a prepared set was begun with; None where there is none, or a file of somebody else."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() >= OWN else None


def _is_of_another_version(found: Mapping[str, Any], settings: Mapping[str, Any]) -> bool:
    return found["schema"] != SCHEMA or bool(_names(settings) - _names(found))


def _names(settings: Mapping[str, Any]) -> set[str]:
    """Of all settings, also below others, with dots."""
    below = {f"{name}.{one}" for name, value in settings.items() if isinstance(value, dict) for one in _names(value)}
    return below | settings.keys()


def _check_same(out: Path, found: Mapping[str, Any], settings: Mapping[str, Any]) -> None:
    """Compares what both know; of a set of another version, which is finished, that is not all."""
    there, here = _known(found, settings), _known(settings, found)
    differing = [name for name in here if name != "schema" and there[name] != here[name]]
    if differing:
        raise UserError(
            f"{out} was prepared with other settings or another source ({', '.join(differing)} differ): give the same "
            "ones to go on with it, or another --out, or delete that folder to prepare it anew"
        )


def _known(settings: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Those settings that ``other`` has, too."""
    return {
        name: _known(value, other[name]) if isinstance(value, dict) and isinstance(other[name], dict) else value
        for name, value in settings.items()
        if name in other
    }


def _check_tools(plan: Preparation) -> None:
    """Fail before any work: vocabulary, scores and Parquet must be there."""
    problems: list[str] = []
    if plan.config.vocabulary:
        read_vocabulary(Path(plan.config.vocabulary), problems.append)
    if problems and plan.config.on_problem == "stop":
        raise UserError(problems[0])
    for rule in plan.config.prune.scores:
        load_scorer(rule)
    if plan.records == "parquet":
        parquet()
    plan.out.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps({"post": 0, "where": plan.config.vocabulary, "problem": text}) for text in problems)
    (plan.out / VOCABULARY_PROBLEMS).write_text("".join(f"{line}\n" for line in lines), "utf-8")


def _jobs(plan: Preparation, parts: Sequence[Part]) -> list[Job]:
    images = Images(plan.images, plan.config.image_pattern)
    return [Job(number, part, plan.out, images, plan.config) for number, part in enumerate(parts)]


def _each(work: Callable[[Job], int], jobs: Sequence[Job], workers: int, title: str) -> list[int]:
    """``work`` of every job, in order; with a bar. Processes are spawned, as forking a threaded program may hang."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TextColumn("parts"), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        if workers <= 1 or len(jobs) <= 1:
            return [work(job) for job in progress.track(jobs)]
        with multiprocessing.get_context("spawn").Pool(
            min(workers, len(jobs)), signal.signal, (signal.SIGINT, signal.SIG_IGN)
        ) as pool:
            return list(progress.track(pool.imap(work, jobs), total=len(jobs)))


def _first_problem(jobs: Sequence[Job]) -> str:
    found = (f"{one.where}: {one.problems[0]}" for job in jobs for one in take_in(job.part, None, job.images))
    return next(found, "it is empty")


def _manifest(plan: Preparation, parts: int, settings: dict[str, Any], command: str) -> dict[str, Any]:
    """Settings, counts and hashes; and what the source's own manifest says of licence and synthetic fields."""
    posts, removed = 0, 0
    hashes = {name: hashlib.sha256() for name in ("posts_sha256", "images_sha256")}
    for counts in part_counts(plan.out):
        posts += counts["after"]["posts"]
        removed += sum(counts["reasons"].values())
        for name, digest in hashes.items():
            digest.update(counts[name].encode())
    source = plan.source / MANIFEST
    found = json.loads(source.read_text("utf-8")) if source.is_file() else {}
    if not posts:
        raise UserError(f"no post of {plan.source} is left: see {plan.out}/parts/*/removed.jsonl for the reasons")
    if (plan.source / "characters.json").is_file():
        shutil.copyfile(plan.source / "characters.json", plan.out / "characters.json")
    return {
        **settings,
        "settings_sha256": canonical_sha256(settings),
        "posts": posts,
        "removed": removed,
        "parts": parts,
        **{name: digest.hexdigest() for name, digest in hashes.items()},
        "seed": plan.config.seed,
        "styles": [],
        **{name: found[name] for name in CARRIED if name in found},
        "command": command,
    }
