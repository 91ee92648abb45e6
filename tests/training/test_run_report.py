"""The report on a run: numbers by hand from a log written for the purpose, and one page that needs nothing else."""

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from training.cli import main
from training.curves import short, ticks
from training.errors import UserError
from training.run_report import gather, trajectory

PRESET = {"name": "small", "diffusion": {"epochs": 3, "batch": 4}, "caption": {"levels": [0.1, 0.2]}}


def step(number: int, epoch: int) -> dict[str, Any]:
    """A step of 4 images in 2 s, half a second of it waiting; its loss is its number."""
    speed = {"wall_s": 2.0, "cpu_s": 1.0, "wait_s": 0.5, "images_per_s": 2.0, "data_wait": 0.25, "mfu": 0.4}
    by_timestep = [[3, 0.6], [1, 0.4], *[[0, 0.0]] * 8]
    return {"epoch": epoch, "step": number, "images": 4, "size": [64, 64], "loss": float(number),
            "raw_loss": number / 2, "unet_lr": 1e-3 / number, "text_lr": 0.0, "grad_norm": 1.0,
            "by_timestep": by_timestep, "speed": speed}  # fmt: skip


def row(epoch: int, value: float | None, votes: int) -> dict[str, Any]:
    low, high = (None, None) if value is None else (value - 1, value + 1)
    return {"epoch": epoch, "contestant": f"<small> epoch {epoch}", "checkpoint": "ab" * 6, "rank": epoch,
            "value": value, "mu": value, "low": low, "high": high, "votes": votes}  # fmt: skip


def write_lines(path: Path, lines: list[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two epochs of 500 steps, an arena that was asked twice, and a run that stopped for it."""
    settings = {
        "run": "small-0123abcd",
        "preset": PRESET,
        "dataset": {"posts": 20, "command": "dataset"},
        "base": "c" * 64,
    }
    (tmp_path / "run.json").write_text(json.dumps(settings))
    write_lines(tmp_path / "steps.jsonl", [step(number, 1 + (number > 500)) for number in range(1, 1001)])
    speed = step(1, 1)["speed"] | {"wall_s": 1000.0, "wait_s": 250.0}
    write_lines(tmp_path / "log.jsonl", [
        {"epoch": epoch, "step": 500 * epoch, "steps": 500, "images": 2000, "loss": 1.0, "raw_loss": 0.5,
         "speed": speed}
        for epoch in (1, 2)
    ])  # fmt: skip
    (tmp_path / "epoch-02").mkdir()
    (tmp_path / "epoch-02" / "checkpoint.json").write_text(json.dumps({"sha256": "d" * 64}))
    preferred = {
        "epoch": 1,
        "over": 2,
        "text": "people prefer epoch 1 to epoch 2: it is better with probability 0.9990",
    }
    write_lines(tmp_path / "standings.jsonl", [
        {"step": 700, "rows": [row(1, 25.0, 9), row(2, None, 0)]},
        {"step": 900, "rows": [row(1, 26.0, 30), row(2, 24.0, 21)]},
        {"step": 1000, "preferred": preferred},
    ])  # fmt: skip
    return tmp_path


def test_numbers_are_those_of_the_log(run: Path) -> None:
    found = gather(run)
    assert (found["steps"], found["images"], found["seconds"], found["data_wait"], found["mfu"]) == (
        1000, 4000, 2000.0, 0.25, pytest.approx(0.4))  # fmt: skip
    curve = found["curve"]
    assert len(curve) == 240
    assert [point["images_per_s"] for point in curve] == pytest.approx([2.0] * 240)
    # The first point is the mean over steps 1 to 4, the last over the last five.
    assert (curve[0]["loss"], curve[-1]["loss"]) == (2.5, 998.0)
    assert found["by_timestep"]["1"][:3] == [[1500.0, pytest.approx(300.0)], [500.0, pytest.approx(200.0)], [0.0, 0.0]]
    assert [(line["folder"], line["sha256"]) for line in found["epochs"]] == [(None, None), ("epoch-02", "d" * 64)]
    assert trajectory(found["standings"]) == {1: [(700, 25.0), (900, 26.0)], 2: [(900, 24.0)]}


class Reader(HTMLParser):
    """What a page would fetch, and whether its tags are closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name == "src"]
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed by itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_one_command_reports_a_run_or_a_set_and_the_page_needs_nothing_else(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run / 'report.html'}\n"
    html = (run / "report.html").read_text()
    read = Reader(html)
    assert (read.open, [source for source in read.fetched if not source.startswith("data:")]) == ([], [])
    assert "people prefer epoch 1 to epoch 2" in html
    assert "&lt;small&gt; epoch 1" in html
    assert '<a href="epoch-02/checkpoint.json">' in html
    assert json.loads((run / "report.json").read_text())["run"] == "small-0123abcd"


def test_a_run_without_a_step_or_with_a_damaged_line_is_named(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (run / "steps.jsonl").write_text("nonsense\n")
    assert main(["report", str(run)]) == 1
    assert "steps.jsonl, line 1 is damaged" in capsys.readouterr().err
    (run / "steps.jsonl").unlink()
    with pytest.raises(UserError, match="without a finished step: train first"):
        gather(run)


def test_axes_have_round_numbers() -> None:
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1.0])
    assert ticks(0, 1800) == [0, 500, 1000, 1500]
    assert ticks(24.2, 26.1) == pytest.approx([24.5, 25.0, 25.5, 26.0])
    assert [short(value) for value in (0, 0.05, 1.5, 250, 12000, 3e-5)] == ["0", "0.05", "1.5", "250", "12k", "3e-5"]
