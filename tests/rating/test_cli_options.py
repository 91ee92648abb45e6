"""The options of `python -m rating`: which belong to which system, their ranges, a lineage, wrong usage."""

import argparse
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rating import cli
from rating.fitting import FitOptions
from tests.rating.command import SYSTEMS, Done, rating, rows


def test_options_reach_the_systems(file: Path) -> None:
    plain = rows("fit", file, "--system", "elo")
    assert sum(row["value"] for row in plain) == pytest.approx(6 * 1500.0)
    assert sum(row["value"] for row in rows("fit", file, "--system", "elo", "--initial", 1000)) == pytest.approx(6000.0)
    assert np.ptp([row["value"] for row in rows("fit", file, "--system", "elo", "--k", 1)]) < np.ptp(
        [row["value"] for row in plain]
    )
    own = rows("fit", file, "--cluster", "none")
    assert own[0]["high"] - own[0]["low"] == pytest.approx(2 * 1.959964 * own[0]["sigma"], rel=1e-5)
    assert rows("fit", file, "--compat", "--cluster", "none")[0]["sigma"] != own[0]["sigma"]
    assert rows("fit", file, "--mu", 0, "--sigma", 1, "--beta", 0.5, "--cluster", "none")[0]["mu"] < 5
    wide, narrow = (rows("fit", file, "--system", "joint", "--level", level)[0] for level in (0.99, 0.5))
    assert wide["high"] - wide["low"] > narrow["high"] - narrow["low"]


def test_the_average_of_elo_can_be_chosen(file: Path) -> None:
    def averages(*options: object) -> list[float]:
        return [row["average"] for row in rows("fit", file, "--system", "elo", *options)]

    values = [row["value"] for row in rows("fit", file, "--system", "elo")]
    assert averages("--half-life", 1e-3) == pytest.approx(values, abs=1e-6)
    # The simulated votes are a second apart, so both clocks tell the same time.
    assert averages("--clock", "wall", "--window", 500) == pytest.approx(averages("--window", 500), abs=5)
    assert averages() != averages("--window", 500)


# Values of every option that only some systems have.
OWN_OPTIONS = {
    "--compiled": ("elo", "trueskill", "joint"),
    "--k=32": ("elo",),
    "--initial=1500": ("elo", "joint"),
    "--clock=votes": ("elo",),
    "--window=100": ("elo",),
    "--half-life=100": ("elo",),
    "--mu=25": ("trueskill", "trueskill2"),
    "--sigma=8": ("trueskill",),
    "--beta=4": ("trueskill", "trueskill2"),
    "--tau=0": ("trueskill",),
    "--draw-probability=0": ("trueskill",),
    "--compat": ("trueskill",),
    "--backend=own": ("trueskill",),
    "--lineage=lineage.csv": ("trueskill2",),
    "--ties=davidson": ("joint",),
    "--no-left-seat": ("joint", "trueskill2"),
    "--bootstrap=0": ("joint",),
}


