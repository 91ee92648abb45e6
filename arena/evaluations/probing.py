"""Probing a contestant: prompts with an automatic measure (docs/probes.md), rendered by its recipe and kept as a row.

Runs in a command: the renderer loads torch.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

from django.conf import settings
from django.db import transaction

from arena.evaluations.models import ProbeScore
from arena.gallery.models import Contestant
from arena.gallery.rendering import LOADED
from generation.probes.probe import find_probe
from generation.probes.rendering import Side, Work, render, with_home
from generation.probes.result import ProbeResult, measured


def probe(
    contestant: Contestant, name: str, *, prompt_set: str = "paper", on_image: Callable[[int], None] = lambda done: None
) -> ProbeScore:
    """Probe a contestant and keep what was found; what is kept of the same suite is not measured again.

    Stopped on the way, it goes on with the pictures that are missing.

    Args:
        name: of the probe.
        prompt_set: ``paper``, or ``demo`` for the tiny base.
        on_image: told how many pictures there are.

    Raises:
        ValueError: there is no such probe or prompt set, or the contestant lacks the LoRA that the probe is about.
        generation.errors.GenerationError: the checkpoint is not sound, or a picture is broken.
    """
    asked = find_probe(name)
    work = Work(asked, asked.cases_of(prompt_set), asked.seeds)
    home = _home(contestant) if asked.needs_lora else contestant
    suite = asked.suite(work.cases, work.seeds, contestant.frozen_recipe())
    kept = ProbeScore.objects.filter(contestant=contestant, probe=name, suite=suite).first()
    if kept:
        return kept
    folder = settings.HOME / "probes" / name / str(contestant.pk)
    own = render(work, _side(contestant, folder), on_image=on_image)
    others = own if home is contestant else render(work, _side(home, folder / "home"))
    numbers = measured(asked, work.cases, with_home(own, others))
    return _keep(contestant, ProbeResult(asked, str(contestant), contestant.weights, suite, work.total, numbers))


def spell_probe(score: ProbeScore) -> Iterator[str]:
    """The score as lines for a terminal; the headline is marked."""
    yield f"{score.get_probe_display()} of {score.contestant}, {score.images} images"
    for name, mean in score.result["means"].items():
        interval = "" if mean["low"] is None else f" ({mean['low']:.3f} to {mean['high']:.3f})"
        counts = f", {score.result['better']} is better" if mean["headline"] else ""
        yield f"  {name} {mean['value']:.3f}{interval}{counts}"


def _side(contestant: Contestant, folder: Path) -> Side:
    """A contestant, and its checkpoint alone where a picture is to be without the LoRA."""
    plain = Contestant(checkpoint=contestant.checkpoint, recipe=contestant.recipe)
    return Side(contestant.frozen_recipe(), lambda lora: LOADED.of(contestant if lora else plain), folder)


def _home(contestant: Contestant) -> Contestant:
    """The same LoRA and recipe on the checkpoint that the LoRA was trained on."""
    lora = contestant.lora
    if lora is None or lora.trained_on is None:
        raise ValueError(
            f"{contestant} has no LoRA whose own checkpoint is known: register it with the checkpoint it was trained on"
        )
    return Contestant(checkpoint=lora.trained_on, lora=lora, lora_scale=contestant.lora_scale, recipe=contestant.recipe)


def _keep(contestant: Contestant, found: ProbeResult) -> ProbeScore:
    """Write the row behind the contestant's row lock; whoever measured the same meanwhile found the same."""
    headline = found.headline
    with transaction.atomic():
        Contestant.objects.select_for_update(no_key=True).get(pk=contestant.pk)
        row, _ = ProbeScore.objects.update_or_create(
            contestant=contestant,
            probe=found.probe.name,
            suite=found.suite,
            defaults={
                "images": found.images,
                "value": headline.value,
                "value_low": headline.low,
                "value_high": headline.high,
                "result": found.to_dict(),
            },
        )
    return row
