"""The readable trace says what the caption says."""

import dataclasses
import json
import re

import pytest

from generation.tags import spaced
from tests.training.preparing import SMALL, post, run, write
from tests.training.test_captions import POST
from training.captions import caption
from training.cli import main
from training.config import caption_names, load_captions
from training.explain import explain
from training.posts import to_record
from training.sources import read_posts


@pytest.mark.parametrize("name", ["v0.1", "v1.0", "v1.1", "v2.0", "named-adventurers"])
def test_rows_agree_with_the_caption(small_data, name):
    post, config = read_posts(small_data)[-1], load_captions(name)
    for epoch in range(40):
        made = caption(post, config, 0, epoch)
        values = explain(post, config, 0, epoch, made)
        assert tuple(row["tag"] for row in values["tags"]) == made.trace.tags
        assert {row["tag"] for row in values["tags"] if row["kept"]} == set(made.trace.kept)
        paraphrased = dict(made.trace.paraphrased)
        for row in values["tags"]:
            if row["kept"] and not made.trace.spaces:
                assert paraphrased.get(row["tag"], spaced(row["tag"])) in made.text.split(", ")
        assert {row["group"] for row in values["tags"]} >= {"person", "character", "general"}


def test_the_arithmetic_of_a_level_is_shown(small_data):
    post, config = read_posts(small_data)[-1], load_captions("v1.0")
    seen = set()
    for epoch in range(60):
        made = caption(post, config, 0, epoch)
        if made.trace.stage.startswith("level"):
            text = explain(post, config, 0, epoch, made)["decided"]["tags"]
            kept = re.search(r"= (\d+) of the (\d+) droppable tags, and (\d+) protected", text)
            assert int(kept[1]) + int(kept[3]) == len(made.trace.kept)
            assert int(kept[2]) + int(kept[3]) == len(made.trace.tags)
            seen.add(made.trace.stage)
    assert seen == {"level 1", "level 2", "level 3", "level 4"}


def test_the_command_prints_the_trace(small_data, capsys):
    assert main(["explain-caption", "21", "--data", str(small_data), "--epoch", "3", "--captions", "v1.0"]) == 0
    shown = capsys.readouterr().out
    post, config = read_posts(small_data)[20], load_captions("v1.0")
    made = caption(post, config, 0, 3)
    assert made.text in shown
    assert "post 21, epoch 3, seed 0" in shown
    assert main(["explain-caption", "21", "--data", str(small_data), "--epoch", "3", "--format", "json"]) == 0
    assert (
        json.loads(capsys.readouterr().out)["caption"] == caption(post, load_captions("named-adventurers"), 0, 3).text
    )


def test_a_post_that_was_left_out_says_why(tmp_path, capsys):
    source = write(tmp_path / "source", [to_record(post(1)), to_record(post(2, size=(10, 10)))], images=False)
    run(source, tmp_path / "out", dataclasses.replace(SMALL, write="records"))
    assert main(["explain-caption", "2", "--data", str(tmp_path / "out")]) == 1
    assert "post 2 was left out: small, 10x10 is below 16x16 by area" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["999"], "has no post 999"),
        (["1", "--captions", "v2"], "did you mean 'v2.0'"),
        (["1", "--data", "nowhere"], "python -m training dataset demo"),
    ],
)
def test_wrong_arguments_are_named(small_data, capsys, arguments, message):
    assert main(["explain-caption", "--data", str(small_data), *arguments]) == 1
    assert message in capsys.readouterr().err


def test_a_config_file_of_ones_own(small_data, tmp_path, capsys):
    own = tmp_path / "own.toml"
    own.write_text('name_protection = 0.5\nprotected = ["solo"]\n')
    assert load_captions(str(own)).protected == {"solo"}
    own.write_text("name_protection = 1.5\n")
    assert main(["explain-caption", "1", "--data", str(small_data), "--captions", str(own)]) == 1
    assert "own.toml: name_protection must be between 0 and 1, got 1.5" in capsys.readouterr().err
    own.write_text("name_protection = \n")
    assert main(["explain-caption", "1", "--data", str(small_data), "--captions", str(own)]) == 1
    assert "is no TOML" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["v0.1", "v1.0", "v1.1", "v2.0"])
def test_the_papers_versions_never_drop_what_is_provocative(version):
    """Section 3.2, first: in every caption of the post, also the empty one, so that guidance can steer it."""
    config = load_captions(version)
    post = dataclasses.replace(POST, rating="e", general=("1girl", "nude", "smile", "solo"), texts=("A text.",))
    made = [caption(post, config, 0, epoch) for epoch in range(200)]
    assert all({"explicit", "nude"} <= set(one.trace.kept) for one in made)
    assert {one.text for one in made if one.trace.unconditional} <= {"explicit, nude", "explicit nude"}
    assert not config.protected & set(POST.tags), "nothing of an ordinary post is protected"


def test_what_the_versions_of_table_5_have():
    """Dropout levels N Y Y Y, register tokens N Y Y Y, natural language N N Y Y, multi-caption N N N Y."""
    configs = [load_captions(name) for name in ("v0.1", "v1.0", "v1.1", "v2.0")]
    assert [bool(config.levels) for config in configs] == [False, True, True, True]
    assert [config.register_rate > 0 for config in configs] == [False, True, True, True]
    assert [config.text_rate > 0 for config in configs] == [False, False, True, True]
    assert [config.text_rate > 0 and config.text_choice == "any" for config in configs] == [False, False, False, True]
    assert set(caption_names()) == {"v0.1", "v1.0", "v1.1", "v2.0", "base", "named-adventurers", "tiny"}
