"""A source with every fault goes in; a prepared set, and a line for each thing left out, come out."""

import dataclasses
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.test_captions import POST
from training import prepare as prepare_module
from training.captions import caption, prompt_text
from training.cli import main
from training.config import load_captions, to_mapping
from training.errors import UserError
from training.folder import Pictures
from training.posts import to_record
from training.prepare import Preparation, prepare
from training.prepare_config import PrepareConfig
from training.prune import PruneConfig, ScoreRule
from training.repair import RepairConfig, RepairRule
from training.resize import ResizeConfig
from training.shards import FULL
from training.sources import read_posts

ROOT = Path(__file__).parents[2]
SMALL = PrepareConfig(
    write="shards", prune=PruneConfig(min_side=16, max_pixels=4000, max_ratio=4), resize=ResizeConfig(max_pixels=1024)
)


def post(number, size=(32, 32), **changes):
    return dataclasses.replace(
        POST, id=number, md5=hashlib.md5(b"%d" % number).hexdigest(),
        image_width=size[0], image_height=size[1], file_path=f"{number}.png",
        score=number, **changes,
    )  # fmt: skip


def write(folder, records, images=True):
    folder.mkdir(exist_ok=True)
    with (folder / "posts.jsonl").open("w") as file:
        file.writelines(record if isinstance(record, str) else json.dumps(record) + "\n" for record in records)
    for record in records if images else ():
        if isinstance(record, dict) and record.get("image_width"):
            size = (record["image_height"], record["image_width"], 3)
            pixels = np.random.default_rng(record["id"]).integers(0, 256, size, np.uint8)
            Image.fromarray(pixels).save(folder / record["file_path"])
    return folder


def lines(folder, name):
    files = sorted(folder.glob(f"parts/*/{name}.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def run(source, out, config=SMALL, **options):
    plan = Preparation(source, out, source, config, options.pop("records", "jsonl"))
    return prepare(plan, command="the command", **options)


@pytest.fixture
def faulty(tmp_path):
    """Each kind of bad input once, among sound posts."""
    good = [to_record(post(number)) for number in range(1, 11)]
    records = [
        *good,
        to_record(post(20, size=(10, 10))),
        to_record(post(21, size=(100, 50))),
        to_record(post(22, size=(80, 16))),
        to_record(post(23)),  # its image is missing
        to_record(post(24)),  # its image is damaged
        to_record(post(25, size=(48, 40))),  # made smaller
        to_record(post(3)) | {"file_path": "5.png"},  # an id that came before
        to_record(post(26)) | {"md5": good[0]["md5"]},
        to_record(post(27)) | {"created_at": None, "score": None},
        to_record(post(28)) | {"tag_string_general": "", "tag_string_character": "", "tag_string_copyright": "",
                               "tag_string_artist": "", "tag_string_meta": ""},
        to_record(post(29)) | {"rating": "?"},
        to_record(post(30)),  # its image is of another size
        to_record(post(32)) | {"tag_string_general": "1girl a,b solo"},
        "{not json\n",
        to_record(post(31)) | {"id": "thirty-one"},
    ]  # fmt: skip
    folder = write(tmp_path / "source", [record for record in records if record != records[-1]])
    with (folder / "posts.jsonl").open("a") as file:
        file.write(json.dumps(records[-1]) + "\n")
    (folder / "23.png").unlink()
    (folder / "24.png").write_bytes((folder / "24.png").read_bytes()[:100])
    Image.new("RGB", (33, 31)).save(folder / "30.png")
    return folder


def test_every_fault_is_reported_by_post_and_the_run_goes_on(faulty, tmp_path):
    manifest = run(faulty, tmp_path / "out")
    kept = read_posts(tmp_path / "out")
    assert [one.id for one in kept] == [*range(1, 11), 25, 26, 27, 28, 29, 30, 32]
    assert kept[-1].general == ("1girl", "solo")
    removed = {(line["post"], line["reason"]) for line in lines(tmp_path / "out", "removed")}
    assert removed == {
        (20, "small"), (21, "large"), (22, "elongated"), (23, "missing file"), (24, "unreadable"), (3, "duplicate id"),
        (0, "unusable record"),
    }  # fmt: skip
    details = [line["detail"] for line in lines(tmp_path / "out", "removed") if line["reason"] == "unusable record"]
    assert len(details) == 2
    assert "not JSON" in details[0]
    assert "'id' must be int" in details[1]
    problems = [(line["post"], line["problem"]) for line in lines(tmp_path / "out", "problems") if line["kept"]]
    for number, text in [(26, "has the same file"), (27, "created_at"), (27, "score"), (28, "has no tags"),
                         (29, "'rating' must be one of"), (30, "is 33x31, its record says 32x32"),
                         (32, "'tag_string_general' has tags with a comma: 'a,b'")]:  # fmt: skip
        assert any(found == number and text in problem for found, problem in problems), text
    assert (manifest["posts"], manifest["removed"]) == (17, 8)
    given = len((faulty / "posts.jsonl").read_text().splitlines())
    assert manifest["posts"] + manifest["removed"] == given, "nothing is dropped in silence"


@pytest.mark.parametrize("fault", ["{not json\n", {"created_at": None}, {"id": "x"}])
def test_the_policy_may_be_to_stop(tmp_path, fault):
    record = to_record(post(2))
    bad = fault if isinstance(fault, str) else record | fault
    source = write(tmp_path / "source", [to_record(post(1)), bad], images=False)
    with pytest.raises(UserError, match=r"posts.jsonl line 2, post"):
        run(source, tmp_path / "out", dataclasses.replace(SMALL, on_problem="stop", write="records"))
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_a_vocabulary_with_a_comma_is_reported_or_stops(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1))], images=False)
    tags = tmp_path / "tags.csv"
    tags.write_text('name,category,count,aliases\n1girl,0,5,\n"a,b",0,1,\n')
    config = dataclasses.replace(SMALL, vocabulary=str(tags), write="records")
    with pytest.raises(UserError, match=r"line 3: 'a,b' is no name"):
        run(source, tmp_path / "stop", dataclasses.replace(config, on_problem="stop"))
    run(source, tmp_path / "out", config)
    assert "'a,b' is no name" in (tmp_path / "out" / "vocabulary-problems.jsonl").read_text()


