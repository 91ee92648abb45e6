"""Images of a closed system take part: all of a table or nothing, blind like any other, marked wherever named."""

import io
import random
from pathlib import Path

import pytest
from django.core.files.base import File
from django.core.management import CommandError, call_command
from django.test import Client
from PIL import Image, PngImagePlugin

from arena.api.schemas import SCHEMAS
from arena.evaluations import running
from arena.gallery.importing import Identity, TableError, import_images
from arena.gallery.models import Checkpoint, Contestant, ImportedError, Prompt, Run, Sample
from arena.leaderboard import table
from arena.polls.models import Enrolment, Poll
from arena.polls.pairing import choose
from arena.votes.blinding import seat_image, size_of
from arena.votes.casting import show
from arena.votes.models import Voter
from generation.cli import main
from generation.imageio import pixel_sha256, read_archive
from tests.arena.votes.building import enrol, make_contestant, make_poll

pytestmark = pytest.mark.django_db
NAME = "Closed System 3"


@pytest.fixture
def poll(media: Path) -> Poll:
    """Two prompts with two seeds, and two contestants that were rendered here."""
    poll = make_poll("duel", prompts=2, seeds=(11, 12))
    enrol(poll, make_contestant(1), make_contestant(2))
    return poll


def noise(number: int, size: tuple[int, int] = (32, 24)) -> Image.Image:
    """A picture of its own for each number."""
    return Image.effect_noise(size, 40 + number).convert("RGB")


@pytest.fixture
def folder(tmp_path: Path, poll: Poll) -> Path:
    """Four pictures in three formats, one with telling metadata, and their table by text and by number."""
    folder = tmp_path / "closed"
    (folder / "deep").mkdir(parents=True)
    told = PngImagePlugin.PngInfo()
    told.add_text("parameters", f"made by {NAME}")
    noise(1).save(folder / "one.png", pnginfo=told)
    exif = Image.Exif()
    exif[0x0131] = NAME
    noise(2).save(folder / "two.jpg", quality=95, exif=exif)
    noise(3).save(folder / "deep" / "three.webp", lossless=True)
    noise(4).convert("RGBA").save(folder / "four.png")
    one, two = poll.prompt_set.prompts.all()
    write(folder, [[f'"{one.text}"', 11, "one.png"], [one.pk, 12, "two.jpg"], [two.pk, 11, "deep/three.webp"],
                   [f'"{two.text}"', 12, "four.png"]])  # fmt: skip
    return folder


