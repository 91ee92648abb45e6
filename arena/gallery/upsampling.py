"""A prompt set in longer words: every text replaced by what a table of upsampled prompts has for it."""

from dataclasses import asdict

from django.db import transaction

from arena.gallery.models import Prompt, PromptSet
from generation.upsampling import Table

SUFFIX = "-upsampled"


def upsampled_set(source: PromptSet, table: Table, slug: str = "") -> PromptSet:
    """A copy of a prompt set's own prompts in the table's words, with the same seeds and characters.

    Again with the same table, it adds what is new and changes nothing else.

    Args:
        slug: of the copy; without it the source's with ``-upsampled``.

    Raises:
        generation.errors.UpsamplingError: the table lacks a text; nothing is written.
        ValueError: a prompt of the copy has another text already, or two prompts would have the same.
    """
    prompts = list(source.prompts.filter(origin=Prompt.Origin.SET))
    longer = [(prompt, table.upsample(prompt.text)) for prompt in prompts]
    first: dict[str, Prompt] = {}
    for prompt, made in longer:
        if (other := first.setdefault(made.text, prompt)) is not prompt:
            raise ValueError(
                f"{prompt.text[:60]!r} and {other.text[:60]!r} become the same text; change one in the table"
            )
    with transaction.atomic():
        copy, _ = PromptSet.objects.get_or_create(
            slug=slug or f"{source.slug}{SUFFIX}",
            defaults={"title": f"{source.title} (upsampled)", "seeds": source.seeds},
        )
        kept = {one.upsampling.get("prompt"): one for one in copy.prompts.filter(origin=Prompt.Origin.SET)}
        for prompt, made in longer:
            there = kept.get(prompt.text)
            if there is None:
                Prompt.objects.create(
                    prompt_set=copy, text=made.text, character=prompt.character, upsampling=asdict(made.source)
                )
            elif there.text != made.text:
                raise ValueError(
                    f"{copy.slug} has another text for {prompt.text[:60]!r} already; texts never change: name a new set"
                )
    return copy