def test_removed_pictures_and_quality_of_the_paper(tmp_path):
    """768 x 768 and its edges, by records alone; the quality of a hundred posts of rising score."""
    sizes = {1: (768, 768), 2: (767, 768), 3: (600, 6000), 4: (600, 6001), 5: (8192, 5120), 6: (8192, 5121)}
    records = [to_record(post(number, size)) for number, size in sizes.items()]
    records += [to_record(post(number, (1000, 1000))) for number in range(7, 101)]
    source = write(tmp_path / "source", records, images=False)
    run(source, tmp_path / "out", PrepareConfig())
    kept = {one.id: one for one in read_posts(tmp_path / "out")}
    assert set(sizes) & set(kept) == {1, 3, 5}
    # Midrank of the n-th of a hundred distinct scores is n - 1/2.
    words = {100: "masterpiece", 93: "masterpiece", 92: "best quality", 82: "good quality", 60: "average quality",
             20: "bad quality", 8: "worst quality", 9: "bad quality"}  # fmt: skip
    assert {number: kept[number].quality for number in words} == words


def test_shards_are_web_data_sets_and_read_by_place(tmp_path):
    source = write(tmp_path / "source", [to_record(post(number, (30 + number, 40))) for number in range(1, 9)])
    run(source, tmp_path / "out", dataclasses.replace(SMALL, shard_bytes=20_000))
    kept = read_posts(tmp_path / "out")
    assert len({one.shard for one in kept}) > 1
    shutil.move(source, tmp_path / "elsewhere")
    pictures = Pictures(tmp_path / "out")
    for one in kept:
        with tarfile.open(tmp_path / "out" / one.shard) as tar:
            names = tar.getnames()
            assert [name for name in names if name.startswith(f"{one.id:012d}.")] == [
                f"{one.id:012d}.png", f"{one.id:012d}.txt", f"{one.id:012d}.json",
            ]  # fmt: skip
            data = tar.extractfile(f"{one.id:012d}.png").read()
            assert tar.extractfile(f"{one.id:012d}.txt").read().decode() == prompt_text(one, FULL)
            assert json.load(tar.extractfile(f"{one.id:012d}.json"))["id"] == one.id
        assert pictures.data(one) == data
        with Image.open(io.BytesIO(data)) as image:
            assert image.size == (one.image_width, one.image_height)
            assert image.width * image.height <= 1024
    (tmp_path / "out" / kept[0].shard).write_bytes(b"")
    with pytest.raises(UserError, match=f"cannot read the image of post {kept[0].id}: .*ends before"):
        pictures.data(kept[0])