def write(folder: Path, rows: list[list[object]], columns: str = "prompt,seed,file") -> Path:
    lines = [columns, *(",".join(map(str, row)) for row in rows)]
    (folder / "table.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "table.csv"


def import_all(folder: Path, name: str = NAME) -> tuple[Contestant, int]:
    return import_images(folder, folder / "table.csv", Identity(name, "CC BY 4.0", "somebody"))


def nothing_is_there(media: Path) -> bool:
    rows = Run.objects.filter(name=NAME).exists() or Checkpoint.objects.filter(imported=True).exists()
    return not rows and Sample.objects.count() == 8 and len(list(media.rglob("*.png"))) == 16


def test_every_line_becomes_a_sample_with_both_files(folder: Path, poll: Poll) -> None:
    contestant, added = import_all(folder)
    assert added == 4
    assert str(contestant) == NAME
    samples = {(one.prompt_id, one.seed): one for one in contestant.samples.all()}
    one, two = poll.prompt_set.prompts.all()
    assert set(samples) == {(one.pk, 11), (one.pk, 12), (two.pk, 11), (two.pk, 12)}
    for sample, file in ((samples[one.pk, 11], "one.png"), (samples[two.pk, 11], "deep/three.webp")):
        with sample.archive.open() as stored:
            image, manifest = read_archive(stored.read())
        with Image.open(folder / file) as original:
            assert pixel_sha256(image) == pixel_sha256(original) == sample.pixel_sha256
        assert manifest == sample.manifest
        assert (manifest["mode"], manifest["reproducible"], manifest["source"]["file"]) == ("imported", False, file)
        assert sample.conditions is None


def test_the_blind_copy_tells_nothing(folder: Path, settings) -> None:
    contestant, _ = import_all(folder)
    for sample in contestant.samples.all():
        content = Path(sample.blind.path).read_bytes()
        assert NAME.encode() not in content
        with Image.open(io.BytesIO(content)) as image:
            image.load()
            assert (image.format, image.info) == ("PNG", {})
            assert image.size == (32 * settings.ARENA_BLIND_SCALE, 24 * settings.ARENA_BLIND_SCALE)
        assert contestant.checkpoint.sha256[:8] not in sample.blind.name


def test_in_a_matchup_nothing_tells_it_from_the_others(folder: Path, poll: Poll) -> None:
    contestant, _ = import_all(folder)
    running.enrol(contestant)
    sample = contestant.samples.first()
    other = Sample.objects.filter(prompt=sample.prompt, seed=sample.seed).exclude(pk=sample.pk).first()
    seats = show(poll, Voter.objects.create(), [sample, other], "by-hand/1").matchup.seats.all()
    served = [seat_image(seat) for seat in seats]
    assert len({size_of(content) for content in served}) == 1
    assert all(NAME.encode() not in content and b"tEXt" not in content for content in served)
    shown = {one.contestant_id for n in range(40) for one in choose(poll, rng=random.Random(n)).samples}
    assert contestant.pk in shown


def test_the_same_again_adds_nothing_and_more_lines_add_theirs(folder: Path, poll: Poll) -> None:
    rows = (folder / "table.csv").read_text().splitlines()
    (folder / "table.csv").write_text("\n".join(rows[:3]))
    contestant, added = import_all(folder)
    assert added == 2
    assert import_all(folder) == (contestant, 0)
    (folder / "table.csv").write_text("\n".join(rows))
    assert import_all(folder) == (contestant, 2)
    assert contestant.samples.count() == 4
    assert Checkpoint.objects.filter(imported=True).count() == 1


def test_every_wrong_line_is_named_and_nothing_is_imported(folder: Path, poll: Poll, media: Path) -> None:
    one, two = poll.prompt_set.prompts.all()
    other = make_poll("ffa", prompts=1, seeds=(11,))
    assert other.prompt_set.prompts.get().text == one.text
    typed = Prompt.objects.create(prompt_set=poll.prompt_set, text="typed", origin=Prompt.Origin.VOLUNTEER)
    (folder / "broken.png").write_bytes((folder / "one.png").read_bytes()[:200])
    Image.new("RGB", (32, 24), "black").save(folder / "black.png")
    noise(5, (24, 32)).save(folder / "turned.png")
    noise(6, (8, 8)).save(folder / "small.png")
    (folder / "page.png").write_text("<html>")
    (folder.parent / "outside.png").write_bytes((folder / "one.png").read_bytes())
    wrong = [
        ([two.pk, 11, "one.png"], ""),
        (["1girl, nobody", 11, "one.png"], "no prompt set has the prompt '1girl'"),
        ([10**9, 11, "one.png"], "no prompt set has the prompt '1000000000'"),
        ([typed.pk, 11, "one.png"], "no prompt set has the prompt"),
        ([f'"{one.text}"', 11, "one.png"], f"several prompt sets have the prompt '{one.text}'; give its number"),
        ([one.pk, 13, "one.png"], "seed '13' is none of the prompt set's: 11, 12"),
        ([one.pk, "x", "one.png"], "seed 'x' is none"),
        ([one.pk, 11, "none.png"], "there is no file 'none.png'"),
        ([one.pk, 11, ""], "there is no file ''"),
        ([one.pk, 11, "../outside.png"], "there is no file '../outside.png'"),
        ([one.pk, 11, "broken.png"], "broken.png is no readable PNG, JPEG, WEBP picture"),
        ([one.pk, 11, "page.png"], "page.png is no readable"),
        ([one.pk, 11, "black.png"], "black.png is one flat colour"),
        ([one.pk, 11, "small.png"], "small.png is 8x8; sides are 16 to 8192 pixels"),
        ([one.pk, 11, "turned.png"], "turned.png is 24x32, line 2 is 32x24: one contestant has one size"),
        ([two.pk, 11, "four.png"], f"prompt {two.pk} with seed 11 stands in line 2 already"),
    ]
    found = write(folder, [row for row, _ in wrong])
    with pytest.raises(TableError) as refused:
        import_all(folder)
    expected = [(number, words) for number, (_, words) in enumerate(wrong, 2) if words]
    assert len(refused.value.problems) == len(expected)
    for problem, (number, words) in zip(refused.value.problems, expected, strict=True):
        assert problem.startswith(f"{found}:{number}: ")
        assert words in problem
    assert nothing_is_there(media)


@pytest.mark.parametrize(
    ("columns", "rows", "words"),
    [
        ("prompt,seed,picture", [[1, 11, "one.png"]], "column 'file' is missing"),
        ("prompt,seed,file", [], "no line below its columns"),
        ('prompt,seed,file\n"1', [], "cannot be read as CSV"),
    ],
)
def test_what_is_no_table_is_named(folder: Path, media: Path, columns: str, rows: list, words: str) -> None:
    write(folder, rows, columns)
    with pytest.raises(TableError, match=words):
        import_all(folder)
    (folder / "table.csv").unlink()
    with pytest.raises(TableError, match="cannot be read"):
        import_all(folder)
    assert nothing_is_there(media)


def test_a_store_that_fails_half_way_leaves_nothing(folder: Path, media: Path, monkeypatch) -> None:
    save, calls = File.chunks, []

    def failing(self, *args: object):
        calls.append(self)
        if len(calls) == 4:
            raise OSError("the disk is full")
        return save(self, *args)

    monkeypatch.setattr(File, "chunks", failing)
    with pytest.raises(OSError, match="disk is full"):
        import_all(folder)
    monkeypatch.undo()
    assert nothing_is_there(media)
    assert import_all(folder)[1] == 4


def test_other_pixels_under_one_name_and_names_in_use_are_refused(folder: Path, poll: Poll) -> None:
    import_all(folder)
    noise(9).save(folder / "one.png")
    with pytest.raises(TableError, match=r"table\.csv:2: .* was imported with other pixels; choose another name"):
        import_all(folder)
    with pytest.raises(TableError, match="is a training run"):
        import_all(folder, make_contestant(5).checkpoint.run.name)
    for path in ("one.png", "two.jpg", "deep/three.webp", "four.png"):
        noise(8, (48, 48)).save(folder / path)
    with pytest.raises(TableError, match="are 32x24, these are 48x48"):
        import_all(folder)
    assert Sample.objects.filter(contestant__checkpoint__imported=True).count() == 4


def test_the_command_enrols_it_and_says_that_it_is_not_reproducible(folder: Path, poll: Poll, capsys) -> None:
    arguments = ["import_images", str(folder), "--name", NAME, "--table", str(folder / "table.csv")]
    call_command(*arguments, "--licence", "CC BY 4.0")
    assert "4 images imported, 4 in all; not reproducible" in capsys.readouterr().out
    contestant = Contestant.objects.get(checkpoint__imported=True)
    assert Enrolment.objects.filter(poll=poll, contestant=contestant).exists()
    call_command(*arguments)
    assert "0 images imported, 4 in all" in capsys.readouterr().out
    write(folder, [[1, 99, "one.png"]])
    with pytest.raises(CommandError, match=r"nothing was imported:\n.*table\.csv:2: "):
        call_command(*arguments)


def test_nothing_that_needs_weights_is_done_with_it(folder: Path, poll: Poll) -> None:
    contestant, _ = import_all(folder)
    with pytest.raises(ImportedError, match="cannot be rendered"):
        running.start(contestant)
    with pytest.raises(CommandError, match="cannot be rendered"):
        call_command("evaluate", NAME)


def test_pages_board_api_and_export_mark_it(folder: Path, poll: Poll, client: Client) -> None:
    contestant, _ = import_all(folder)
    running.enrol(contestant)
    page = client.get(f"/checkpoints/{contestant.checkpoint.sha256[:12]}/").content.decode()
    assert "data-imported" in page
    assert "imported: not reproducible" in page
    assert "started from nothing" not in page
    assert contestant.checkpoint.sha256 not in page, "there is no content to have a hash"
    sample = contestant.samples.first()
    page = client.get(f"/samples/{sample.pk}/").content.decode()
    assert "data-imported" in page
    assert 'data-command="render"' not in page
    assert client.get("/boards/elo/duel/").content.decode().count("imported: not reproducible") == 1
    board = table.board("elo", "duel")
    assert {row.contestant: row.imported for row in board.rows}[NAME] is True
    assert [row.imported for row in board.rows].count(True) == 1
    assert SCHEMAS["Row"]["properties"]["imported"] == {"type": "boolean"}


def test_verify_says_imported_with_exit_code_four(folder: Path, tmp_path: Path, capsys) -> None:
    contestant, _ = import_all(folder)
    (tmp_path / "sample.png").write_bytes(Path(contestant.samples.first().archive.path).read_bytes())
    for arguments in ([], ["--checkpoint", str(tmp_path)]):
        assert main(["verify", str(tmp_path / "sample.png"), *arguments]) == 4
        assert "imported: not reproducible\ndiffers: mode" in capsys.readouterr().out
