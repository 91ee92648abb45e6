"""A small arena for tests: contestants of a run, prompts, and real PNGs as their samples."""

import hashlib
from collections.abc import Sequence

from django.core.files.base import ContentFile
from PIL import Image

from arena.gallery.models import Checkpoint, Contestant, Prompt, PromptSet, Run, Sample
from arena.polls.models import Enrolment, Poll
from generation.imageio import archive_png, blind_png, pixel_sha256
from generation.matchup import conditions_hash
from generation.recipe import Recipe

RECIPE = Recipe()
RUN = "secret-run"


def make_contestant(epoch: int, run: str = RUN) -> Contestant:
    """A checkpoint of a run with the default recipe."""
    owner, _ = Run.objects.get_or_create(name=run)
    sha256 = hashlib.sha256(f"{run} {epoch}".encode()).hexdigest()
    checkpoint = Checkpoint.objects.create(
        run=owner,
        name=f"{run} epoch {epoch}",
        epoch=epoch,
        step=100 * epoch,
        sha256=sha256,
        folder=f"/nowhere/{sha256}",
    )
    return Contestant.objects.create(checkpoint=checkpoint, recipe=RECIPE.to_dict(), recipe_sha256=RECIPE.sha256)


def make_poll(kind: str, prompts: int = 3, seeds: Sequence[int] = (11,)) -> Poll:
    """An open poll over a prompt set of its own, without contestants."""
    prompt_set = PromptSet.objects.create(slug=f"set-{kind}", title=kind, seeds=list(seeds))
    for number in range(prompts):
        Prompt.objects.create(prompt_set=prompt_set, text=f"1girl, smile, prompt {number}")
    return Poll.objects.create(kind=kind, question="Which image is better?", prompt_set=prompt_set)


def make_sample(contestant: Contestant, prompt: Prompt, seed: int) -> Sample:
    """One image in a colour of its own, archived and blind, as the worker writes it."""
    colour = hashlib.sha256(f"{contestant.pk} {prompt.pk} {seed}".encode()).digest()
    image = Image.new("RGB", (8, 8), tuple(colour[:3]))
    checkpoint = {"name": contestant.checkpoint.name, "sha256": contestant.checkpoint.sha256}
    manifest = {"checkpoint": checkpoint, "recipe": contestant.recipe, "prompt": prompt.text, "seed": seed}
    sample = Sample(
        contestant=contestant, prompt=prompt, seed=seed, pixel_sha256=pixel_sha256(image), manifest=manifest,
        conditions=conditions_hash(manifest),
    )  # fmt: skip
    sample.archive.save("sample.png", ContentFile(archive_png(image, manifest)), save=False)
    sample.blind.save("sample.png", ContentFile(blind_png(image)), save=False)
    sample.save()
    return sample


def enrol(poll: Poll, *contestants: Contestant, rendered: bool = True) -> None:
    """Take contestants into a poll, with samples of every prompt and seed unless `rendered` is false."""
    for contestant in contestants:
        Enrolment.objects.create(poll=poll, contestant=contestant)
        if rendered:
            for prompt in poll.prompt_set.prompts.all():
                for seed in poll.prompt_set.seeds:
                    make_sample(contestant, prompt, seed)


def ready_poll(kind: str, contestants: int, prompts: int = 3, seeds: Sequence[int] = (11,)) -> Poll:
    """A poll with its contestants (epochs 1, 2…) and all their samples."""
    poll = make_poll(kind, prompts, seeds)
    enrol(poll, *(make_contestant(epoch, f"{RUN}-{kind}") for epoch in range(1, contestants + 1)))
    return poll