def test_a_small_picture_keeps_its_bytes_in_the_shard(tmp_path):
    source = write(tmp_path / "source", [to_record(post(1, (30, 30)))])
    run(source, tmp_path / "out")
    [one] = read_posts(tmp_path / "out")
    assert Pictures(tmp_path / "out").data(one) == (source / "1.png").read_bytes()


def contents(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".html"
    }


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


def test_every_choice_stands_in_the_manifest(in_parts, tmp_path):
    manifest = run(in_parts, tmp_path / "out")
    assert manifest["prepare"] == to_mapping(SMALL)
    assert manifest["prepare"]["quality"] == {"window": 100_000, "hops": 100, "metric": "score", "align": "centred"}
    assert manifest["command"] == "the command"


def test_scores_filter(tmp_path):
    source = write(tmp_path / "source", [to_record(post(number)) for number in (1, 2, 3)])
    Image.new("RGB", (32, 32)).save(source / "2.png")
    table = tmp_path / "aesthetic.csv"
    table.write_text("id,score\n1,6\n2,6\n3,4\n")
    compression = ScoreRule("compression", "training.prune:jpeg_bits_per_pixel", least=8)
    rules = (ScoreRule("aesthetic", str(table), least=5), compression)
    run(source, tmp_path / "out", dataclasses.replace(SMALL, prune=PruneConfig(min_side=16, scores=rules)))
    assert [one.id for one in read_posts(tmp_path / "out")] == [1]
    assert {(line["post"], line["reason"]) for line in lines(tmp_path / "out", "removed")} == {
        (3, "aesthetic"),
        (2, "compression"),
    }


def test_unfocused_annotations_are_removed_by_rule(tmp_path):
    crowd = post(1, general=("1boy", "2girls", "doctor", "hat"), character=("doctor_(arknights)",))
    alone = post(2, general=("1boy", "coat", "doctor", "hat"), character=("doctor_(arknights)",))
    source = write(tmp_path / "source", [to_record(crowd), to_record(alone)], images=False)
    repair = RepairConfig(few_tags=4, rules=(RepairRule("*"),))
    run(source, tmp_path / "out", PrepareConfig(prune=PruneConfig(min_side=1), repair=repair))
    first, second = read_posts(tmp_path / "out")
    assert (first.general, first.character) == (("1boy", "2girls", "hat"), ())
    assert (second.general, second.character) == (alone.general, alone.character)
    counts = json.loads((tmp_path / "out/parts/00000/counts.json").read_text())
    assert counts["ambiguous"]["doctor_(arknights)"] == {"posts": 2, "unfocused": 1, "boy": 1}
    assert counts["repairs"] == {"doctor was removed": 1, "doctor_(arknights) was removed": 1}


def test_nothing_usable_and_nothing_left_are_errors(tmp_path):
    source = write(tmp_path / "source", ["{broken\n"])
    with pytest.raises(UserError, match=r"has no usable post; the first problem: .*line 1: not JSON"):
        run(source, tmp_path / "a")
    source = write(tmp_path / "source", [to_record(post(1))])
    with pytest.raises(UserError, match=r"no post of .* is left"):
        run(source, tmp_path / "b", PrepareConfig())


def test_the_demos_data_set_goes_through_the_same_command(small_data, tmp_path, capsys):
    """Prepared, its posts have quality tags and are otherwise what they were: same captions, same pictures."""
    out = tmp_path / "prepared"
    assert main(["prepare", str(small_data), "--out", str(out), "--config", "demo", "--workers", "1"]) == 0
    assert "44 posts in" in capsys.readouterr().out
    before, after = read_posts(small_data), read_posts(out)
    assert [dataclasses.replace(one, quality="") for one in after] == before
    assert all(one.quality for one in after)
    config = load_captions("named-adventurers")
    for one, other in zip(before, after, strict=True):
        assert caption(one, config, 0, 3).text == caption(other, config, 0, 3).text
        assert Pictures(out).data(other) == Pictures(small_data).data(one)
    manifest = json.loads((out / "dataset.json").read_text())
    assert manifest["styles"] == json.loads((small_data / "dataset.json").read_text())["styles"]
    assert (out / "characters.json").read_bytes() == (small_data / "characters.json").read_bytes()