# Only `fit` shows the average that they shape.
OF_THE_AVERAGE = ("--clock", "--window", "--half-life")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("command", ["fit", "compare", "order", "next", "simulate"])
def test_an_option_of_another_system_is_wrong_usage(command: str, system: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[argparse.Namespace] = []
    module = SimpleNamespace(run=lambda options: ran.append(options) or 0)
    monkeypatch.setattr(cli.importlib, "import_module", lambda _: module)
    for option, systems in OWN_OPTIONS.items():
        flag = option.split("=")[0]
        if command == "order" and flag == "--bootstrap":
            continue
        if command != "fit" and flag in OF_THE_AVERAGE:
            done = rating(command, "votes.csv", "--system", "elo", option)
            assert (done.returncode, done.stdout, ran) == (2, "", [])
            assert f"unrecognized arguments: {option}" in done.stderr
            continue
        done = rating(command, "votes.csv", "--system", system, option)
        if system in systems or (command == "simulate" and flag in ("--initial", "--no-left-seat")):
            assert done == Done(0, "", "")
            assert ran.pop().system == system
        else:
            assert (done.returncode, done.stdout, ran) == (2, "", [])
            belongs = f"error: argument {flag}: belongs to {' and '.join(systems)} and has no effect on {system}; "
            assert done.stderr.endswith(f"{belongs}leave it out, or use --system {systems[0]}\n")


def test_every_option_of_some_systems_says_of_which() -> None:
    parser = argparse.ArgumentParser()
    cli._fit_options(parser)
    silent = {action.dest for action in parser._actions if action.default is argparse.SUPPRESS} - {"help"}
    assert silent == set(cli.BELONGS) == {flag.split("=")[0][2:].replace("-", "_") for flag in OWN_OPTIONS}
    assert {name for name in cli.BELONGS if name not in {field.name for field in fields(FitOptions)}} == {
        "no_left_seat"
    }


@pytest.mark.parametrize(
    "option",
    [
        "--k=-1",
        "--k=0",
        "--k=1e300",
        "--sigma=1e-300",
        "--sigma=1e200",
        "--beta=0",
        "--tau=1e200",
        "--mu=1e308",
        "--initial=1e300",
        "--window=0",
        "--half-life=0",
        "--level=1e-300",
        "--bootstrap=1",
        "--k=nan",
        "--sigma=inf",
        "--draw-probability=1",
        "--level=2",
        "--level=0",
        "--seed=-1",
        "--system=glicko",
    ],
)
def test_wrong_options_are_refused_before_anything_is_read(option: str) -> None:
    done = rating("fit", "nowhere.csv", option)
    assert done.returncode == 2
    assert option.split("=")[0] in done.stderr


@pytest.mark.parametrize("sigma", ["1e-6", "1e9"])
@pytest.mark.parametrize("beta", ["1e-6", "1e9"])
@pytest.mark.parametrize("more", ["--tau=0", "--tau=1e9", "--mu=-1e9", "--level=0.0001", "--level=0.9999"])
@pytest.mark.filterwarnings("error")
def test_options_at_the_ends_of_their_ranges_give_numbers(sigma: str, beta: str, more: str, file: Path) -> None:
    found = rows("fit", file, "--poll", "fixed", "--sigma", sigma, "--beta", beta, more)
    assert all(row["low"] <= row["value"] <= row["high"] for row in found)


@pytest.mark.parametrize(
    ("lines", "complaint"),
    [
        (["contestant-0,a,1", "nobody,a,2"], "lineage.csv: no vote names 'nobody'"),
        (["contestant-0,a,one"], "lineage.csv, line 2: epoch is 'one', not a whole number"),
        (["contestant-0,a"], "lineage.csv, line 2: epoch is None"),
        (["contestant-0,a,1", "contestant-0,a,2"], "lineage.csv, line 3: contestant 'contestant-0' is named twice"),
        (["contestant-0,\xe4,1"], "lineage.csv: cannot be read"),
    ],
)
def test_a_wrong_lineage_is_refused(lines: list[str], complaint: str, file: Path, tmp_path: Path) -> None:
    path = tmp_path / "lineage.csv"
    path.write_text("\n".join(["contestant,run,epoch", *lines]), encoding="latin-1")
    done = rating("fit", file, "--system", "trueskill2", "--lineage", path)
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr


def test_names_may_stand_after_options(file: Path) -> None:
    pair = ("contestant-0", "contestant-5")
    plain = rating("compare", file, *pair, "--format", "csv")
    assert plain.returncode == 0
    for command in (
        (file, "--format", "csv", *pair),
        ("--format", "csv", file, *pair),
        (file, pair[0], "--format", "csv", pair[1]),
    ):
        assert rating("compare", *command) == plain
    against = rows("compare", file, "--reference", "contestant-0", "contestant-5", "contestant-4")
    assert [row["contestant"] for row in against] == ["contestant-5", "contestant-4"]


def test_wrong_words_are_wrong_usage(file: Path) -> None:
    for command in ((), ("rate", file), ("fit",), ("fit", file, "more"), ("fit", file, "--window=2", "--half-life=2")):
        assert rating(*command).returncode == 2
    assert rating("fit", "--help").returncode == 0
