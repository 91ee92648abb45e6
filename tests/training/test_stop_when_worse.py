"""A run and a real arena (gunicorn, SQLite): votes that prefer an earlier epoch stop the run, others do not."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.site import TOKEN, Site
from training.cli import main
from training.config import Preset
from training.errors import UserError
from training.hooks import Progress
from training.launch import Launch
from training.run import Stopped

EPOCHS = 4


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path / "arena")
    made.manage("migrate", "-v0")
    with made.serving():
        yield made


class Voted:
    """A display at which, once the third epoch is saved, voters have judged the two before."""

    def __init__(self, site: Site, run: Path, *strengths: float) -> None:
        self.site, self.run, self.strengths = site, run, strengths
        self.lines: list[str] = []
        self.seen: list[Progress] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def step(self, progress: Progress) -> None:
        self.seen.append(progress)
        if progress.message == "epoch 3 saved":
            files = sorted(self.run.glob("epoch-*/checkpoint.json"))
            hashes = [json.loads(file.read_text())["sha256"] for file in files]
            votes = [f"{sha256}={value}" for sha256, value in zip(hashes, self.strengths, strict=False)]
            cast = self.site.command("-m", "tests.arena.votes.preferring", *votes)
            assert int(cast) > 100


@pytest.fixture
def launch(site: Site, small_data: Path, small_base: Path) -> Launch:
    where = (str(small_data), str(small_base), str(small_data.parent / "latents"))
    return Launch(*where, arena=site.url, stop_when_worse=0.95, population="simulated")


def preset_of(small_preset: Preset, seed: int) -> Preset:
    return replace(small_preset, diffusion=replace(small_preset.diffusion, epochs=EPOCHS, steps_per_epoch=2, seed=seed))


def heard(run: Path, name: str) -> list[Any]:
    """What the log has of the arena: "rows" of standings, or what is "preferred"."""
    found = [json.loads(line) for line in (run / "standings.jsonl").read_text().splitlines()]
    return [line[name] for line in found if name in line]


def test_a_run_stops_where_people_prefer_an_earlier_epoch(
    launch: Launch, site: Site, small_preset: Preset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, display = tmp_path / "run", Voted(site, tmp_path / "run", 2, 0)
    preset = preset_of(small_preset, seed=1)
    with pytest.raises(Stopped, match="stopped after step 6: people prefer epoch 1 to epoch 2") as stopped:
        launch.open(preset, run, TOKEN, display, threading.Event()).train()
    preferred = stopped.value.preferred
    assert preferred is not None
    assert preferred.estimate is not None
    assert preferred.estimate.probability > 0.99
    assert preferred.wins > preferred.losses
    assert preferred.wins + preferred.losses == preferred.estimate.votes
    assert 0 < preferred.estimate.at_least < preferred.estimate.difference
    assert (display.seen[-1].state, site.get("/status.json")["runs"][0]["state"]) == ("stopped", "stopped")
    assert [row["epoch"] for row in heard(run, "rows")[-1] if row["votes"]] == [1, 2]
    assert heard(run, "preferred")[0]["epoch"] == 1
    # By its folder alone it stops again at the same step, and goes on when told to.
    assert main(["resume", str(run), "--arena-token", TOKEN]) == 3
    assert "people prefer epoch 1 to epoch 2" in capsys.readouterr().out
    assert main(["resume", str(run), "--arena-token", TOKEN, "--keep-going"]) == 0
    assert (run / "latest").read_text() == "epoch-04\n"
    assert sorted(json.loads((run / "arena.json").read_text())[site.url]) == [f"epoch-0{n}" for n in range(1, 5)]


def test_a_run_stops_where_an_epoch_loses_every_vote(
    launch: Launch, site: Site, small_preset: Preset, tmp_path: Path
) -> None:
    """The difference is without limit then, so there is no estimate; the duels' e-value decides."""
    run, display = tmp_path / "run", Voted(site, tmp_path / "run", 30, 0)
    with pytest.raises(Stopped, match="people prefer epoch 1 to epoch 2: direct duels") as stopped:
        launch.open(preset_of(small_preset, seed=3), run, TOKEN, display, threading.Event()).train()
    preferred = stopped.value.preferred
    assert preferred is not None
    assert (preferred.estimate, preferred.losses) == (None, 0)
    assert preferred.e_value >= 120  # 6 pairs of 4 epochs share 0.05


def test_a_run_goes_on_where_people_prefer_the_later_epoch(
    launch: Launch, site: Site, small_preset: Preset, tmp_path: Path
) -> None:
    site.command()
    run, display = tmp_path / "run", Voted(site, tmp_path / "run", 0, 2)
    last = launch.open(preset_of(small_preset, seed=2), run, TOKEN, display, threading.Event()).train()
    assert last == run / "epoch-04"
    assert heard(run, "preferred") == []
    assert heard(run, "rows")[-1][0]["epoch"] == 2


def test_it_needs_an_arena(small_preset: Preset) -> None:
    with pytest.raises(UserError, match="give --arena URL as well"):
        Launch("", "", "", stop_when_worse=0.95).check(small_preset)


def test_an_arena_that_is_away_stops_nothing(launch: Launch, site: Site, small_preset: Preset, tmp_path: Path) -> None:
    display = Voted(site, tmp_path / "run")
    preset = replace(small_preset, diffusion=replace(small_preset.diffusion, epochs=2, steps_per_epoch=1))
    away = replace(launch, arena="http://127.0.0.1:9")
    assert away.open(preset, tmp_path / "run", "", display, threading.Event()).train().name == "epoch-02"
    assert sum("no comparison" in line for line in display.lines) <= 1
