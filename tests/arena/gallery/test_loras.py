"""A checkpoint with a LoRA is a contestant of its own: the paper's figure 10, one LoRA on several checkpoints."""

import shutil
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from arena.evaluations.running import advance, start
from arena.gallery.finding import find_contestant, find_contestants, names_of
from arena.gallery.models import Checkpoint, Contestant, Lora, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.gallery.rendering import render_missing
from arena.leaderboard.exporting import contestant_names
from arena.polls.models import Enrolment, Poll
from generation.checkpoint import CheckpointError, file_sha256
from generation.imageio import read_archive
from generation.loading import Origin
from generation.lora_file import LoraRef, read_lora_info
from generation.recipe import Recipe
from generation.tiny import write_tiny_checkpoint
from generation.verify import EXACT, verify

pytestmark = pytest.mark.django_db


@pytest.fixture
def prompt() -> Prompt:
    prompts = PromptSet.objects.create(slug="duel", title="Duel", seeds=[7])
    Poll.objects.create(kind="duel", question="?", prompt_set=prompts)
    return Prompt.objects.create(prompt_set=prompts, text="1girl, solo")


@pytest.fixture
def later(tmp_path: Path) -> Path:
    """Epoch 2 of the run of `tiny_folder`: other weights, the same architecture."""
    write_tiny_checkpoint(tmp_path / "tiny-2", seed=2, epoch=2)
    return tmp_path / "tiny-2"


def test_a_lora_makes_another_contestant_and_the_same_again_none(tiny_folder: Path, tiny_lora: Path) -> None:
    plain, _ = register(tiny_folder)
    added, created = register(tiny_folder, LoraRef(tiny_lora, 0.5))
    again, twice = register(tiny_folder, LoraRef(tiny_lora, 0.5))
    full, _ = register(tiny_folder, LoraRef(tiny_lora))
    assert (created, twice, again) == (True, False, added)
    assert Contestant.objects.count() == 3
    assert plain.recipe_sha256 == Recipe.from_dict(plain.recipe).sha256
    assert len({plain.recipe_sha256, added.recipe_sha256, full.recipe_sha256}) == 3
    assert plain.checkpoint == added.checkpoint
    assert plain.recipe == added.recipe
    base = plain.checkpoint.name
    assert [str(one) for one in (plain, added, full)] == [base, f"{base} + bold lines:0.5", f"{base} + bold lines"]


def test_what_the_file_says_is_kept_but_for_the_trainers_folders(tiny_folder: Path, tiny_lora: Path) -> None:
    checkpoint = register(tiny_folder)[0].checkpoint
    register(tiny_folder, LoraRef(tiny_lora))
    lora = Lora.objects.get()
    assert (lora.sha256, lora.licence, lora.trained_on) == (file_sha256(tiny_lora), "CC0-1.0", checkpoint)
    assert lora.facts == {"layers": read_lora_info(tiny_lora).layers, "rank": "2"}
    Lora.objects.update(trained_on=None)
    moved = shutil.copy(tiny_lora, tiny_lora.with_name("moved.safetensors"))
    register(tiny_folder, LoraRef(moved))
    assert (Lora.objects.get().file, Lora.objects.get().trained_on) == (str(moved), checkpoint)


def test_no_lora_is_refused_and_nothing_is_written(tiny_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "torn.safetensors").write_bytes(b"nothing")
    with pytest.raises(CheckpointError, match=r"torn\.safetensors is no readable safetensors file"):
        register(tiny_folder, LoraRef(tmp_path / "torn.safetensors"))
    weights = tiny_folder / "unet" / "diffusion_pytorch_model.safetensors"
    with pytest.raises(CheckpointError, match="is not of a plain LoRA"):
        register(tiny_folder, LoraRef(weights))
    assert not Checkpoint.objects.exists()


def test_images_say_the_lora_verify_exactly_and_never_share_a_file(
    tiny_folder: Path, tiny_lora: Path, media: Path, prompt: Prompt
) -> None:
    plain, (added, _) = register(tiny_folder)[0], register(tiny_folder, LoraRef(tiny_lora, 0.5))
    for contestant in (plain, added, plain):
        render_missing(contestant, [(prompt, 7)])
    one, other = (Sample.objects.get(contestant=contestant) for contestant in (plain, added))
    assert one.pixel_sha256 != other.pixel_sha256
    assert one.archive.name != other.archive.name
    assert (one.manifest["loras"], other.manifest["loras"]) == ([], [{"sha256": file_sha256(tiny_lora), "scale": 0.5}])
    for sample, loras in ((one, ()), (other, (LoraRef(tiny_lora, 0.5),))):
        with sample.archive.open() as file:
            image, manifest = read_archive(file.read())
        assert verify(image, manifest, Origin(tiny_folder, loras=loras)).code == EXACT


def test_the_page_spells_the_lora_in_the_command_lines(
    client, admin_client, tiny_folder: Path, tiny_lora: Path, media: Path, prompt: Prompt
) -> None:
    added, _ = register(tiny_folder, LoraRef(tiny_lora, 0.5))
    render_missing(added, [(prompt, 7)])
    address = f"/samples/{Sample.objects.get().pk}/"
    for name in ("render", "verify"):
        assert f"--lora={tiny_lora}:0.5" in admin_client.get(address).context[name]
        assert "--lora=PATH/bold.safetensors:0.5" in client.get(address).context[name]
        assert str(tiny_lora) not in client.get(address).content.decode()


