"""Whole or not at all, also after an error or a kill."""

import json
import os
import signal
import subprocess
import sys

import pytest

from generation.files import whole, write_bytes, write_json, write_text


def test_a_file_takes_the_place_of_the_one_before(tmp_path):
    write_text(tmp_path / "a.txt", "first\n")
    write_bytes(tmp_path / "a.txt", b"second\n")
    assert (tmp_path / "a.txt").read_bytes() == b"second\n"
    write_json(tmp_path / "a.json", {"name": "初音"})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "name": "初音"\n}\n'
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == {"name": "初音"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.json", "a.txt"]


def test_an_error_leaves_what_was_there_and_nothing_else(tmp_path):
    write_text(tmp_path / "a", "before")

    def interrupted():
        with whole(tmp_path / "a") as partial:
            partial.write_text("half")
            assert (tmp_path / "a").read_text() == "before"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "before"


def test_a_folder_takes_the_place_of_the_one_before(tmp_path):
    for number in (1, 2):
        with whole(tmp_path / "set") as partial:
            partial.mkdir()
            (partial / f"{number}.txt").touch()
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["2.txt"]


def test_a_full_disk_leaves_the_folder_that_was_there(tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "2.txt").touch()

    def full():
        with whole(tmp_path / "set") as partial:
            partial.mkdir()
            (partial / "3.txt").touch()
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        full()
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["2.txt"]


def test_what_a_killed_process_left_is_no_hindrance(tmp_path):
    kill = (
        "import os, sys; from pathlib import Path; from generation.files import whole\n"
        "with whole(Path(sys.argv[1])) as partial:\n"
        "    partial.mkdir(); (partial / 'half').touch(); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", kill, str(tmp_path / "a")], env={**os.environ})
    assert killed.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["a.partial"]
    write_text(tmp_path / "a", "whole")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "whole"
