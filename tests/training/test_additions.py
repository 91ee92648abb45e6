"""Further texts and register strings join the posts by id; what joins nothing is told."""

import dataclasses
import json

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
