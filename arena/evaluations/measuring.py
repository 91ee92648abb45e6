"""How near a contestant's samples come to the references of the characters they show: measured, and kept as rows.

Runs in the worker or a command: the encoder comes by dotted path and loads onnxruntime. What is measured is in
docs/evaluation.md.
"""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from arena.evaluations.models import CharacterScore, CheckpointScore
from arena.gallery.models import Character, Contestant, Prompt, Sample
from arena.polls.models import Poll
from rating.ccip.pictures import Picture
from rating.ccip.report import CheckpointScore as Measured
from rating.ccip.report import Estimate
from rating.ccip.scoring import score
from rating.ccip.suite import FEWEST_REFERENCES, Key, Suite, SuiteCharacter

PERSONS = {"1girl", "1boy", "1other"}
SHARED = ("difference", "same_rate", "nearest", "top1", "reference_difference", "reference_same_rate")
FLOORS = ("floor_difference", "floor_same_rate")
CACHE_FILE = "embeddings.sqlite3"
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Asked:
    """A suite of the arena, and the prompt behind each of its (character, prompt name)."""

    suite: Suite
    prompts: dict[tuple[str, str], Prompt]

    def images(self, contestant: Contestant) -> dict[Key, Picture]:
        """The archived files of the contestant's samples that the suite asks for; those in the store."""
        by_prompt = {prompt.pk: (name, template) for (name, template), prompt in self.prompts.items()}
        samples = Sample.objects.filter(contestant=contestant, prompt__in=by_prompt, seed__in=self.suite.seeds)
        found = {Key(*by_prompt[sample.prompt_id], sample.seed): _picture(sample.archive.name) for sample in samples}
        return {key: picture for key, picture in found.items() if picture is not None}


class LoadedEncoder:
    """The encoder of the settings, opened once a process."""

    def __init__(self) -> None:
        self._key: tuple[str, str] | None = None
        self._encoder: Any = None

    def get(self) -> Any:
        """The encoder. Raises rating.errors.RatingError where its folder is not what it should be."""
        key = (settings.ARENA_ENCODER, settings.ARENA_ENCODER_FOLDER)
        if key != self._key:
            self._key = self._encoder = None
            find = import_string(settings.ARENA_ENCODER).find
            cache, threads = settings.HOME / CACHE_FILE, settings.ARENA_RENDER_THREADS
            self._encoder, self._key = find(settings.ARENA_ENCODER_FOLDER or None, cache=cache, threads=threads), key
        return self._encoder


LOADED = LoadedEncoder()


def measure(contestant: Contestant, *, progress: Progress | None = None) -> CheckpointScore | None:
    """Score the contestant's samples and keep the score; one that is kept and complete is not measured again.

    Killed on the way, it goes on with the images that are not yet in the embedding cache.

    Args:
        contestant: whose samples.
        progress: called as progress(done, total) with images; what it raises stops the measuring.

    Returns:
        The row; None where no encoder is set or no open poll asks for named characters.

    Raises:
        rating.errors.RatingError: the encoder's folder is not one, a reference cannot be read, or no image is there.
    """
    asked = asked_of(contestant)
    if asked is None or not settings.ARENA_ENCODER:
        return None
    encoder = LOADED.get()
    kept = CheckpointScore.objects.filter(
        contestant=contestant, encoder=encoder.identity, suite=asked.suite.hash, threshold=encoder.threshold, missing=0
    ).first()
    if kept:
        return kept
    images = asked.images(contestant)
    return _keep(contestant, score(encoder, asked.suite, images, checkpoint=str(contestant), progress=progress))


def asked_of(contestant: Contestant) -> Asked | None:
    """The suite that a contestant is measured on; the recipe is part of it: only images rendered alike are compared."""
    poll, prompts = asked_prompts()
    if poll is None or not prompts:
        return None
    characters = {prompt.character.name: prompt.character for prompt in prompts.values()}
    suite = Suite(
        characters=tuple(SuiteCharacter(name, tuple(_references(one))) for name, one in characters.items()),
        prompts={template: template for _, template in prompts},
        seeds=tuple(poll.prompt_set.seeds),
        recipe={"sha256": contestant.recipe_sha256},
    )
    return Asked(suite, prompts)


