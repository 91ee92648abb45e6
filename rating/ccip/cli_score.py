"""`python -m rating ccip score`: how like its characters each checkpoint's images are."""

import re
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rating.ccip.command import INCOMPLETE, bar, encoder_of, made, say, show, show_json
from rating.ccip.encoder import CCIPEncoder
from rating.ccip.errors import MissingFileError, SuiteError
from rating.ccip.report import CheckpointScore, write_score
from rating.ccip.scoring import score
from rating.ccip.suite import Key, Suite, read_suite

SUFFIXES = (".png", ".webp", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".avif")
# What file systems do not take in a name.
REFUSED = re.compile(r'[/\\:*?"<>|]')
MOST_NAMED = 5


def run(options: Namespace) -> int:
    """Print the scores; 3 where one is incomplete and that is not allowed. Raises CCIPError."""
    suite = read_suite(options.suite)
    found = {folder: images_of(suite, folder) for folder in options.folders}
    names = _names(options.folders)
    out = made(options.out) if options.out is not None else None
    encoder = encoder_of(options)
    scores = [_scored(encoder, suite, images, names[folder], options) for folder, images in found.items()]
    if out is not None:
        for one in scores:
            write_score(one, out / f"{folder_name(one.checkpoint)}.json")
    if options.format == "json":
        show_json([one.to_json() for one in scores])
    else:
        _table(scores)
    for one in scores:
        _say_what_is_wrong(one)
    return 0 if options.allow_missing or all(one.complete for one in scores) else INCOMPLETE


def folder_name(name: str) -> str:
    """A name as a folder can bear it: what file systems refuse becomes an underscore."""
    return REFUSED.sub("_", name)


def images_of(suite: Suite, folder: Path) -> dict[Key, Path]:
    """The images in folder/CHARACTER/PROMPT/SEED.png (or another kind of image) that the suite asks for.

    Raises MissingFileError where there is no such folder or none of the images, SuiteError for two of one key.
    """
    found: dict[Key, Path] = {}
    owed = suite.keys()
    for key in owed:
        stem = folder / folder_name(key.character) / folder_name(key.prompt) / str(key.seed)
        files = [stem.with_name(stem.name + suffix) for suffix in SUFFIXES]
        there = [file for file in files if file.is_file()]
        if len(there) > 1:
            raise SuiteError(f"{there[0]} and {there[1]} are for the same image; delete one")
        if there:
            found[key] = there[0]
    if len(set(found.values())) < len(found):
        raise SuiteError(f"{folder}: two characters or prompts of the suite have one folder name; rename one")
    if not found:
        first = Path(folder_name(owed[0].character), folder_name(owed[0].prompt), f"{owed[0].seed}.png")
        raise MissingFileError(f"{folder} holds none of the suite's {len(owed)} images; the first is {folder / first}")
    return found


def _names(folders: Sequence[Path]) -> dict[Path, str]:
    """Checkpoints are called as their folders, or by their whole paths where two folders are called the same."""
    short = [folder.resolve().name for folder in folders]
    if len(set(folders)) < len(folders):
        twice = next(folder for folder in folders if list(folders).count(folder) > 1)
        raise SuiteError(f"the folder {twice} is given twice; give each checkpoint once")
    return {
        folder: name if short.count(name) == 1 else str(folder) for folder, name in zip(folders, short, strict=True)
    }


def _scored(
    encoder: CCIPEncoder, suite: Suite, images: Mapping[Key, Path], name: str, options: Namespace
) -> CheckpointScore:
    with bar(name) as progress:
        return score(
            encoder,
            suite,
            images,
            checkpoint=name,
            threshold=options.threshold,
            level=options.level,
            seed=options.seed,
            progress=progress,
        )


def _table(scores: list[CheckpointScore]) -> None:
    first = scores[0]
    show([_row(one) for one in scores], f"{first.encoder_name}, suite {first.suite[:12]}")
    for one in scores:
        show([_character_row(asdict(character)) for character in one.characters], f"{one.checkpoint}, by character")
    print(
        f"mean difference: lower is better; same rate: share of references within {first.threshold:g} "
        f"({first.threshold_source}); {100 * first.level:g} % intervals over characters"
    )
    print("ceiling: references against each other; floor: other characters' references")
    if first.notice:
        print(f"note: {first.notice}")


def _row(one: CheckpointScore) -> dict[str, Any]:
    return {
        "checkpoint": one.checkpoint,
        "difference": one.difference.value,
        "low": one.difference.low,
        "high": one.difference.high,
        "same_rate": one.same_rate.value,
        "same_low": one.same_rate.low,
        "same_high": one.same_rate.high,
        "nearest": one.nearest,
        "top1": one.top1,
        "ceiling": one.reference_difference,
        "ceiling_same": one.reference_same_rate,
        "floor": one.floor_difference,
        "floor_same": one.floor_same_rate,
        "same/ceiling": one.same_ratio,
        "images": len(one.images),
        "missing": len(one.missing),
    }


def _character_row(character: Mapping[str, Any]) -> dict[str, Any]:
    named = {"reference_difference": "ceiling", "reference_same_rate": "ceiling_same", "same_ratio": "same/ceiling"}
    named |= {"floor_difference": "floor", "floor_same_rate": "floor_same"}
    return {named.get(name, name): value for name, value in character.items()}


def _say_what_is_wrong(one: CheckpointScore) -> None:
    notes = [f"{'/'.join(map(str, missing.key))}: {missing.reason}" for missing in one.missing]
    _say_some(f"incomplete: {one.checkpoint} lacks {len(notes)} images", notes)
    leaks = [f"{'/'.join(map(str, leak.key))} is the reference {leak.reference}" for leak in one.leaks]
    _say_some(f"leak: {one.checkpoint} has images that are references; those pairs are left out", leaks)
    twice = [f"{pair.one} is {pair.other}" for pair in one.duplicates]
    _say_some("references that stand twice raise the ceiling", twice)


def _say_some(words: str, notes: list[str]) -> None:
    if not notes:
        return
    rest = [f"and {len(notes) - MOST_NAMED} more (--format json names all)"] if len(notes) > MOST_NAMED else []
    say("\n  ".join([f"{words}:", *notes[:MOST_NAMED], *rest]))
