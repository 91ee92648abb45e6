"""Interrupted, killed, repeated, with any number of processes: the same set."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.training.preparing import SMALL, contents, post, run, write
from training import prepare as prepare_module
from training.errors import UserError
from training.folder import Pictures, pictures_of, read_manifest
from training.parquet import write_rows
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
    deadline = time.monotonic() + 120
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


def test_pictures_are_worked_on_in_small_parts(tmp_path, monkeypatch):
    """So that several processes share them and a kill costs little; records alone stay in large ones."""
    monkeypatch.setattr(prepare_module, "PICTURE_ROWS", 4)
    source = write(tmp_path / "source", [to_record(post(number)) for number in range(1, 26)])
    many = run(source, tmp_path / "shards", workers=2)["parts"]
    assert many == 5, "a record of half a kilobyte takes less than its 640 bytes"
    assert run(source, tmp_path / "records", dataclasses.replace(SMALL, write="records"))["parts"] == 1
    assert read_posts(tmp_path / "records")[3].id == read_posts(tmp_path / "shards")[3].id == 4


def test_a_source_that_changes_between_the_passes_is_refused(in_parts, tmp_path, monkeypatch):
    """A line more in a part, or one fewer, would give every post behind it another's quality."""
    rank = prepare_module.rank_all
    for change in (1, -1):

        def changed(jobs, config, change=change):
            found = rank(jobs, config)
            codes = np.load(jobs[2].codes)
            np.save(jobs[2].codes, codes[:-1] if change > 0 else np.append(codes, codes[-1]))
            return found

        monkeypatch.setattr(prepare_module, "rank_all", changed)
        with pytest.raises(UserError, match=r"2.jsonl from line 1 on changed while it was prepared"):
            run(in_parts, tmp_path / f"out{change}")
        assert not (tmp_path / f"out{change}" / "parts" / "00002").exists()


def test_a_file_written_anew_is_another_source(tmp_path):
    """Parquet with as many rows: its parts are called the same."""
    source = tmp_path / "source.parquet"
    config = dataclasses.replace(SMALL, write="records")
    for length in (1, 100):
        write_rows(source, [to_record(post(number, source="x" * length)) for number in (1, 2)])
        if length == 1:
            run(source, tmp_path / "out", config)
    with pytest.raises(UserError, match="source_parts_sha256 differ"):
        run(source, tmp_path / "out", config)


def test_a_set_that_is_not_finished_says_how_to_finish_it(in_parts, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "write_json", raises_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(in_parts, tmp_path / "out")
    (tmp_path / "out" / "plan.json").write_text("{}")
    with pytest.raises(UserError, match="is prepared in part: give the same `python -m training prepare` again"):
        read_manifest(tmp_path / "out")


def changed(out, **changes):
    """Make the plan another version's: None takes a setting away, ``texts`` one of `PrepareConfig`'s."""
    plan = json.loads((out / "plan.json").read_text())
    if "texts" in changes:
        del plan["prepare"]["texts"]
    plan |= {name: value for name, value in changes.items() if name != "texts"}
    (out / "plan.json").write_text(json.dumps({name: value for name, value in plan.items() if value is not None}))


@pytest.mark.parametrize(
    "changes",
    [{"schema": 1, "source_parts_sha256": "of other things"}, {"texts": None}, {"images": None}],
    ids=["schema", "a rule", "a setting"],
)
def test_what_another_version_left_unfinished_is_begun_anew(in_parts, tmp_path, capsys, changes):
    run(in_parts, tmp_path / "a" / "out")
    out = tmp_path / "b" / "out"
    run(in_parts, out)
    (out / "dataset.json").unlink()
    (out / "parts" / "00000" / "posts.jsonl").write_text("by other rules\n")
    (out / "parts" / "00009").mkdir()
    (out / "notes.txt").write_text("not ours")
    changed(out, **changes)
    run(in_parts, out)
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert line == f"{out} was begun by another version: its unfinished parts are deleted and prepared anew"
    assert (out / "notes.txt").read_text() == "not ours"
    (out / "notes.txt").unlink()
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert not (out / "parts" / "00009").exists()


def test_what_another_version_finished_is_left_and_used_where_its_settings_agree(in_parts, tmp_path, capsys):
    out = tmp_path / "out"
    manifest = run(in_parts, out)
    changed(out, schema=1, texts=None)
    before = contents(out)
    assert run(in_parts, out) == manifest
    assert contents(out) == before
    changed(out, source_parts_sha256="of other things")
    before = contents(out)
    with pytest.raises(UserError, match=r"source_parts_sha256 differ\): .*or delete that folder to prepare it anew"):
        run(in_parts, out)
    assert contents(out) == before
    assert "another version" not in capsys.readouterr().out


@pytest.mark.parametrize("plan", ["{}", '{"schema": 1}', "[]", "\x00"])
def test_a_plan_of_somebody_else_is_left_alone(in_parts, tmp_path, plan):
    (tmp_path / "parts").mkdir()
    (tmp_path / "plan.json").write_text(plan)
    with pytest.raises(UserError, match="exists and is not a prepared data set"):
        run(in_parts, tmp_path)
    assert (tmp_path / "parts").is_dir()
    assert (tmp_path / "plan.json").read_text() == plan


def raises_interrupt(path, value):
    raise KeyboardInterrupt


def test_a_prepared_set_is_a_source_itself(in_parts, tmp_path):
    """Shards are read where they lie; ranks and rules are those of the new settings."""
    run(in_parts, tmp_path / "first")
    again = dataclasses.replace(SMALL, prune=dataclasses.replace(SMALL.prune, drop_tags=frozenset({"solo"})))
    with pytest.raises(UserError, match=r"no post of .* is left"):
        run(tmp_path / "first", tmp_path / "none", again)
    run(tmp_path / "first", tmp_path / "second")
    for one, other in zip(read_posts(tmp_path / "first"), read_posts(tmp_path / "second"), strict=True):
        assert one.id == other.id
        assert Pictures(tmp_path / "second").data(other) == Pictures(tmp_path / "first").data(one)
    with pytest.raises(UserError, match=r"post 1: its picture lies in a shard, so prepare it with --write shards"):
        run(tmp_path / "first", tmp_path / "third", dataclasses.replace(SMALL, write="check"))


def test_pictures_lie_where_a_prepared_source_has_them(in_parts, tmp_path):
    run(in_parts, tmp_path / "records", dataclasses.replace(SMALL, write="records"))
    run(in_parts, tmp_path / "shards")
    assert pictures_of(tmp_path / "records").resolve() == in_parts.resolve()
    assert pictures_of(tmp_path / "shards") == tmp_path / "shards"
    assert pictures_of(in_parts) == pictures_of(in_parts / "0.jsonl") == in_parts
