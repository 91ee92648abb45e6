"""What a prepared set holds."""

import dataclasses
import datetime
import io
import json
import shutil
import tarfile

import pytest
from PIL import Image

from tests.training.preparing import SMALL, lines, post, run, write
from training.captions import caption, prompt_text
from training.cli import main
from training.config import load_captions, to_mapping
from training.errors import UserError
from training.folder import Pictures
from training.posts import to_record
from training.prepare_config import PrepareConfig
from training.prune import PruneConfig, ScoreRule
from training.quality import QualityConfig, with_quality
from training.repair import RepairConfig, RepairRule
from training.rng import stream
from training.shards import FULL
from training.sources import read_posts


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


def test_quality_is_that_of_all_posts_at_once_over_parts_ratings_and_dates(tmp_path):
    """Two passes over parts against the plain function on all posts in memory; a post without a score among them."""
    rng = stream(4, "quality")
    first = datetime.datetime(2010, 1, 1, tzinfo=datetime.UTC)
    posts = [
        post(number, (1000, 1000), rating=rng.choice("gsq"), quality="masterpiece",
             created_at=first + datetime.timedelta(hours=rng.randrange(10**5)))
        for number in rng.sample(range(1, 10_000), 90)
    ]  # fmt: skip
    posts = [dataclasses.replace(one, score=rng.randrange(50) if place else None) for place, one in enumerate(posts)]
    source = tmp_path / "source"
    for part in range(3):
        write(source, [to_record(one) for one in posts[part::3]], images=False)
        (source / "posts.jsonl").rename(source / f"{part}.jsonl")
    config = PrepareConfig(quality=QualityConfig(window=12, hops=4))
    run(source, tmp_path / "out", config)
    expected = {one.id: one.quality for one in with_quality(posts, config.quality)}
    assert {one.id: one.quality for one in read_posts(tmp_path / "out")} == expected
    assert len(set(expected.values())) == 7


def test_posts_without_an_md5_are_no_duplicates_of_each_other(tmp_path):
    records = [to_record(post(number)) | {"md5": ""} for number in (1, 2)]
    source = write(tmp_path / "source", records, images=False)
    run(source, tmp_path / "out", dataclasses.replace(SMALL, write="records", same_file="remove"))
    assert [one.id for one in read_posts(tmp_path / "out")] == [1, 2]
    assert lines(tmp_path / "out", "problems") == []


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


def test_every_choice_stands_in_the_manifest(tmp_path):
    manifest = run(write(tmp_path / "source", [to_record(post(1))]), tmp_path / "out")
    assert manifest["prepare"] == to_mapping(SMALL)
    assert manifest["prepare"]["quality"] == {
        "window": 100_000, "hops": 100, "metric": "score", "align": "centred", "cuts": [8, 20, 60, 82, 92],
    }  # fmt: skip
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