def test_a_changed_file_is_not_rendered(tiny_folder: Path, tiny_lora: Path, media: Path, prompt: Prompt) -> None:
    added, _ = register(tiny_folder, LoraRef(tiny_lora))
    tiny_lora.write_bytes(tiny_lora.read_bytes()[:-4] + b"\0\0\0\1")
    with pytest.raises(CheckpointError, match="is not the LoRA that was registered"):
        render_missing(added, [(prompt, 7)])
    tiny_lora.unlink()
    with pytest.raises(CheckpointError, match="is not the LoRA that was registered"):
        render_missing(added, [(prompt, 7)])


def test_one_lora_on_two_checkpoints_is_evaluated_enrolled_and_compared(
    client, tiny_folder: Path, later: Path, tiny_lora: Path, media: Path, prompt: Prompt
) -> None:
    """The paper's figure 10: with and without, on the checkpoint it was trained on and on a later one."""
    contestants = [register(folder, lora)[0] for folder in (tiny_folder, later) for lora in (None, LoraRef(tiny_lora))]
    for contestant in contestants:
        run, _ = start(contestant)
        while advance(run.pk):
            pass
    assert Enrolment.objects.count() == 4
    assert len(set(Sample.objects.values_list("pixel_sha256", flat=True))) == 4
    page = client.get(f"/loras/{Lora.objects.get().sha256[:12]}/")
    assert [bearer.contestant for bearer in page.context["bearers"]] == contestants[1::2]
    assert [bearer.plain for bearer in page.context["bearers"]] == contestants[::2]
    sides = client.get(f"/side-by-side/?{page.context['side_by_side']}")
    assert [column.contestant for column in sides.context["columns"]] == contestants
    ((row, cells),) = sides.context["rows"]
    assert row.prompt == prompt
    assert all(cell.sample for cell in cells)
    assert f'href="/loras/{Lora.objects.get().sha256[:12]}/"' in sides.content.decode()
    assert "LoRA: CC0-1.0" in sides.content.decode()
    board = client.get("/boards/trueskill/").content.decode()
    assert all(str(contestant) in board for contestant in contestants)
    assert set(contestant_names().values()) == {f"{one.pk} {one}" for one in contestants}
    assert client.get(f"/compare/?{page.context['bearers'][0].question}").status_code == 200


def test_names_tell_the_contestants_of_one_checkpoint_apart(tiny_folder: Path, tiny_lora: Path) -> None:
    plain, added = register(tiny_folder)[0], register(tiny_folder, LoraRef(tiny_lora))[0]
    assert find_contestants(plain.checkpoint.name) == [plain, added]
    assert [find_contestant(name) for name in names_of([plain, added])] == [plain, added]


def test_a_board_asks_as_much_of_the_database_with_loras_as_without(
    client, tiny_folder: Path, later: Path, tiny_lora: Path
) -> None:
    poll = Poll.objects.create(kind="duel", question="?", prompt_set=PromptSet.objects.create(slug="d", title="D"))
    for folder in (tiny_folder, later):
        Enrolment.objects.create(poll=poll, contestant=register(folder)[0])
    counts = []
    for scale in (None, 1.0, 0.5, 2.0):
        if scale:
            Enrolment.objects.create(poll=poll, contestant=register(tiny_folder, LoraRef(tiny_lora, scale))[0])
        with CaptureQueriesContext(connection) as asked:
            assert client.get("/boards/trueskill/").status_code == 200
        counts.append(len(asked))
    assert len(set(counts[1:])) == 1


def test_the_page_of_a_checkpoint_links_its_loras(client, tiny_folder: Path, tiny_lora: Path) -> None:
    added, _ = register(tiny_folder, LoraRef(tiny_lora))
    lora = Lora.objects.get()
    Lora.objects.update(trained_on=added.checkpoint)
    text = client.get(f"/checkpoints/{added.checkpoint.sha256[:12]}/").content.decode()
    assert text.count(f'href="/loras/{lora.sha256[:12]}/"') == 2
    answer = client.get("/loras/0123456789ab/")
    assert answer.status_code == 404
    assert f"bold lines ({lora.sha256[:12]})" in answer.content.decode()


def test_the_command_registers_a_lora_and_one_contestant_can_be_evaluated(
    tiny_folder: Path, tiny_lora: Path, media: Path, prompt: Prompt, capsys: pytest.CaptureFixture[str]
) -> None:
    call_command("register_checkpoint", str(tiny_folder), "--no-evaluate")
    call_command("register_checkpoint", str(tiny_folder), "--lora", f"{tiny_lora}:0.5", "--no-evaluate")
    added = Contestant.objects.exclude(lora=None).get()
    assert f"{added} ({names_of([added])[0]}): registered" in capsys.readouterr().out
    call_command("evaluate", names_of([added])[0])
    assert [sample.contestant for sample in Sample.objects.all()] == [added]
    with pytest.raises(CommandError, match="must be from -10 to 10"):
        call_command("register_checkpoint", str(tiny_folder), "--lora", f"{tiny_lora}:11")
