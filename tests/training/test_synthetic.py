"""Repair sets: the arithmetic of shares, templates, and real renders added to a real prepared set."""

import dataclasses
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from generation.checkpoint import read_checkpoint
from generation.files import write_json
from generation.imageio import read_archive
from tests.training.test_captions import POST
from training.caption_config import TINY
from training.captions import caption
from training.cli import main
from training.errors import UserError
from training.folder import Pictures
from training.report import gather
from training.report_captions import Asked
from training.sources import read_posts
from training.synthetic import Repair, Survey, add_synthetic, needed, survey, templates
from training.synthetic import planned as planned_of
from training.token_counts import WORDS
from training.vocabulary import read_vocabulary


@given(st.integers(0, 500), st.integers(0, 500), st.floats(0.01, 0.95))
def test_how_many_are_needed(having, others, share):
    posts = having + others
    found = needed(having, posts, share)
    assert (having + found) >= share * (posts + found) - 1e-6
    if found:
        assert (having + found - 1) < share * (posts + found - 1) + 1e-6, "one fewer would not do"


def test_by_hand():
    assert needed(10, 100, 0.4) == 50  # (10 + 50) / (100 + 50)
    assert needed(40, 100, 0.4) == 0


def planned(posts, repair):
    return planned_of(iter(posts), repair, survey(iter(posts), repair))


def people(girls, boys):
    posts = [
        dataclasses.replace(POST, id=n, character=(), general=("1girl", f"hat_{n}", "solo"))
        for n in range(1, girls + 1)
    ]
    return posts + [
        dataclasses.replace(POST, id=girls + n, character=(), general=("1boy", f"coat_{n}")) for n in range(1, boys + 1)
    ]


def test_plans_use_the_tags_of_real_posts_and_no_names():
    posts = [*people(8, 2), dataclasses.replace(POST, id=99, general=("1boy", "named"))]
    found = planned(posts, Repair(("1boy",), 0.5))
    assert len(found) == needed(3, 11, 0.5) == 5
    assert [post.id for post in found] == [100, 101, 102, 103, 104]
    for post in found:
        assert post.synthetic
        assert (post.character, post.artist, post.score, post.created_at) == ((), (), None, None)
        assert set(post.general) in ({"1boy", "coat_1"}, {"1boy", "coat_2"})
    assert found == planned(posts, Repair(("1boy",), 0.5))
    assert found != planned(posts, Repair(("1boy",), 0.5, seed=1))


def test_tags_may_be_replaced_where_there_are_no_templates():
    posts = people(6, 0)
    with pytest.raises(UserError, match="--replace OLD=NEW"):
        planned(posts, Repair(("1boy", "solo"), 0.5))
    repair = Repair(("1boy", "solo"), 0.5, replaced=(("1girl", "1boy"),), most=3)
    assert [
        set(post.general) >= {"1boy", "solo"} and "1girl" not in post.general for post in planned(posts, repair)
    ] == [True] * 3
    assert len(list(templates(posts, repair))) == 6


def test_a_set_is_surveyed_in_one_pass():
    posts = [*people(8, 2), dataclasses.replace(POST, id=99, general=("1boy", "named"))]
    found = survey(iter(posts), Repair(("1boy",), 0.5))
    assert found == Survey(posts=11, having=3, templates=2, last=99), "a named boy is counted and serves as no template"
    assert (found.share(), found.share(5)) == (3 / 11, 8 / 16)


@pytest.mark.parametrize("fields", [{"tags": ()}, {"share": 1.0}, {"share": 0}, {"most": 0}])
def test_wrong_repairs_are_refused(fields):
    with pytest.raises(ValueError, match="a repair needs"):
        Repair(**{"tags": ("1boy",), "share": 0.5} | fields)


@pytest.fixture
def prepared(small_data, tmp_path):
    assert main(["prepare", str(small_data), "--out", str(tmp_path / "set"), "--config", "demo", "--workers", "1"]) == 0
    return tmp_path / "set"