def asked_prompts() -> tuple[Poll | None, dict[tuple[str, str], Prompt]]:
    """The fixed-characteristics poll, if it is open, and its prompts by (character, template).

    Only characters with enough references count, and of templates only those that every such character has, so that no
    character is asked for more than another.
    """
    poll = Poll.objects.filter(is_open=True, kind=Poll.Kind.FIXED).select_related("prompt_set").first()
    if poll is None or not poll.prompt_set.seeds:
        return poll, {}
    asked = poll.prompt_set.prompts.filter(origin=Prompt.Origin.SET, character__isnull=False)
    by_character: dict[str, dict[str, Prompt]] = {}
    for prompt in asked.select_related("character").order_by("character__name", "pk"):
        if len(prompt.character.references) >= FEWEST_REFERENCES:
            by_character.setdefault(prompt.character.name, {})[template_of(prompt)] = prompt
    shared = _in_all(by_character.values())
    return poll, {(name, text): prompts[text] for name, prompts in by_character.items() for text in shared}


def template_of(prompt: Prompt) -> str:
    """A character's prompt with {name} and {person} in place of its own, the same text for every character."""
    name = prompt.character.name.replace("_", " ")
    places = {name: "{name}"} | dict.fromkeys(PERSONS, "{person}")
    return ", ".join(places.get(part.strip(), part.strip()) for part in prompt.text.split(","))


def _in_all(prompts: Iterable[dict[str, Prompt]]) -> list[str]:
    """The templates that every character has, in the first one's order."""
    first, *others = [*prompts] or [{}]
    return [template for template in first if all(template in other for other in others)]


def _references(character: Character) -> list[Picture]:
    """The references' files; the score refuses one that is not in the store by its name, as no image."""
    return [_picture(name) or Picture(name, "", b"") for name in character.references]


def _picture(name: str) -> Picture | None:
    """A file of the store; one that lies on this machine is read again when it is embedded, not kept in memory."""
    try:
        with default_storage.open(name) as file:
            content = bytes(file.read())
    except FileNotFoundError:
        return None
    try:
        source: Path | bytes = Path(default_storage.path(name))
    except NotImplementedError:
        source = content
    return Picture(name, hashlib.sha256(content).hexdigest(), source)


def _keep(contestant: Contestant, found: Measured) -> CheckpointScore:
    """Write the rows of a score in place of an incomplete one, behind the contestant's row lock: never two."""
    fields: dict[str, Any] = {name: getattr(found, name) for name in (*SHARED[3:], *FLOORS)}
    for name in ("difference", "same_rate"):
        estimate: Estimate = getattr(found, name)
        fields |= {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
    fields |= {
        "encoder_name": found.encoder_name,
        "notice": found.notice,
        "images": len(found.images),
        "missing": len(found.missing),
        "interval": found.difference.method,
        "result": found.to_json(),
        "measured_at": timezone.now(),
    }
    with transaction.atomic():
        Contestant.objects.select_for_update(no_key=True).get(pk=contestant.pk)
        row, _ = CheckpointScore.objects.update_or_create(
            contestant=contestant,
            encoder=found.encoder,
            suite=found.suite,
            threshold=found.threshold,
            defaults=fields,
        )
        row.characters.all().delete()
        characters = {
            one.name: one for one in Character.objects.filter(name__in={c.character for c in found.characters})
        }
        CharacterScore.objects.bulk_create(
            CharacterScore(
                score=row,
                character=characters[one.character],
                images=one.images,
                missing=one.missing,
                **{name: getattr(one, name) for name in (*SHARED, *FLOORS)},
            )
            for one in found.characters
        )
    return row
