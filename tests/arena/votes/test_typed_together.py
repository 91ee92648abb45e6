"""Typed prompts of several people: few changes of checkpoint, equal conditions, nobody's refusal is another's."""

import random
from pathlib import Path

import pytest

from arena.gallery import rendering
from arena.gallery.models import Checkpoint, Contestant, Sample
from arena.gallery.registering import register
from arena.polls.models import Poll
from arena.votes import free_prompts
from arena.votes.models import FreePrompt, Voter
from arena.votes.refusals import NoPromptsHere
from arena.votes.tasks import render_free_prompt
from generation.recipe import Recipe
from generation.renderer import Renderer
from generation.tiny import write_tiny_checkpoint
from tests.arena.votes.building import enrol, make_contestant, make_poll
from tests.broken import break_word

pytestmark = pytest.mark.django_db
LOADS: list[str] = []


class Counting(Renderer):
    """The real one, noting each checkpoint that it is given."""

    def swap(self, origin):
        LOADS.append(Path(origin).name)
        return super().swap(origin)


@pytest.fixture
def contestants(tmp_path: Path, settings) -> list[Contestant]:
    """Two untrained checkpoints; batches of 4."""
    LOADS.clear()
    settings.ARENA_RENDERER = f"{__name__}.Counting"
    for epoch in (1, 2):
        write_tiny_checkpoint(tmp_path / str(epoch), seed=1, epoch=epoch)
    return [register(tmp_path / str(epoch))[0] for epoch in (1, 2)]


@pytest.fixture
def poll(contestants: list[Contestant]) -> Poll:
    poll = make_poll("duel", prompts=0)
    enrol(poll, *contestants)
    return poll


def take(poll: Poll, text: str, seed: int = 1) -> FreePrompt:
    return free_prompts.take(poll, Voter.objects.create(), text, random.Random(seed))


def states() -> list[str]:
    return list(FreePrompt.objects.order_by("pk").values_list("state", flat=True))


def test_a_queue_of_prompts_changes_the_checkpoint_once_a_batch(poll: Poll) -> None:
    """Rendered one after the other these six would load twelve checkpoints; batches of four need two rounds."""
    typed = [take(poll, f"1girl, hair {number}", number) for number in range(6)]
    render_free_prompt(typed[0].token)
    assert states() == ["ready"] * 4 + ["queued"] * 2
    for free in typed[1:]:
        render_free_prompt(free.token)
    assert states() == ["ready"] * 6
    assert LOADS == ["1", "2", "1"], "the second round begins with the checkpoint that is loaded"
    assert Sample.objects.count() == 12
    assert all(free.ticket.matchup.prompt == free.prompt for free in FreePrompt.objects.all())


def test_each_image_is_the_one_it_would_be_alone(poll: Poll) -> None:
    typed = [take(poll, f"1girl, hair {number}", number) for number in range(3)]
    render_free_prompt(typed[0].token)
    together = dict(Sample.objects.values_list("pk", "pixel_sha256"))
    for sample in Sample.objects.all():
        (again,) = rendering.LOADED.of(sample.contestant).attempt(
            sample.contestant.frozen_recipe(), [sample.prompt.request(sample.seed)]
        )
        assert again.manifest["pixel_sha256"] == together[sample.pk]


def test_one_that_cannot_be_rendered_fails_alone(poll: Poll, tmp_path: Path) -> None:
    """The first checkpoint gives NaN for "smile"; whoever did not ask for it is not held up."""
    break_word(tmp_path / "1", "smile")
    register_again(poll, tmp_path / "1")
    good, bad = take(poll, "1girl, hair", 1), take(poll, "1girl, smile", 2)
    render_free_prompt(good.token)
    assert states() == ["ready", "queued"]
    render_free_prompt(bad.token)
    assert states() == ["ready", "failed"]
    assert not FreePrompt.objects.get(pk=bad.pk).ticket


def register_again(poll: Poll, folder: Path) -> None:
    """The weights at the place of the first checkpoint are others now."""
    checkpoint = Checkpoint.objects.get(folder=str(folder))
    checkpoint.sha256 = rendering.read_checkpoint(folder).sha256
    checkpoint.save()


def test_only_contestants_that_render_alike_are_chosen(poll: Poll, contestants: list[Contestant]) -> None:
    other = Recipe(steps=3, batch=4)
    for epoch in (7, 8):
        made = make_contestant(epoch)
        Contestant.objects.filter(pk=made.pk).update(recipe=other.to_dict(), recipe_sha256=other.sha256)
        enrol(poll, made)
    for seed in range(8):
        chosen = set(take(poll, f"1girl {seed}", seed).contestants.values_list("recipe_sha256", flat=True))
        assert len(chosen) == 1


def test_without_two_that_render_alike_no_prompt_is_taken(poll: Poll, contestants: list[Contestant]) -> None:
    Checkpoint.objects.filter(pk=contestants[0].checkpoint_id).update(manifest={"pad_mask": True})
    assert not free_prompts.accepts(poll)
    with pytest.raises(NoPromptsHere, match="too few contestants"):
        take(poll, "1girl")
    Checkpoint.objects.filter(pk=contestants[1].checkpoint_id).update(manifest={"pad_mask": True})
    assert free_prompts.accepts(poll)
    Checkpoint.objects.filter(pk=contestants[1].checkpoint_id).update(imported=True)
    assert not free_prompts.accepts(poll)
