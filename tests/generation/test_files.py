"""Whole or not at all, also after an error or a kill."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from generation.files import signature, whole, write_bytes, write_json, write_text


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


def test_a_signature_is_another_once_a_file_was_written_to_whatever_its_times_say(tmp_path):
    file = tmp_path / "sub" / "a"
    file.parent.mkdir()
    file.write_bytes(b"one")
    os.utime(file, ns=(1, 1))
    before, changed = signature([tmp_path]), file.stat().st_ctime_ns
    assert signature([tmp_path]) == before
    assert signature([file]) == before
    while file.stat().st_ctime_ns == changed:  # until the system's clock, which ticks in milliseconds, has moved
        file.write_bytes(b"two")
        os.utime(file, ns=(1, 1))
    after = signature([tmp_path])
    assert after != before
    (there,), (here,) = before, after
    assert (there[:3], there[-1]) == (here[:3], here[-1]), "name, size, time and inode are the same"


def test_a_file_that_is_pruned_meanwhile_is_another_signature_and_no_error(tmp_path, monkeypatch):
    for name in "ab":
        (tmp_path / name).touch()
    stat = Path.stat

    def pruned(path, **options):
        found = stat(path, **options)
        (tmp_path / "a").unlink(missing_ok=True)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", pruned)
        before = signature([tmp_path / "a", tmp_path / "b"])
        gone = signature([tmp_path / "a", tmp_path / "b"])
    assert [Path(name).name for name, *_ in before] == ["a", "b"]
    assert gone == signature([tmp_path]) == before[1:]
    assert signature([tmp_path / "none"]) == ()
