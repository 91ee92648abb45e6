"""Images side by side: columns of contestants, rows of one prompt with one seed each (docs/gallery.md)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.db.models import Count, QuerySet

from arena.gallery.finding import unknown
from arena.gallery.models import Contestant, Prompt, PromptSet, Sample
from arena.gallery.withholding import Cell, withheld_cells


@dataclass(frozen=True)
class Asked:
    """Which rows are wanted: those of a prompt set, a character, a seed; empty or None for all."""

    prompt_set: str = ""
    character: str = ""
    seed: int | None = None

    def among(self, samples: QuerySet[Sample]) -> QuerySet[Sample]:
        """Those of the samples that are asked for."""
        if self.prompt_set:
            samples = samples.filter(prompt__prompt_set__slug=self.prompt_set)
        if self.character:
            samples = samples.filter(prompt__character__name=self.character)
        return samples if self.seed is None else samples.filter(seed=self.seed)


@dataclass(frozen=True)
class PromptRow:
    """One prompt with one seed, and each column's sample of it; None where a column has none."""

    prompt: Prompt
    seed: int
    samples: list[Sample | None]


@dataclass(frozen=True)
class Choices:
    """What the contestants have images of: prompt sets, characters by name, seeds."""

    prompt_sets: list[PromptSet]
    characters: list[str]
    seeds: list[int]

    def asked(self, prompt_set: str, character: str, seed: str) -> Asked:
        """What an address asks for; empty texts ask for everything. Raises UnknownNameError naming what is known."""
        slugs, seeds = [one.slug for one in self.prompt_sets], [str(number) for number in self.seeds]
        given = (("prompt set", prompt_set, slugs), ("character", character, self.characters), ("seed", seed, seeds))
        for what, name, known in given:
            if name and name not in known:
                raise unknown(what, name, known)
        return Asked(prompt_set, character, int(seed) if seed else None)


def choices_of(contestants: Collection[Contestant]) -> Choices:
    """What may be asked for."""
    prompts = Prompt.objects.filter(samples__contestant__in=contestants)
    characters = prompts.filter(character__isnull=False).order_by("character__name")
    seeds = Sample.objects.filter(contestant__in=contestants).order_by("seed")
    return Choices(
        list(PromptSet.objects.filter(prompts__in=prompts).distinct()),
        list(characters.values_list("character__name", flat=True).distinct()),
        list(seeds.values_list("seed", flat=True).distinct()),
    )


def shared_cells(contestants: Collection[Contestant], asked: Asked) -> list[Cell]:
    """Prompts and seeds of which at least two of the contestants (or the only one) have an image, set by set.

    The polls' own prompts come first, then those that volunteers typed.
    """
    samples = asked.among(Sample.objects.filter(contestant__in=contestants))
    counted = samples.order_by().values("prompt", "seed").annotate(n=Count("contestant", distinct=True))
    enough = counted.filter(n__gte=min(2, len(contestants)))
    order = ("prompt__origin", "prompt__prompt_set__slug", "prompt", "seed")
    return list(enough.order_by(*order).values_list("prompt", "seed"))


def rows_of(contestants: Sequence[Contestant], cells: Sequence[Cell]) -> list[PromptRow]:
    """The rows of these cells, without those that are kept back."""
    prompts = Prompt.objects.select_related("character", "prompt_set").in_bulk({prompt for prompt, _ in cells})
    withheld = withheld_cells(prompts)
    samples = Sample.objects.filter(contestant__in=contestants, prompt__in=prompts)
    found = {(sample.contestant_id, sample.prompt_id, sample.seed): sample for sample in samples}
    return [
        PromptRow(prompts[prompt], seed, [found.get((one.pk, prompt, seed)) for one in contestants])
        for prompt, seed in cells
        if (prompt, seed) not in withheld
    ]
