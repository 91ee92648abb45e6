"""Further texts and register strings join the posts by id; what joins nothing is told."""

import dataclasses
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from generation.files import write_json
from tests.training.preparing import SMALL, contents, post, run, write
from training.caption_config import TINY
from training.cli import main
from training.errors import UserError
from training.posts import to_record
from training.report import gather
from training.report_captions import Asked
from training.sources import read_posts
from training.token_counts import WORDS

RECORDS = dataclasses.replace(SMALL, write="records")
GOOD = [
    {"id": 1, "texts": "A girl reads."},
    {"id": 2, "texts": ["One.", "Two."], "register": "k3pq9"},
    {"id": 1, "texts": ["She sits."], "register": "zz9qk"},
    {"id": 3, "register": "k3pq9"},
]


@pytest.fixture
def source(tmp_path):
    records = [to_record(post(number)) for number in (1, 2, 3, 4)]
    records[1]["texts"] = ["Its own."]
    records[2]["register"] = "own11"
    return write(tmp_path / "source", records, images=False)


def file_of(tmp_path, records, name="texts.jsonl"):
    (tmp_path / name).write_text("".join(one if isinstance(one, str) else json.dumps(one) + "\n" for one in records))
    return str(tmp_path / name)


def test_texts_join_behind_the_posts_own_and_register_strings_where_there_is_none(source, tmp_path):
    files = file_of(tmp_path, GOOD[:2], "a.jsonl"), file_of(tmp_path, GOOD[2:], "b.jsonl")
    run(source, tmp_path / "out", dataclasses.replace(RECORDS, texts=files))
    found = {one.id: (one.texts, one.register) for one in read_posts(tmp_path / "out")}
    assert found == {
        1: (("A girl reads.", "She sits."), "zz9qk"), 2: (("Its own.", "One.", "Two."), "k3pq9"), 3: ((), "own11"),
        4: ((), ""),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("record", "post_id", "problem"),
    [
        ({"texts": "x"}, 0, "has no id of a post"),
        ({"id": "5", "texts": "x"}, 0, "has no id of a post"),
        ({"id": 2**63, "texts": "x"}, 2**63, "has no id of a post"),
        ({"id": 2, "texts": [3]}, 2, "'texts' must be a text or a list of them"),
        ({"id": 2, "register": "a,b"}, 2, "'register' must be one word"),
        ({"id": 2, "register": 7}, 2, "'register' must be one word"),
        ({"id": 2}, 2, "has neither texts nor a register string"),
        ("{broken\n", 0, "not JSON"),
        ("[1]\n", 0, "is no object"),
        ({"id": 99, "texts": "x"}, 99, "of a post that is not there"),
    ],
)
def test_what_cannot_be_used_is_told_by_post_or_stops(source, tmp_path, record, post_id, problem):
    config = dataclasses.replace(RECORDS, texts=(file_of(tmp_path, [GOOD[0], record]),))
    run(source, tmp_path / "out", config)
    [line] = map(json.loads, (tmp_path / "out" / "texts-problems.jsonl").read_text().splitlines())
    assert line["post"] == post_id
    assert problem in line["problem"]
    assert read_posts(tmp_path / "out")[0].texts == ("A girl reads.",)
    assert gather(Asked(tmp_path / "out", TINY, "tiny", WORDS))["problem_kinds"] == {"records of further texts": 1}
    if post_id != 99:
        with pytest.raises(UserError, match=r"texts.jsonl line 2, post"):
            run(source, tmp_path / "stop", dataclasses.replace(config, on_problem="stop"))


def test_posts_without_a_usable_id_are_told_as_ever(source, tmp_path):
    with (source / "posts.jsonl").open("a") as file:
        file.writelines(json.dumps(to_record(post(5)) | {"id": number}) + "\n" for number in (2**70, "x", None))
    config = dataclasses.replace(RECORDS, texts=(file_of(tmp_path, GOOD),))
    assert run(source, tmp_path / "out", config)["removed"] == 3


def test_going_on_after_an_interruption_gives_the_same_set(source, tmp_path, monkeypatch):
    config = dataclasses.replace(RECORDS, texts=(file_of(tmp_path, [*GOOD, {"id": 99, "texts": "x"}]),))
    run(source, tmp_path / "a" / "out", config)
    with monkeypatch.context() as patch:
        patch.setattr("training.prepare.write_json", interrupted_at("meanings.json"))
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "b" / "out", config)
    run(source, tmp_path / "b" / "out", config)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert not (tmp_path / "a" / "out" / "scan").exists()


