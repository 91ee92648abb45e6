"""The three polls of the paper's section 5.1 and what they ask for: characters, prompt sets, references."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext_noop

from arena.evaluations.prompts import FFA, FIXED, FREE, SEEDS
from arena.gallery.models import Character, Prompt, PromptSet
from arena.polls.models import Poll
from generation.tags import prompt, respelled, spaced

# With two templates and two seeds, twelve characters make 48 images a checkpoint.
FIXED_CHARACTERS = 12


class DatasetError(Exception):
    """A data set's characters cannot be read; the message names the file and the remedy."""


def seed(dataset: Path | None) -> int:
    """Make the polls and their prompts; what is there already stays as it is.

    The fixed-characteristics poll needs named characters, so it opens only with a data set that has a
    ``characters.json``; without one the two free polls open alone.

    Args:
        dataset: the data set's folder, or None.

    Returns:
        How many named characters the data set has; 0 without one.

    Raises:
        DatasetError: ``characters.json`` is missing, unreadable, or names a picture that is not there.
    """
    characters = _read_characters(dataset) if dataset else []
    with transaction.atomic():
        _open(Poll.Kind.DUEL, "free", gettext_noop("Free prompts"), gettext_noop("Which image do you prefer?"), FREE)
        _open(Poll.Kind.FFA, "ffa", gettext_noop("Free for all"), gettext_noop("Which image is the best?"), FFA)
    if dataset and characters:
        _seed_characters(dataset, characters)
    return len(characters)


def _open(kind: Poll.Kind, slug: str, title: str, question: str, texts: Iterable[str]) -> PromptSet:
    prompts, _ = PromptSet.objects.get_or_create(slug=slug, defaults={"title": title, "seeds": list(SEEDS)})
    for text in texts:
        Prompt.objects.get_or_create(prompt_set=prompts, text=respelled(text))
    Poll.objects.get_or_create(kind=kind, defaults={"question": question, "prompt_set": prompts})
    return prompts


def _seed_characters(dataset: Path, rows: list[dict[str, Any]]) -> None:
    """Characters with their references, and fixed prompts for a dozen of them spread over the list."""
    step = max(1, len(rows) // FIXED_CHARACTERS)
    asked = rows[::step][:FIXED_CHARACTERS]
    with transaction.atomic():
        question = gettext_noop("Which image shows the character better?")
        prompts = _open(Poll.Kind.FIXED, "fixed", gettext_noop("Fixed characteristics"), question, ())
        for row in rows:
            character, _ = Character.objects.update_or_create(
                name=row["name"],
                defaults={"tags": [spaced(tag) for tag in row["tags"]], "references": _copy_references(dataset, row)},
            )
            if row in asked:
                _seed_fixed_prompts(prompts, character)


def _seed_fixed_prompts(prompts: PromptSet, character: Character) -> None:
    person = next((tag for tag in character.tags if tag in {"1girl", "1boy"}), "1other")
    for general in FIXED:
        text = prompt({"person": [person], "character": [character.name], "general": general})
        Prompt.objects.get_or_create(prompt_set=prompts, text=text, defaults={"character": character})


def _copy_references(dataset: Path, row: Mapping[str, Any]) -> list[str]:
    """Put the reference pictures into the arena's own storage; their storage names."""
    names = []
    for number, path in enumerate(row["references"], start=1):
        name = f"references/{row['name']}/{number}.png"
        content = (dataset / path).read_bytes()
        if not _stored(name, content):
            default_storage.delete(name)
            default_storage.save(name, ContentFile(content))
        names.append(name)
    return names


def _stored(name: str, content: bytes) -> bool:
    if not default_storage.exists(name):
        return False
    with default_storage.open(name) as file:
        return bool(file.read() == content)


def _read_characters(dataset: Path) -> list[dict[str, Any]]:
    source = dataset / "characters.json"
    remedy = "make the data set with `python -m training dataset demo --out DIR` and give that folder"
    try:
        rows = json.loads(source.read_text(encoding="utf-8"))
        checked = [{"name": str(r["name"]), "tags": list(r["tags"]), "references": list(r["references"])} for r in rows]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise DatasetError(f"{source} cannot be read ({error!r}): {remedy}") from error
    absent = [path for row in checked for path in row["references"] if not (dataset / path).is_file()]
    if absent:
        raise DatasetError(f"{source} names {absent[0]}, which is not there: {remedy}")
    return checked
