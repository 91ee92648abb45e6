"""A prompt set in the words of a table, once, the same for every contestant."""

import json
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from arena.gallery.models import Character, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.gallery.rendering import render_missing
from generation.imageio import read_archive
from generation.verify import EXACT, verify

pytestmark = pytest.mark.django_db
TEXTS = {"1girl, akari": "1girl, akari, wings, smile", "1boy": "1boy, short hair, grin"}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    entries = [
        {"text": long, "adapter": "tipo", "prompt": short, "seed": 3, "model_sha256": "c" * 64}
        for short, long in TEXTS.items()
    ]
    path = tmp_path / "table.json"
    path.write_text(json.dumps({"schema": 1, "entries": entries}))
    return path


@pytest.fixture
def source() -> PromptSet:
    prompts = PromptSet.objects.create(slug="fixed", title="Fixed", seeds=[7, 8])
    akari = Character.objects.create(name="akari")
    for text in TEXTS:
        Prompt.objects.create(prompt_set=prompts, text=text, character=akari if "akari" in text else None)
    Prompt.objects.create(prompt_set=prompts, text="typed", origin=Prompt.Origin.VOLUNTEER)
    return prompts


def test_a_set_is_copied_in_longer_words_once(
    source: PromptSet, table: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        call_command("upsample_prompts", "fixed", str(table))
        assert capsys.readouterr().out == "fixed-upsampled: 2 prompts, 2 seeds\n"
    copy = PromptSet.objects.get(slug="fixed-upsampled")
    assert copy.seeds == source.seeds
    assert {prompt.upsampling["prompt"]: prompt.text for prompt in copy.prompts.all()} == TEXTS
    assert copy.prompts.get(text__contains="akari").character.name == "akari"
    assert {prompt.text for prompt in source.prompts.all()} == {*TEXTS, "typed"}


def test_every_contestant_renders_the_same_string_and_says_where_it_came_from(
    source: PromptSet, table: Path, media: Path, tiny_folder: Path
) -> None:
    call_command("upsample_prompts", "fixed", str(table), "--as", "long")
    prompt = Prompt.objects.get(prompt_set__slug="long", text__contains="akari")
    contestant, _ = register(tiny_folder)
    render_missing(contestant, [(prompt, 7)])
    with Sample.objects.get().archive.open() as file:
        image, manifest = read_archive(file.read())
    assert manifest["prompt"] == TEXTS["1girl, akari"]
    assert manifest["upsampling"] == {
        "adapter": "tipo", "prompt": "1girl, akari", "seed": 3, "model_sha256": "c" * 64,
    }  # fmt: skip
    assert verify(image, manifest, tiny_folder).code == EXACT


def test_refusals_write_nothing(source: PromptSet, table: Path) -> None:
    with pytest.raises(CommandError, match="no prompt set 'x'; there are: fixed"):
        call_command("upsample_prompts", "x", str(table))
    Prompt.objects.create(prompt_set=source, text="2girls")
    with pytest.raises(CommandError, match="has no text for '2girls'"):
        call_command("upsample_prompts", "fixed", str(table))
    assert PromptSet.objects.count() == 1


def test_two_prompts_do_not_become_one(source: PromptSet, table: Path) -> None:
    table.write_text(table.read_text().replace(TEXTS["1boy"], TEXTS["1girl, akari"]))
    with pytest.raises(CommandError, match="'1boy' and '1girl, akari' become the same text"):
        call_command("upsample_prompts", "fixed", str(table))
    assert PromptSet.objects.count() == 1


def test_a_text_never_changes(source: PromptSet, table: Path) -> None:
    call_command("upsample_prompts", "fixed", str(table))
    table.write_text(table.read_text().replace("grin", "frown"))
    with pytest.raises(CommandError, match="another text for '1boy' already"):
        call_command("upsample_prompts", "fixed", str(table))
    assert Prompt.objects.filter(text="1boy, short hair, grin").exists()