def interrupted_at(name):
    def write_or_stop(path, value):
        if path.name == name:
            raise KeyboardInterrupt
        write_json(path, value)

    return write_or_stop


def test_other_texts_are_other_settings(source, tmp_path):
    files = (file_of(tmp_path, GOOD),)
    run(source, tmp_path / "out", dataclasses.replace(RECORDS, texts=files))
    file_of(tmp_path, GOOD[:2])
    with pytest.raises(UserError, match="source_parts_sha256 differ"):
        run(source, tmp_path / "out", dataclasses.replace(RECORDS, texts=files))


def test_the_command_takes_several_files_and_names_one_that_is_missing(source, tmp_path, capsys):
    (tmp_path / "small.toml").write_text("[prune]\nmin_side = 16\n")
    command = ["prepare", str(source), "--config", str(tmp_path / "small.toml"), "--workers", "1"]
    files = ["--texts", file_of(tmp_path, GOOD[:2], "a.jsonl"), "--texts", file_of(tmp_path, GOOD[2:], "b.jsonl")]
    assert main([*command, "--out", str(tmp_path / "out"), *files]) == 0
    assert read_posts(tmp_path / "out")[0].texts == ("A girl reads.", "She sits.")
    assert main([*command, "--out", str(tmp_path / "none"), "--texts", str(tmp_path / "gone.jsonl")]) == 1
    assert "gone.jsonl is missing" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_start_that_was_interrupted_before_its_plan_was_written_is_begun_again(source, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "vocabulary-problems.jsonl").touch()
    (tmp_path / "out" / "plan.json.partial").touch()
    assert run(source, tmp_path / "out", RECORDS)["posts"] == 4


def test_the_folder_may_be_called_anything(source, tmp_path):
    """In the address of an SQLite file `#` and `%41` would mean something."""
    out = tmp_path / "a#1 %41" / "out"
    run(source, out, dataclasses.replace(RECORDS, texts=(file_of(tmp_path, GOOD),)))
    assert read_posts(out)[0].texts == ("A girl reads.", "She sits.")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a#1 %41", "source", "texts.jsonl"]


def test_the_same_folder_prepared_again_by_one_process_has_its_own_texts(source, tmp_path):
    for texts in ((), ("First.",), ("Second.",)):
        files = tuple(file_of(tmp_path, [{"id": 1, "texts": text}]) for text in texts)
        run(source, tmp_path / "out", dataclasses.replace(RECORDS, texts=files))
        assert read_posts(tmp_path / "out")[0].texts == texts
        shutil.rmtree(tmp_path / "out")


@pytest.mark.parametrize("data", [b"no database at all, and long enough to be taken for one" * 100, b""])
def test_a_damaged_index_is_named_with_the_remedy_and_the_remedy_helps(source, tmp_path, monkeypatch, data):
    config = dataclasses.replace(RECORDS, texts=(file_of(tmp_path, GOOD),))
    run(source, tmp_path / "a" / "out", config)
    with monkeypatch.context() as patch:
        patch.setattr("training.prepare.write_json", interrupted_at("meanings.json"))
        with pytest.raises(KeyboardInterrupt):
            run(source, tmp_path / "b" / "out", config)
    index = tmp_path / "b" / "out" / "scan" / "additions.sqlite"
    index.write_bytes(data)
    for scanned in (True, False):
        if not scanned:
            (tmp_path / "b" / "out" / "scan" / "00000.npz").unlink()
        with pytest.raises(UserError, match=r"additions.sqlite cannot be read: .*; delete it and run the same command"):
            run(source, tmp_path / "b" / "out", config)
    index.unlink()
    run(source, tmp_path / "b" / "out", config)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_full_disk_while_texts_are_indexed_is_told_with_the_remedy(source, tmp_path):
    """The kernel takes no file of more than 64 KiB; the index would have more."""
    texts = file_of(tmp_path, [{"id": 1, "texts": "x" * 2**18}])
    limited = (
        "import resource, sys; from training.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**16, 2**16)); sys.exit(main(sys.argv[1:]))"
    )
    (tmp_path / "small.toml").write_text("[prune]\nmin_side = 16\n")
    command = ["prepare", str(source), "--config", str(tmp_path / "small.toml"), "--workers", "1", "--texts", texts]
    done = subprocess.run(
        [sys.executable, "-c", limited, *command, "--out", str(tmp_path / "out")],
        cwd=Path(__file__).parents[2], capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "additions.sqlite: " in done.stderr
    assert "free some disk space and run the same command again" in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "out" / "scan").iterdir())
