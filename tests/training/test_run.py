"""A run, an interrupted run and a run after a kill end with the very same weights; bad input is named."""

import json
import shutil
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageOps

from generation.canonical import canonical_sha256
from generation.checkpoint import content_sha256, read_checkpoint
from generation.families import SD15
from generation.tiny import write_tiny_checkpoint
from tests.training.conftest import SMALL_PRESET
from training.config import Preset, load_preset, to_mapping, with_steps
from training.errors import UserError
from training.hooks import Progress
from training.objective import Noised, Objective
from training.run import Run, RunPlan, Stopped
from training.state import load_state, prune_checkpoints
from training.train_config import DiffusionConfig, ObjectiveConfig


class Watch:
    """A display that remembers, and may ask for a stop after a number of lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.seen: list[Progress] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def step(self, progress: Progress) -> None:
        self.seen.append(progress)


class StopAfter(threading.Event):
    """Set once it was looked at ``looks`` times: a signal between two known steps."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.looks = looks

    def is_set(self) -> bool:
        self.looks -= 1
        return self.looks < 0


def start(preset: Preset, data: Path, base: Path, out: Path, stop: threading.Event | None = None) -> Run:
    return Run(RunPlan(preset, data, base, out, data.parent / "latents"), Watch(), stop or threading.Event())


def weights_of(folder: Path) -> str:
    return content_sha256(folder)


@pytest.fixture(scope="module")
def whole(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory,
          request: pytest.FixtureRequest) -> Path:  # fmt: skip
    """A finished run that was never interrupted."""
    out = tmp_path_factory.mktemp("whole") / "run"
    start(request.getfixturevalue("module_preset"), small_data, small_base, out).train()
    return out


@pytest.fixture(scope="module")
def module_preset() -> Preset:
    return SMALL_PRESET


def test_each_epoch_is_a_whole_checkpoint_that_says_where_it_comes_from(whole: Path, small_base: Path) -> None:
    infos = [read_checkpoint(whole / name) for name in ("epoch-01", "epoch-02")]
    assert [(info.epoch, info.step, info.name) for info in infos] == [(1, 4, "small epoch 1"), (2, 8, "small epoch 2")]
    assert {info.parent for info in infos} == {read_checkpoint(small_base).sha256}
    assert infos[0].sha256 != infos[1].sha256
    assert (whole / "latest").read_text() == "epoch-02\n"
    assert not list(whole.glob("*.partial"))
    assert all(file.stat().st_mode & 0o044 == 0o044 for file in whole.rglob("*.safetensors"))


