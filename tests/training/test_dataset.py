import csv
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from training import cli
from training.dataset.characters import CHARACTERS
from training.dataset.plan import Plan, make_post
from training.dataset.writer import write_dataset
from training.errors import UserError
from training.sources import read_posts

PLAN = Plan(seed=3, images=60, named=1)
ROOT = Path(__file__).parents[2]


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "set"
    assert write_dataset(folder, PLAN, command="the command", workers=1)
    return folder


def copy_of(built, tmp_path):
    folder = tmp_path / "set"
    for name, data in contents(built).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_same_seed_gives_the_same_bytes_with_any_number_of_workers(built, tmp_path):
    assert write_dataset(tmp_path / "again", PLAN, command="the command", workers=2)
    assert contents(tmp_path / "again") == contents(built)


def test_another_seed_gives_other_pictures():
    assert make_post(PLAN, 5)[1] != make_post(Plan(seed=4, images=60, named=1), 5)[1]


def test_a_post_does_not_depend_on_how_many_others_there_are():
    assert make_post(Plan(seed=3, images=5000, named=7), 5) == make_post(PLAN, 5)


def test_posts_are_danbooru_style_and_match_their_files(built):
    posts = read_posts(built)
    assert [post.id for post in posts] == list(range(1, 60 + len(CHARACTERS) + 1))
    for post in posts:
        data = (built / post.file_path).read_bytes()
        assert hashlib.md5(data).hexdigest() == post.md5
        assert 2012 <= post.created_at.year <= 2025
        with Image.open(built / post.file_path) as image:
            assert (image.size, image.mode, image.format) == ((64, 64), "RGB", "PNG")
    assert [post.character for post in posts[60:]] == [(name,) for name in CHARACTERS]
    assert all(not post.character for post in posts[:60])


def test_the_whole_tag_string_is_the_sum_of_its_parts(built):
    for line in (built / "posts.jsonl").read_text().splitlines():
        record = json.loads(line)
        parts = [record[f"tag_string_{name}"] for name in ("general", "character", "copyright", "artist", "meta")]
        assert sorted(" ".join(parts).split()) == record["tag_string"].split()


def test_manifest_names_seed_hashes_licence_versions_and_synthetic_fields(built):
    manifest = json.loads((built / "dataset.json").read_text())
    assert (manifest["seed"], manifest["images"], manifest["named_per_character"]) == (3, 60, 1)
    assert manifest["posts"] == 60 + len(CHARACTERS)
    assert manifest["posts_sha256"] == hashlib.sha256((built / "posts.jsonl").read_bytes()).hexdigest()
    pictures = b"".join((built / post.file_path).read_bytes() for post in read_posts(built))
    assert manifest["images_sha256"] == hashlib.sha256(pictures).hexdigest()
    [style] = manifest["styles"]
    assert style["licence"] == "CC BY 4.0"
    assert "Lisa Wischofsky" in style["attribution"]
    assert manifest["synthetic_fields"] == ["created_at", "score", "fav_count"]
    assert set(manifest["packages"]) == {"dicebear-core", "dicebear-styles", "resvg-py", "pillow"}


def test_characters_have_tags_and_references_that_show_them(tmp_path):
    folder = tmp_path / "set"
    write_dataset(folder, Plan(images=0, named=6), command="", workers=1)
    posts = {post.file_path: post for post in read_posts(folder)}
    rows = json.loads((folder / "characters.json").read_text())
    assert [row["name"] for row in rows] == list(CHARACTERS)
    for row in rows:
        assert len(row["references"]) == 6
        for path in row["references"]:
            post = posts[path]
            assert post.character == (row["name"],)
            eyes_shut = "closed_eyes" in post.general
            assert {tag for tag in row["tags"] if not (eyes_shut and tag.endswith("_eyes"))} <= set(post.general)


def test_an_unchanged_data_set_is_up_to_date(built):
    before = contents(built)
    assert not write_dataset(built, PLAN, command="another command", workers=1)
    assert contents(built) == before


def test_a_data_set_with_other_settings_is_not_overwritten(built):
    before = contents(built)
    with pytest.raises(UserError, match=r"seed: 3 there, 4 asked.*choose another --out"):
        write_dataset(built, Plan(seed=4, images=60, named=1), command="", workers=1)
    assert contents(built) == before


@pytest.mark.parametrize("damage", ["picture", "missing picture", "posts", "missing posts"])
def test_a_damaged_data_set_is_noticed(built, tmp_path, damage):
    folder = copy_of(built, tmp_path)
    path = folder / ("posts.jsonl" if damage.endswith("posts") else "images/00/000007.png")
    if damage.startswith("missing"):
        path.unlink()
    else:
        path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(UserError, match="differs from its manifest"):
        write_dataset(folder, PLAN, command="", workers=1)


def test_a_folder_that_is_no_data_set_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(UserError, match="is not a data set"):
        write_dataset(tmp_path, PLAN, command="", workers=1)
    assert contents(tmp_path) == {"mine.txt": b"keep"}


