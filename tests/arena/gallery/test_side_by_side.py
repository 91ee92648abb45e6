"""Any checkpoints side by side, and what two images differ in."""

import io

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.test import Client
from PIL import Image

from arena.gallery.models import Character, Contestant, Prompt, Sample
from generation.imageio import archive_png
from tests.arena.votes.building import make_contestant, make_poll, make_sample

pytestmark = pytest.mark.django_db


@pytest.fixture
def contestants(media) -> list[Contestant]:
    """Three epochs of one run and one of another; the last has not rendered the second seed."""
    poll = make_poll("fixed", prompts=2, seeds=(11, 12))
    made = [*(make_contestant(epoch, "long run") for epoch in (1, 2, 3)), make_contestant(7, "other")]
    for contestant in made:
        for prompt in Prompt.objects.filter(prompt_set=poll.prompt_set):
            for seed in (11, 12) if contestant != made[3] else (11,):
                make_sample(contestant, prompt, seed)
    return made


def address(contestants: list[Contestant], *more: str) -> str:
    return "/side-by-side/?" + "&".join([*(f"checkpoint={short(one)}" for one in contestants), *more])


def short(contestant: Contestant) -> str:
    return contestant.checkpoint.sha256[:12]


def sample(contestant: Contestant, seed: int = 11) -> Sample:
    return Sample.objects.filter(contestant=contestant, seed=seed).earliest("pk")


def pixels(answer) -> np.ndarray:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_rows_are_prompts_and_seeds_and_columns_the_checkpoints_in_the_order_asked_for(client, contestants) -> None:
    asked = [contestants[3], contestants[0], contestants[2]]
    page = client.get(address(asked))
    assert [column.contestant for column in page.context["columns"]] == asked
    rows = page.context["rows"]
    assert [(row.prompt.text[-1], row.seed) for row, _ in rows] == [("0", 11), ("0", 12), ("1", 11), ("1", 12)]
    for row, cells in rows:
        for column, cell in zip(asked, cells, strict=True):
            same = Sample.objects.filter(contestant=column, prompt=row.prompt, seed=row.seed).first()
            assert cell.sample == same
    assert rows[1][1][0].sample is None
    text = page.content.decode()
    assert 'aria-label="not rendered"' in text
    assert f"/compare/?reference={short(asked[0])}&amp;candidate={short(asked[1])}" in text


def test_rows_are_chosen_by_set_character_and_seed_and_come_in_pages(client, contestants) -> None:
    poll = make_poll("duel", prompts=15, seeds=(5,))
    for contestant in contestants[:2]:
        for prompt in poll.prompt_set.prompts.all():
            make_sample(contestant, prompt, 5)
    named = Prompt.objects.filter(prompt_set__slug="set-fixed").earliest("pk")
    named.character = Character.objects.create(name="akari")
    named.save()
    both = contestants[:2]

    def shown(*more: str) -> list[tuple[str, int]]:
        return [(row.prompt.prompt_set.slug, row.seed) for row, _ in client.get(address(both, *more)).context["rows"]]

    assert shown("set=set-fixed") == [("set-fixed", 11), ("set-fixed", 12)] * 2
    assert shown("character=akari") == [("set-fixed", 11), ("set-fixed", 12)]
    assert shown("seed=12") == [("set-fixed", 12)] * 2
    assert len(shown()) == 12
    assert len(shown("page=2")) == 15 + 4 - 12
    first = client.get(address(both, "set=set-duel"))
    assert f"{address(both)[14:]}&set=set-duel&page=2".replace("&", "&amp;") in first.content.decode()


def test_one_checkpoint_may_be_left_out_and_the_differences_stay(client, contestants) -> None:
    page = client.get(address(contestants[:3], f"less={short(contestants[2])}"))
    assert page.context["columns"][0].without == address(contestants[1:3], f"less={short(contestants[2])}")[15:]
    assert "less" not in page.context["columns"][2].without
    ours, reference = (sample(contestants[at]) for at in (0, 2))
    text = page.content.decode()
    assert f'src="/samples/{ours.pk}/less/{reference.pk}.png?gain=4"' in text
    assert f'src="/samples/{reference.pk}.png"' in text


def test_without_a_choice_the_page_lets_one_choose(client: Client, contestants) -> None:
    page = client.get("/side-by-side/").content.decode()
    assert page.count('type="checkbox"') == 4
    index = client.get("/checkpoints/").content.decode()
    assert [f'value="{short(one)}"' in index for one in contestants] == [True] * 4