def test_licence_and_names_come_from_base_and_data_and_a_run_may_have_its_own_licence(
    whole: Path, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    """The untrained base is CC0 by "a test"; the data set names whom its style is by."""
    style = json.loads((small_data / "dataset.json").read_text())["styles"][0]
    info = read_checkpoint(whole / "epoch-01")
    assert (info.licence, info.attribution) == ("CC0-1.0", f"a test; {style['attribution']}")
    own = replace(SMALL_PRESET, licence="fair-ai-public-1.0-sd", diffusion=DiffusionConfig(epochs=1, steps_per_epoch=1))
    last = start(own, small_data, small_base, tmp_path / "own").train()
    assert read_checkpoint(last).licence == "fair-ai-public-1.0-sd"


def test_the_log_has_a_line_per_epoch(whole: Path) -> None:
    lines = [json.loads(line) for line in (whole / "log.jsonl").read_text().splitlines()]
    assert [(line["epoch"], line["steps"]) for line in lines] == [(1, 4), (2, 4)]
    assert all(line["loss"] > 0 for line in lines)


@pytest.mark.parametrize("looks", [1, 4, 6])
def test_a_stopped_run_resumes_to_the_same_bits(
    looks: int, whole: Path, module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    with pytest.raises(Stopped, match=f"stopped after step {looks}"):
        start(module_preset, small_data, small_base, tmp_path, StopAfter(looks)).train()
    start(module_preset, small_data, small_base, tmp_path).train()
    for epoch in ("epoch-01", "epoch-02"):
        assert weights_of(tmp_path / epoch) == weights_of(whole / epoch)
    assert_same(load_state(tmp_path), load_state(whole))


def test_a_kill_between_checkpoint_and_state_repeats_the_epoch_to_the_same_bits(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    """What SIGKILL leaves at the worst moment: a checkpoint newer than the state, and a half-written folder."""
    with pytest.raises(Stopped):
        start(module_preset, small_data, small_base, tmp_path, StopAfter(3)).train()
    shutil.copytree(whole / "epoch-01", tmp_path / "epoch-01")
    (tmp_path / "epoch-02.partial").mkdir()
    (tmp_path / "epoch-02.partial" / "model_index.json").write_text("{")
    start(module_preset, small_data, small_base, tmp_path).train()
    assert weights_of(tmp_path / "epoch-02") == weights_of(whole / "epoch-02")


def test_a_finished_run_has_nothing_left_to_do(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path
) -> None:
    before = (whole / "log.jsonl").read_text()
    (whole / "latest").write_text("epoch-01\n")  # as if it had been killed after the state
    assert start(module_preset, small_data, small_base, whole).train() == whole / "epoch-02"
    assert (whole / "log.jsonl").read_text() == before
    assert (whole / "latest").read_text() == "epoch-02\n"


def test_another_seed_does_not_resume_this_run(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path
) -> None:
    with pytest.raises(
        UserError, match=r"holds the run small-.*differs in preset.diffusion.seed \(0 there, 1 here\): .*another --out"
    ):
        start(with_steps(module_preset, seed=1), small_data, small_base, whole)


def test_the_settings_in_force_lie_in_the_run_folder_with_their_hash(whole: Path, module_preset: Preset) -> None:
    assert load_preset(str(whole / "config.toml")) == module_preset
    recorded = json.loads((whole / "run.json").read_text())
    assert recorded["config_sha256"] == canonical_sha256(to_mapping(module_preset))
    assert (whole / "config.toml").read_text().startswith(f"# sha256 {recorded['config_sha256']}\n")


def changed_copy(data: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "data" / "dataset"
    shutil.copytree(data, copy)
    return copy


def test_a_data_set_that_changed_under_a_run_is_refused_by_name(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    data = changed_copy(small_data, tmp_path)
    manifest = json.loads((data / "dataset.json").read_text())
    (data / "dataset.json").write_text(json.dumps(manifest | {"posts_sha256": "0" * 64}))
    with pytest.raises(UserError, match=r"differs in dataset\.posts_sha256 \('.*' there, '0{64}' here\)"):
        start(module_preset, data, small_base, whole)


def test_pictures_that_changed_under_a_run_are_refused(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    """The records say what they said; one picture has other bytes."""
    data = changed_copy(small_data, tmp_path)
    picture = next(data.rglob("*.png"))
    with Image.open(picture) as image:
        ImageOps.invert(image.convert("RGB")).save(picture)
    with pytest.raises(UserError, match="the pictures of the data set are not those that this run began with"):
        start(module_preset, data, small_base, whole)


def test_another_base_and_a_state_of_another_run_are_refused(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"differs in base \('"):
        start(module_preset, small_data, whole / "epoch-01", whole)
    other = with_steps(module_preset, seed=1)
    with pytest.raises(Stopped):
        start(other, small_data, small_base, tmp_path / "other", StopAfter(1)).train()
    shutil.copyfile(whole / "state.pt", tmp_path / "other" / "state.pt")
    with pytest.raises(UserError, match=r"has the state of small-\w+, not of small-\w+: give another --out"):
        start(other, small_data, small_base, tmp_path / "other")


def test_what_only_moves_work_about_may_change_on_the_way(
    module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    with pytest.raises(Stopped):
        start(module_preset, small_data, small_base, tmp_path, StopAfter(2)).train()
    knobs = replace(module_preset.diffusion, micro_batch=2, gradient_checkpointing=True, save_every=1, keep=1)
    changed = replace(module_preset, diffusion=knobs, latents="encoded")
    start(changed, small_data, small_base, tmp_path).train()
    assert [path.name for path in sorted(tmp_path.glob("epoch-*"))] == ["epoch-02"]
    assert len((tmp_path / "steps.jsonl").read_text().splitlines()) == 8


def test_pruning_leaves_the_newest_and_every_so_manieth(tmp_path: Path) -> None:
    folders = [tmp_path / f"epoch-{epoch:02d}" for epoch in range(1, 8)]
    for folder in folders:
        folder.mkdir()
    assert prune_checkpoints(folders, 0, 0) == []
    assert [path.name for path in prune_checkpoints(folders, 2, 3)] == ["epoch-01", "epoch-02", "epoch-04", "epoch-05"]
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["epoch-03", "epoch-06", "epoch-07"]


def test_a_loss_that_is_not_finite_stops_before_the_weights_change_and_names_the_last_good_checkpoint(
    module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start(module_preset, small_data, small_base, tmp_path)
    noised = Objective.noised

    def broken(objective: Objective, latents: torch.Tensor, places: Sequence[int], step: int) -> Noised:
        found = noised(objective, latents, places, step)
        if step == 5:
            found.target[2] = float("nan")
        return found

    monkeypatch.setattr(Objective, "noised", broken)
    posts = [run._feed._pools[item.pool].posts[item.row].id for item in run._feed.whole(5)]
    named = rf"at step 5, posts {', '.join(map(str, posts))}, not finite for {posts[2]}"
    with pytest.raises(UserError, match=named + r"; the last good checkpoint is .*epoch-01"):
        run.train()
    state = load_state(tmp_path)
    assert state is not None
    assert state["step"] == 4
    assert run._display.seen[-1].state == "failed"  # type: ignore[attr-defined]


def test_the_loss_falls(small_data: Path, small_base: Path, tmp_path: Path, module_preset: Preset) -> None:
    preset = replace(module_preset, diffusion=replace(module_preset.diffusion, epochs=2, steps_per_epoch=20),
                     objective=ObjectiveConfig(weighting="none"))  # fmt: skip
    start(preset, small_data, small_base, tmp_path).train()
    first, second = (json.loads(line)["loss"] for line in (tmp_path / "log.jsonl").read_text().splitlines())
    assert second < 0.95 * first


def test_a_missing_data_set_names_the_command(small_base: Path, tmp_path: Path, small_preset: Preset) -> None:
    with pytest.raises(UserError, match=r"dataset.json is missing: make the data set with `python -m training dataset"):
        start(small_preset, tmp_path / "nowhere", small_base, tmp_path / "run")


def test_a_damaged_base_is_refused(small_data: Path, small_base: Path, tmp_path: Path, small_preset: Preset) -> None:
    broken = tmp_path / "base"
    shutil.copytree(small_base, broken)
    (broken / "unet" / "config.json").unlink()
    with pytest.raises(UserError, match=r"the base cannot be loaded: .*lacks unet/config.json"):
        start(small_preset, small_data, broken, tmp_path / "run")


def test_a_base_of_another_family_is_refused(small_data: Path, tmp_path: Path, small_preset: Preset) -> None:
    write_tiny_checkpoint(tmp_path / "base", seed=1, family=SD15)
    with pytest.raises(UserError, match="is sd15; only sdxl is trained"):
        start(small_preset, small_data, tmp_path / "base", tmp_path / "run")


def test_a_damaged_state_is_named(
    whole: Path, module_preset: Preset, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    shutil.copytree(whole, tmp_path / "run")
    (tmp_path / "run" / "state.pt").write_bytes(b"half")
    with pytest.raises(UserError, match=r"state.pt cannot be read: .*delete it to start this run again"):
        start(module_preset, small_data, small_base, tmp_path / "run")


def assert_same(one: object, other: object) -> None:
    """Bit equality of nested states."""
    if isinstance(one, dict):
        assert isinstance(other, dict)
        assert one.keys() == other.keys()
        for key in one:
            assert_same(one[key], other[key])
    elif isinstance(one, torch.Tensor):
        assert isinstance(other, torch.Tensor)
        assert torch.equal(one, other)
    elif isinstance(one, list):
        assert isinstance(other, list)
        for left, right in zip(one, other, strict=True):
            assert_same(left, right)
    else:
        assert one == other