def test_real_renders_join_the_set_marked_as_synthetic(prepared, small_base, capsys):
    before = read_posts(prepared)
    boys = sum("1boy" in post.general for post in before)
    share = round((boys + 3) / (len(before) + 3) - 1e-5, 6)
    command = ["synthetic", str(prepared), "--tag", "1boy", "--share", str(share), "--checkpoint", str(small_base)]
    assert main([*command, "--threads", "1"]) == 0
    after = read_posts(prepared)
    new = after[len(before) :]
    assert after[: len(before)] == before
    assert len(new) == 3
    assert "3 posts in" in capsys.readouterr().out
    manifest = json.loads((prepared / "dataset.json").read_text())
    [entry] = manifest["synthetic"]
    info = read_checkpoint(small_base)
    assert (entry["checkpoint"], entry["posts"], manifest["posts"]) == (info.sha256, 3, len(before) + 3)
    assert entry["share_after"] == pytest.approx(share, abs=2e-5)
    pictures = Pictures(prepared)
    for post in new:
        image, made = read_archive(pictures.data(post))
        assert image.size == (post.image_width, post.image_height) == (64, 64)
        assert made["checkpoint"]["sha256"] == info.sha256
        assert made["seed"] == post.id
        everything = dataclasses.replace(TINY, tag_dropout=0, uncond_rate=0, shuffle=False)
        assert made["prompt"] == caption(post, everything, 0, 0).text, "the caption says what was asked for"
    values = gather(Asked(prepared, TINY, "tiny", WORDS))
    assert values["synthetic_posts"] == 3
    assert values["shares"]["persons"]["1boy"]["after"] == boys + 3
    again = (prepared / "dataset.json").read_bytes()
    assert main(command) == 0
    assert (prepared / "dataset.json").read_bytes() == again
    assert len(read_posts(prepared)) == len(before) + 3


def test_an_interrupted_run_uses_the_images_it_has(prepared, small_base):
    rendered = []

    def render(stop_after):
        def images(requests):
            for number, request in enumerate(requests):
                if number == stop_after:
                    raise KeyboardInterrupt
                rendered.append(request.seed)
                manifest = {"prompt": request.prompt, "seed": request.seed, "recipe": info.recipe.to_dict(),
                            "checkpoint": {"name": "x", "sha256": info.sha256}}  # fmt: skip
                yield Image.new("RGB", (64, 64), (request.seed % 256, 0, 0)), manifest

        return images

    info, repair = read_checkpoint(small_base), Repair(("1boy",), 0.9, most=4)
    with pytest.raises(KeyboardInterrupt):
        add_synthetic(prepared, repair, info, render(2), "command")
    assert not any(post.synthetic for post in read_posts(prepared))
    add_synthetic(prepared, repair, info, render(None), "command")
    new = [post for post in read_posts(prepared) if post.synthetic]
    assert rendered == [post.id for post in new]
    assert len(new) == 4
    assert not list(prepared.glob("*.images"))
    with Image.open(io.BytesIO(Pictures(prepared).data(new[0]))) as image:
        assert image.getpixel((0, 0)) == (new[0].id % 256, 0, 0)


def test_a_kill_between_part_and_manifest_is_made_good(prepared, small_base):
    before = json.loads((prepared / "dataset.json").read_text())
    info, repair = read_checkpoint(small_base), Repair(("1boy",), 0.9, most=2)

    def images(requests):
        for request in requests:
            manifest = {"prompt": request.prompt, "seed": request.seed, "recipe": info.recipe.to_dict(),
                        "checkpoint": {"name": "x", "sha256": info.sha256}}  # fmt: skip
            yield Image.new("RGB", (64, 64)), manifest

    entry = add_synthetic(prepared, repair, info, images, "command")
    after = json.loads((prepared / "dataset.json").read_text())
    tags = (prepared / "vocabulary.csv").read_text()
    write_json(prepared / "dataset.json", before)
    assert add_synthetic(prepared, repair, info, images, "command") == entry
    assert json.loads((prepared / "dataset.json").read_text()) == after
    assert (prepared / "vocabulary.csv").read_text() == tags
    assert read_vocabulary(prepared / "vocabulary.csv", print).counts["1boy"] == sum(
        "1boy" in post.general for post in read_posts(prepared)
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tag", "1boy", "--share", "2"], "a share between 0 and 1"),
        (["--tag", "never", "--share", "0.5"], "--replace OLD=NEW"),
        (["--tag", "1boy", "--share", "0.0001"], None),
    ],
)
def test_what_cannot_be_done_is_named(prepared, small_base, capsys, arguments, message):
    code = main(["synthetic", str(prepared), *arguments, "--checkpoint", str(small_base)])
    shown = capsys.readouterr()
    if message:
        assert code == 1
        assert message in shown.err
    else:
        assert code == 0
        assert "nothing to render" in shown.out