def test_recipes_of_one_checkpoint_are_columns_of_their_own(client, contestants) -> None:
    recipe = contestants[0].recipe | {"steps": 3}
    other = Contestant.objects.create(checkpoint=contestants[0].checkpoint, recipe=recipe, recipe_sha256="ab" * 32)
    page = client.get(address(contestants[:1]))
    assert [column.contestant for column in page.context["columns"]] == [contestants[0], other]
    alone = client.get(f"/side-by-side/?checkpoint={page.context['names'][1]}")
    assert [column.contestant for column in alone.context["columns"]] == [other]


@pytest.mark.parametrize(
    ("query", "known"),
    [
        ("checkpoint=nobody", "Candidates: long run epoch 1 ("),
        ("checkpoint=long+run+epoch+1&set=nope", "no prompt set &#x27;nope&#x27;; known: set-fixed"),
        ("checkpoint=long+run+epoch+1&character=nobody", "no character &#x27;nobody&#x27;; known: none"),
        ("checkpoint=long+run+epoch+1&seed=x", "no seed &#x27;x&#x27;; known: 11, 12"),
        ("checkpoint=long+run+epoch+1&less=long+run+epoch+2", "not among the checkpoints shown"),
    ],
)
def test_unknown_names_are_404_and_name_the_known_ones(client, contestants, query: str, known: str) -> None:
    answer = client.get(f"/side-by-side/?{query}")
    assert answer.status_code == 404
    assert known in answer.content.decode()


@pytest.mark.parametrize(
    ("path", "known"),
    [
        ("/checkpoints/123456789012/", "Candidates: long run epoch 1 ("),
        ("/checkpoints/12/", "Candidates: long run epoch 1 ("),
        ("/runs/nope/", "known: "),
    ],
)
def test_unknown_checkpoints_and_runs_name_the_known_ones(client, contestants, path: str, known: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert known in answer.content.decode()
    assert "long run" in answer.content.decode()


def test_a_difference_is_that_of_the_rendered_pixels(client, contestants) -> None:
    one, other = sample(contestants[0]), sample(contestants[1])
    expected = abs(
        pixels(client.get(f"/samples/{one.pk}/archive.png")) - pixels(client.get(f"/samples/{other.pk}/archive.png"))
    )
    assert expected.any()
    for gain in (1, 4, 16):
        answer = client.get(f"/samples/{one.pk}/less/{other.pk}.png?gain={gain}")
        np.testing.assert_array_equal(pixels(answer), np.minimum(255, gain * expected))
        assert answer["Cache-Control"] == "private, max-age=600"
    assert not pixels(client.get(f"/samples/{one.pk}/less/{one.pk}.png")).any()
    page = client.get(f"/samples/{one.pk}/less/{other.pk}/")
    told = page.context["difference"]
    assert told.mean == pytest.approx(expected.mean())
    assert told.largest == expected.max()
    assert told.percent == pytest.approx(100 * expected.any(axis=2).mean())
    assert "checkpoint.name" in [change.name for change in page.context["changes"]]


def test_images_of_different_sizes_prompts_or_seeds_are_not_subtracted(client, contestants) -> None:
    one, other = sample(contestants[0]), sample(contestants[1])
    other.archive.storage.delete(other.archive.name)
    other.archive.save("x", ContentFile(archive_png(Image.new("RGB", (16, 8)), _manifest(other))))
    page = client.get(f"/samples/{one.pk}/less/{other.pk}/")
    assert (page.status_code, page.context["difference"]) == (200, None)
    assert "different sizes" in page.content.decode()
    assert client.get(f"/samples/{one.pk}/less/{other.pk}.png").status_code == 404
    strange = sample(contestants[1], seed=12)
    for path in (f"/samples/{one.pk}/less/{strange.pk}", f"/samples/{one.pk}/less/{other.pk}"):
        assert client.get(f"{path}.png?gain=3").status_code == 404
    assert client.get(f"/samples/{one.pk}/less/{strange.pk}/").status_code == 404
    assert client.get(f"/samples/{one.pk}/less/{other.pk}/?gain=x").status_code == 404


def _manifest(of: Sample) -> dict[str, object]:
    return {**of.manifest, "recipe": of.contestant.recipe}
