"""Where a checkpoint comes from, and the command lines that render a sample again."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from arena.gallery.lineage import ancestors, changes, family, flat
from arena.gallery.models import Checkpoint, Prompt, PromptSet, Sample
from arena.gallery.registering import register
from arena.gallery.rendering import render_missing
from generation.imageio import pixel_sha256, read_archive
from tests.arena.votes.building import make_contestant

pytestmark = pytest.mark.django_db


@pytest.fixture
def tree() -> dict[str, Checkpoint]:
    """base 1, base 2; tuned 1 and 2, both from base 2; merged 1 from tuned 1; alone 1."""
    found = {}
    for name, parent in (("base 1", None), ("base 2", "base 1"), ("tuned 1", "base 2"), ("tuned 2", "base 2"),
                         ("merged 1", "tuned 1"), ("alone 1", None)):  # fmt: skip
        run, epoch = name.split()
        found[name] = make_contestant(int(epoch), run).checkpoint
        found[name].parent = found.get(parent)
        found[name].licence = "CC0-1.0"
        found[name].save()
    return found


def test_every_run_stands_below_the_one_it_started_from(tree) -> None:
    def told(branches) -> dict[str, object]:
        return {f"{one.run.name} {[e.epoch for e in one.epochs]}": told(one.branches) for one in branches}

    assert told(family()) == {"alone [1]": {}, "base [1, 2]": {"tuned [1, 2]": {"merged [1]": {}}}}


def test_ancestors_come_first_one_first_and_a_loop_ends(tree) -> None:
    line = ["base 1", "base 2", "tuned 1"]
    assert ancestors(tree["merged 1"]) == [tree[name] for name in line]
    Checkpoint.objects.filter(pk=tree["base 1"].pk).update(parent=tree["merged 1"])
    assert set(ancestors(tree["merged 1"])) == {tree[name] for name in line}


def test_the_page_shows_line_epochs_children_licences_and_what_the_parent_did_otherwise(client, tree) -> None:
    parent, own = tree["base 2"], tree["tuned 1"]
    parent.manifest = {"dataset": {"posts": 10}, "config": {"lr": 0.1, "vae": {"steps": 5}}, "preset": "base"}
    own.manifest = {"dataset": {"posts": 20}, "config": {"lr": 0.1, "vae": {"steps": 7, "ema": True}}, "preset": "tune"}
    parent.save()
    own.save()
    assert [(one.name, one.before, one.after) for one in changes(own)] == [
        ("posts", 10, 20), ("vae.ema", None, True), ("vae.steps", 5, 7),
    ]  # fmt: skip
    text = client.get(f"/checkpoints/{own.sha256[:12]}/").content.decode()
    for name in ("base 1", "base 2", "tuned 2", "merged 1"):
        assert f'href="/checkpoints/{tree[name].sha256[:12]}/"' in text
    for words in ("vae.steps", "3 settings differ", "tune", "CC0-1.0", "Epochs of this run"):
        assert words in text
    assert f"/compare/?a={parent.sha256[:12]}&amp;b={own.sha256[:12]}" in text
    assert f"/side-by-side/?checkpoint={parent.sha256[:12]}&amp;checkpoint={own.sha256[:12]}" in text
    later = client.get(f"/checkpoints/{tree['tuned 2'].sha256[:12]}/").content.decode()
    assert f"/compare/?a={own.sha256[:12]}&amp;b={tree['tuned 2'].sha256[:12]}" in later
    run = client.get("/runs/tuned/").content.decode()
    assert f"/compare/?reference={parent.sha256[:12]}&amp;run=tuned" in run


def test_a_parent_that_is_not_registered_is_named_and_a_strange_manifest_breaks_nothing(client, tree) -> None:
    own = tree["alone 1"]
    own.manifest = {"parent": "f" * 64, "config": ["no", "mapping"], "dataset": None}
    own.save()
    text = client.get(f"/checkpoints/{own.sha256[:12]}/").content.decode()
    assert "It started from ffffffffffff, which is not registered here." in text


def test_settings_are_listed_under_dotted_names() -> None:
    assert flat({"a": {"b": 1, "c": {"d": [1, 2]}}, "e": {}}) == {"a.b": 1, "a.c.d": [1, 2], "e": {}}


@pytest.fixture
def rendered(tiny_folder: Path, media: Path) -> Sample:
    contestant, _ = register(tiny_folder)
    prompts = PromptSet.objects.create(slug="any", title="Any", seeds=[7])
    prompt = Prompt.objects.create(prompt_set=prompts, text='--1girl, solo, "it\'s" $HOME `red` hair')
    render_missing(contestant, [(prompt, 7)])
    return Sample.objects.get()


def test_the_command_lines_of_the_page_render_the_same_pixels(client, rendered: Sample, tmp_path: Path) -> None:
    """Both lines are run as a shell would; the web server's user is trusted with the folder."""
    client.force_login(User.objects.create(username="researcher", is_staff=True))
    page = client.get(f"/samples/{rendered.pk}/")
    assert json.loads(json.dumps(rendered.manifest)) == json.loads(page.context["manifest"])
    download = client.get(f"/samples/{rendered.pk}/archive.png")
    assert download["Content-Disposition"] == f'attachment; filename="sample-{rendered.pk}.png"'
    (tmp_path / f"sample-{rendered.pk}.png").write_bytes(b"".join(download.streaming_content))
    told = [run(page.context[name], tmp_path) for name in ("render", "verify")]
    (again,) = (tmp_path / "again").glob("*.png")
    image, manifest = read_archive(again.read_bytes())
    assert pixel_sha256(image) == rendered.pixel_sha256
    assert manifest == rendered.manifest
    assert f"sample-{rendered.pk}.png: exact" in told[1]


def run(line: str, folder: Path) -> str:
    first, *rest = shlex.split(line)
    assert first == "python"
    done = subprocess.run(
        [sys.executable, *rest], cwd=folder, env={"PYTHONPATH": str(settings.BASE_DIR)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_only_the_trusted_learn_where_a_folder_outside_the_project_is(client: Client, rendered: Sample) -> None:
    folder = rendered.contestant.checkpoint.folder
    text = client.get(f"/samples/{rendered.pk}/").content.decode()
    assert folder not in text
    assert f"PATH/{Path(folder).name}" in text
    Checkpoint.objects.update(folder=str(settings.BASE_DIR / "var" / "runs" / "epoch-1"))
    assert "render var/runs/epoch-1 " in client.get(f"/samples/{rendered.pk}/").context["render"]
