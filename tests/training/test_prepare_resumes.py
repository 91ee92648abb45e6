"""Interrupted, killed, repeated, with any number of processes: the same set."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.training.preparing import SMALL, contents, post, run, write
from training import prepare as prepare_module
from training.errors import UserError
from training.posts import to_record
from training.sources import read_posts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def in_parts(tmp_path, monkeypatch):
    """A source in eight parts."""
    source = tmp_path / "source"
    source.mkdir()
    for part in range(8):
        numbers = range(part * 5 + 1, part * 5 + 6)
        write(source, [to_record(post(number)) for number in numbers])
        (source / "posts.jsonl").rename(source / f"{part}.jsonl")
    return source


@pytest.mark.parametrize("records", ["jsonl", "parquet"])
def test_workers_change_nothing(in_parts, tmp_path, records):
    run(in_parts, tmp_path / "a" / "out", records=records)
    run(in_parts, tmp_path / "b" / "out", workers=2, records=records)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert [one.id for one in read_posts(tmp_path / "a" / "out")] == list(range(1, 41))


@pytest.mark.parametrize("stage", ["scan_part", "write_part"])
@pytest.mark.parametrize("after", [0, 3, 7])
def test_an_interrupted_preparation_goes_on(in_parts, tmp_path, monkeypatch, stage, after):
    run(in_parts, tmp_path / "a" / "out")
    work = getattr(prepare_module, stage)

    def interrupted(job, **options):
        if job.number == after:
            raise KeyboardInterrupt
        return work(job, **options)

    monkeypatch.setattr(prepare_module, stage, interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(in_parts, tmp_path / "b" / "out")
    assert not (tmp_path / "b" / "out" / "dataset.json").exists()
    (tmp_path / "b" / "out" / "parts" / "00007.partial").mkdir(parents=True)  # what SIGKILL leaves
    monkeypatch.setattr(prepare_module, stage, work)
    run(in_parts, tmp_path / "b" / "out")
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def test_a_killed_preparation_goes_on(in_parts, tmp_path):
    config = tmp_path / "small.toml"
    config.write_text('write = "shards"\n[prune]\nmin_side = 16\n')
    out = tmp_path / "out"
    command = [sys.executable, "-m", "training", "prepare", str(in_parts), "--out", str(out), "--config", str(config)]
    child = subprocess.Popen([*command, "--workers", "1"], cwd=ROOT, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and not list(out.glob("parts/0000*")):
        time.sleep(0.002)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    assert subprocess.run([*command, "--workers", "2"], cwd=ROOT, capture_output=True).returncode == 0
    assert [one.id for one in read_posts(out)] == list(range(1, 41))
    assert not list(out.rglob("*.partial"))


def test_again_changes_nothing_and_other_settings_are_refused(in_parts, tmp_path):
    run(in_parts, tmp_path / "out")
    before = contents(tmp_path / "out")
    run(in_parts, tmp_path / "out")
    assert contents(tmp_path / "out") == before
    with pytest.raises(UserError, match=r"other settings or another source \(prepare differ\)"):
        run(in_parts, tmp_path / "out", dataclasses.replace(SMALL, same_file="remove"))
    write(in_parts, [to_record(post(99))])
    (in_parts / "posts.jsonl").rename(in_parts / "9.jsonl")
    with pytest.raises(UserError, match="source_parts_sha256 differ"):
        run(in_parts, tmp_path / "out")
    with pytest.raises(UserError, match="is not a prepared data set"):
        run(in_parts, in_parts)
