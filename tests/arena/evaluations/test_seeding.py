"""The polls and what they ask for."""

import json
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from arena.evaluations.prompts import FFA, FREE
from arena.evaluations.seeding import DatasetError, seed
from arena.gallery.models import Character, Prompt, PromptSet
from arena.polls.models import Poll
from generation.tags import RATINGS, split_persons
from training.dataset.tables import (
    BACKGROUNDS,
    BROWS,
    DETAILS,
    EYE_COLORS,
    EYES,
    EYEWEAR,
    HAIR,
    HAIR_COLORS,
    MOUTHS,
    SKINS,
)

pytestmark = pytest.mark.django_db


def vocabulary() -> set[str]:
    """Every general tag that the demo's data set can show, as captions write it."""
    parts = [*HAIR.values(), *SKINS.values(), *EYES.values(), *MOUTHS.values(), *BROWS.values(), *EYEWEAR.values()]
    tags = {tag for part in [*parts, *DETAILS.values()] for tag in part.tags}
    tags |= {f"{colour}_hair" for colour in HAIR_COLORS} | {f"{colour}_eyes" for colour in EYE_COLORS}
    tags |= {f"{colour}_background" for colour in BACKGROUNDS}
    return {tag.replace("_", " ") for tag in tags | {"solo", "1girl", "1boy", "earrings"}}


def test_three_polls_with_a_data_set(small_dataset: Path, media: Path) -> None:
    assert seed(small_dataset) == 3
    assert {p.kind: p.prompt_set.slug for p in Poll.objects.all()} == {"fixed": "fixed", "duel": "free", "ffa": "ffa"}
    assert Character.objects.get(name="goro").tags == ["1boy", "red hair", "green eyes"]


def test_fixed_prompts_name_the_character_and_not_its_looks(small_dataset: Path, media: Path) -> None:
    seed(small_dataset)
    texts = list(Prompt.objects.filter(prompt_set__slug="fixed", character__name="goro").values_list("text", flat=True))
    assert len(texts) == 2
    for text in texts:
        assert text.startswith("1boy, goro, solo, ")
        assert "hair" not in text
        assert "eyes" not in text
    assert Prompt.objects.filter(text__startswith="1girl, mei lin, solo").count() == 2, "captions write spaces"


def test_fixed_prompts_word_for_word(small_dataset: Path, media: Path) -> None:
    """Samples already rendered belong to these texts."""
    seed(small_dataset)
    assert set(Prompt.objects.filter(character__name="goro").values_list("text", flat=True)) == {
        "1boy, goro, solo, smile, closed mouth, white background",
        "1boy, goro, solo, open mouth, smile, blue background",
    }


def test_content_ratings_are_the_schemas() -> None:
    assert list(Poll.ContentRating) == list(RATINGS.values())


@pytest.mark.parametrize("text", [*FREE, *FFA])
def test_free_prompts_are_in_the_order_of_captions(text: str) -> None:
    persons, _ = split_persons(text.replace(", ", ",").replace(" ", "_").split(","))
    assert text.startswith(f"{', '.join(persons)}, ")


def test_references_are_copied(small_dataset: Path, media: Path) -> None:
    seed(small_dataset)
    names = Character.objects.get(name="akari").references
    assert len(names) == 2
    with default_storage.open(names[1]) as copy:
        assert copy.read() == (small_dataset / "images" / "akari-2.png").read_bytes()


def test_again_changes_nothing(small_dataset: Path, media: Path) -> None:
    seed(small_dataset)
    before = (list(Prompt.objects.values_list("pk", "text")), Poll.objects.count(), sorted(media.rglob("*.png")))
    seed(small_dataset)
    assert (
        list(Prompt.objects.values_list("pk", "text")),
        Poll.objects.count(),
        sorted(media.rglob("*.png")),
    ) == before


def test_without_a_data_set_the_free_polls_open_alone(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("seed_polls")
    assert set(Poll.objects.values_list("kind", flat=True)) == {"duel", "ffa"}
    assert "give --dataset" in capsys.readouterr().out


@pytest.mark.parametrize("content", [None, "{", "[{}]", '[{"name": "a", "tags": [], "references": ["gone.png"]}]'])
def test_unreadable_characters_are_named_with_the_remedy(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "characters.json").write_text(content)
    with pytest.raises(DatasetError, match="python -m training dataset demo"):
        seed(tmp_path)
    with pytest.raises(CommandError, match=r"characters\.json"):
        call_command("seed_polls", dataset=tmp_path)
    assert not Poll.objects.exists()


def test_a_checkpoint_renders_about_120_images(media: Path, tmp_path: Path) -> None:
    names = [f"name{index}" for index in range(24)]
    rows = [{"name": name, "tags": ["1girl"], "references": []} for name in names]
    (tmp_path / "characters.json").write_text(json.dumps(rows))
    seed(tmp_path)
    count = {s.slug: s.prompts.count() * len(s.seeds) for s in PromptSet.objects.all()}
    assert count == {"fixed": 48, "free": 40, "ffa": 24}
    asked = Prompt.objects.filter(prompt_set__slug="fixed").values_list("character__name", flat=True).distinct()
    assert sorted(set(asked)) == sorted(names[::2]), "every second one"


def test_prompts_use_only_tags_that_the_data_set_shows() -> None:
    seed(None)
    for prompt in Prompt.objects.all():
        assert set(prompt.text.split(", ")) <= vocabulary(), prompt.text