def test_a_broken_manifest_is_a_clear_error(built, tmp_path):
    folder = copy_of(built, tmp_path)
    (folder / "dataset.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        write_dataset(folder, PLAN, command="", workers=1)


def test_what_an_interrupted_run_left_is_replaced(built, tmp_path):
    stale = tmp_path / "set.partial" / "images"
    stale.mkdir(parents=True)
    (stale / "stale.png").write_bytes(b"half")
    write_dataset(tmp_path / "set", PLAN, command="the command", workers=1)
    assert contents(tmp_path / "set") == contents(built)
    assert not (tmp_path / "set.partial").exists()


def test_every_tag_is_a_danbooru_tag_of_the_right_category(built):
    with (ROOT / "tests/data/danbooru_tags_used.csv").open() as file:
        general = {row["name"] for row in csv.DictReader(file) if row["category"] == "0"}
    plan = Plan()
    shown = {tag for number in range(1, 3001) for tag in plan.scene(number).general_tags()}
    assert shown <= general
    assert len(shown) > 70


def run(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "training", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "TERM": "dumb"},
        check=False,
    )


def test_commands_make_a_data_set_and_a_contact_sheet(tmp_path):
    made = run("dataset", "demo", "--out", str(tmp_path / "set"), "--images", "6", "--named", "1", "--workers", "1")
    assert (made.returncode, made.stderr) == (0, "")
    assert "30 posts in" in made.stdout
    again = run("dataset", "demo", "--out", str(tmp_path / "set"), "--images", "6", "--named", "1")
    assert (again.returncode, again.stdout) == (0, f"{tmp_path / 'set'} is up to date\n")
    sheet = run("dataset", "sheet", str(tmp_path / "set"), "--out", str(tmp_path / "sheet.png"), "--count", "9")
    assert sheet.returncode == 0, sheet.stderr
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width == 8 * 128
        assert image.height // 2 > 128
        assert image.crop((0, 0, 128, 128)).getcolors() != [(128 * 128, (255, 255, 255))]


@pytest.mark.parametrize(
    ("out", "fault", "message"),
    [("gone/s.png", "", "cannot write"), ("s.xyz", "", "cannot write"),
     ("s.png", "missing", "cannot read the image of"),
     ("s.png", "damaged", "is no readable image: of no known kind: make the data set again")],
)  # fmt: skip
def test_a_sheet_that_cannot_be_made_says_why(tmp_path, capsys, out, fault, message):
    write_dataset(tmp_path / "set", Plan(0, 3, 0), command="test", workers=1)
    first = tmp_path / "set" / "images" / "00" / "000001.png"
    if fault == "missing":
        first.unlink()
    elif fault == "damaged":
        first.write_bytes(b"no picture")
    assert cli.main(["dataset", "sheet", str(tmp_path / "set"), "--out", str(tmp_path / out)]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / out).exists()


def test_a_sheet_of_a_prepared_set(tmp_path):
    write_dataset(tmp_path / "set", Plan(0, 5, 0), command="test", workers=1)
    arguments = ["--config", "demo", "--write", "shards", "--workers", "1"]
    assert cli.main(["prepare", str(tmp_path / "set"), "--out", str(tmp_path / "out"), *arguments]) == 0
    for folder in ("set", "out"):
        sheet = str(tmp_path / f"{folder}.png")
        assert cli.main(["dataset", "sheet", str(tmp_path / folder), "--out", sheet]) == 0
    assert (tmp_path / "set.png").read_bytes() == (tmp_path / "out.png").read_bytes()


def test_sheet_can_show_one_character_and_refuses_an_unknown_one(built, tmp_path):
    arguments = ["dataset", "sheet", str(built), "--out", str(tmp_path / "s.png"), "--character"]
    assert cli.main([*arguments, "akari"]) == 0
    assert cli.main([*arguments, "nobody"]) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sheet", "nowhere", "--out", "s.png"], "nowhere is missing: make the data set"),
        (["demo", "--out", "set", "--images", "0", "--named", "0"], "no posts"),
    ],
)
def test_user_errors_exit_1_with_a_message(tmp_path, monkeypatch, capsys, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["dataset", *arguments]) == 1
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--images", "-1"], ["--images", "many"], ["--workers", "0"]])
def test_wrong_numbers_exit_2(tmp_path, arguments, capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["dataset", "demo", "--out", str(tmp_path / "set"), *arguments])
    assert exit_.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_a_user_error(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert cli.main(["dataset", "demo", "--out", str(tmp_path / "file" / "set"), "--images", "1", "--named", "0"]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_unknown_verb_names_the_nearest(capsys):
    assert cli.main(["datset"]) == 2
    assert "did you mean 'dataset'" in capsys.readouterr().err


def test_help_lists_every_verb(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {verb}" in text for verb in cli.COMMANDS)
    assert cli.COMMANDS.keys() == cli.SUMMARIES.keys()
    assert cli.main([]) == 2


def test_making_data_never_loads_torch():
    code = (
        "import sys; from training import cli; import training.dataset.cli, training.captions, training.attributes;"
        "print('torch' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True).stdout
        == "False\n"
    )
