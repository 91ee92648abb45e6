"""Scores as pages, commands and the API tell them."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

from django.urls import reverse

from arena.evaluations.measuring import asked_prompts
from arena.evaluations.models import CharacterScore, CheckpointScore
from arena.gallery.models import Contestant, Sample
from arena.gallery.withholding import withheld_cells
from rating.ccip.report import CheckpointScore as Measured

WORST = 3
NAMED = 5
REFERENCES = 3


@dataclass(frozen=True)
class ToldCharacter:
    """One character's part of a score, as the API tells it."""

    character: str
    images: int
    missing: int
    difference: float | None
    same_rate: float | None
    nearest: float | None
    top1: float | None
    reference_difference: float | None
    reference_same_rate: float | None
    floor_difference: float | None
    floor_same_rate: float | None


@dataclass(frozen=True)
class ToldScore:
    """A score as the API tells it; fields as in `CheckpointScore`."""

    encoder: str
    encoder_name: str
    notice: str
    suite: str
    threshold: float
    images: int
    missing: int
    complete: bool
    leaks: int
    duplicates: int
    interval: str
    difference: float | None
    difference_low: float | None
    difference_high: float | None
    same_rate: float | None
    same_rate_low: float | None
    same_rate_high: float | None
    top1: float | None
    reference_difference: float | None
    reference_same_rate: float | None
    floor_difference: float | None
    floor_same_rate: float | None
    measured_at: datetime
    characters: list[ToldCharacter]


@dataclass(frozen=True)
class Worst:
    """An image far from its character; ``sample`` is None where it is withheld, and then nothing shows it."""

    sample: Sample | None
    prompt: str
    seed: int
    difference: float
    taken_for: str


@dataclass(frozen=True)
class Card:
    """One character of a score: its row, its worst images, addresses of some of its references."""

    row: CharacterScore
    worst: list[Worst]
    references: list[str]


def newest_score(contestant: Contestant) -> CheckpointScore | None:
    """The contestant's newest score, None before the first."""
    return contestant.scores.order_by("-measured_at", "-pk").first()


def cards(score: CheckpointScore) -> list[Card]:
    """Every character of a score, the least alike first, each with its worst images that may be shown."""
    found = Measured.from_json(score.result)
    _, prompts = asked_prompts()
    samples = Sample.objects.filter(contestant=score.contestant_id, prompt__in={one.pk for one in prompts.values()})
    by_cell = {(sample.prompt_id, sample.seed): sample for sample in samples.select_related("prompt")}
    withheld = withheld_cells({one.pk for one in prompts.values()})
    made = []
    for row in score.characters.select_related("character"):
        name = row.character.name
        worst = []
        for image in found.worst(name, WORST):
            prompt = prompts.get((name, image.key.prompt))
            cell = (prompt.pk if prompt else 0, image.key.seed)
            sample = None if cell in withheld else by_cell.get(cell)
            taken_for = image.identified if image.identified != name else ""
            text = prompt.text if prompt else image.key.prompt
            worst.append(Worst(sample, text, image.key.seed, image.difference, taken_for))
        made.append(Card(row, worst, _references(row)))
    return sorted(made, key=lambda card: -(card.row.difference or 0))


def _references(row: CharacterScore) -> list[str]:
    count = min(REFERENCES, len(row.character.references))
    return [reverse("reference", args=[row.character.name, number]) for number in range(1, count + 1)]


def told_score(contestant: Contestant) -> dict[str, Any] | None:
    """The contestant's newest score as plain values, over all characters and each; None before the first."""
    score = newest_score(contestant)
    if score is None:
        return None
    rows = score.characters.select_related("character")
    characters = [ToldCharacter(row.character.name, *_values(row, ToldCharacter, {"character"})) for row in rows]
    return asdict(ToldScore(*_values(score, ToldScore, {"characters"}), characters=characters))


def _values(row: CheckpointScore | CharacterScore, kind: type, without: set[str]) -> list[Any]:
    return [getattr(row, field.name) for field in fields(kind) if field.name not in without]


def spell_score(score: CheckpointScore) -> Iterator[str]:
    """The score as lines for a terminal."""
    rows = list(score.characters.select_related("character"))
    yield f"likeness to {len(rows)} characters by {score.encoder_name}" + (f" ({score.notice})" if score.notice else "")
    low_high = _interval(score.difference_low, score.difference_high)
    yield f"  mean difference {_number(score.difference)}{low_high}, lower is better; references among themselves " + (
        f"{_number(score.reference_difference)}, to other characters {_number(score.floor_difference)}"
    )
    low_high = _interval(score.same_rate_low, score.same_rate_high)
    yield f"  same character {_number(score.same_rate)}{low_high} of pairs up to {score.threshold:.4f}; references " + (
        f"{_number(score.reference_same_rate)}; nearest to the right character {_number(score.top1)} of images"
    )
    yield from _spell_suspects(score)
    for row in rows:
        yield (
            f"  {row.character.name:<12} difference {_number(row.difference)}  same {_number(row.same_rate)}"
            f"  top-1 {_number(row.top1)}  references {_number(row.reference_difference)}  images {row.images}"
        )


def _spell_suspects(score: CheckpointScore) -> Iterator[str]:
    for leak in score.result.get("leaks", ())[:NAMED]:
        character, prompt, seed = leak["key"]
        yield f"  leak: {character}, {prompt!r}, seed {seed} is the reference {leak['reference']}, which is left out"
    for pair in score.result.get("duplicates", ())[:NAMED]:
        yield f"  the references {pair['one']} and {pair['other']} are one picture, which raises what references get"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _interval(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f" ({low:.3f} to {high:.3f})"
