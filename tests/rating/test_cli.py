"""The command line as its users meet it: a process, its output, its exit code."""

import argparse
import csv
import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rating import cli
from rating.cli import main
from rating.fitting import FitOptions
from rating.simulation import PollRules, World, named, simulate
from rating.trueskill import TrueSkillSystem
from rating.votefile import read_votes, write_votes

ROOT = Path(__file__).resolve().parents[2]
SYSTEMS = ["elo", "trueskill", "trueskill2", "joint"]
POLLS = (
    PollRules("duel"),
    PollRules("ffa", seats=4, answer="pick", bad=0.05),
    PollRules("fixed", answer="draws", tie=0.5, left=0.2, skip=0.05),
)
COMMON = {
    "contestant", "value", "low", "high", "rank_low", "rank_high", "votes", "wins", "draws", "losses", "tier",
    "best_probability",
}  # fmt: skip


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def rating(*arguments: object) -> Done:
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            code = int(str(stop.code))
    return Done(code, out.getvalue(), errors.getvalue())


def rows(*arguments: object, says: str = "") -> list[dict]:
    done = rating(*arguments, "--format", "json")
    assert (done.returncode, done.stderr[: len(says) or None]) == (0, says)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def world() -> World:
    return World(named(6), np.linspace(-1.0, 1.0, 6), POLLS, voters=40, prompts=10)


@pytest.fixture(scope="module")
def file(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("votes") / "votes.csv"
    write_votes(path, simulate(world, 3000, np.random.default_rng(0)))
    return path


@pytest.mark.parametrize("system", SYSTEMS)
def test_fit_finds_the_world_again(system: str, file: Path, world: World) -> None:
    found = rows("fit", file, "--system", system)
    assert set(found[0]) > COMMON
    assert [row["contestant"] for row in found] == list(world.contestants[::-1])
    assert all(row["low"] < row["value"] < row["high"] for row in found)
    assert all(1 <= row["rank_low"] <= place <= row["rank_high"] <= 6 for place, row in enumerate(found, start=1))
    assert sum(row["best_probability"] for row in found) == pytest.approx(1.0)
    votes = read_votes(file)
    assert sum(row["votes"] for row in found) == votes.sizes[votes.counted].sum()


def test_what_passes_is_shown_where_all_were_called_bad(file: Path) -> None:
    found = rows("fit", file)
    assert all(0 < row["passing_low"] < row["passing"] < row["passing_high"] < 1 for row in found)
    assert "passing" not in rows("fit", file, "--poll", "duel")[0]


def test_fit_prints_what_the_library_computes(file: Path) -> None:
    found = {row["contestant"]: row for row in rows("fit", file, "--system", "trueskill", "--poll", "ffa")}
    votes = read_votes(file)
    system = TrueSkillSystem()
    some = votes.take(votes.poll == votes.polls.index("ffa"))
    for name, estimate in system.standings(system.fold(system.start(), some)).items():
        assert (found[name]["mu"], found[name]["sigma"]) == (estimate.mu, estimate.sigma)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_same_command_prints_the_same(system: str, file: Path) -> None:
    command = ("fit", file, "--system", system, "--format", "csv")
    assert rating(*command).stdout == rating(*command).stdout


def test_csv_and_table_show_the_rows_of_json(file: Path) -> None:
    found = rows("fit", file)
    printed = list(csv.DictReader(io.StringIO(rating("fit", file, "--format", "csv").stdout)))
    assert [float(row["value"]) for row in printed] == [row["value"] for row in found]
    table = rating("fit", file).stdout
    assert "intervals by voter" in table
    assert all(row["contestant"] in table for row in found)


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


def test_few_votes_make_wide_intervals_but_no_wider_than_the_prior(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|b,1", "b|c,1", "a|c,1", "a|b|c|d,2>1=4>3")
    for row in rows("fit", path, "--system", "trueskill", says="separated: "):
        assert 1.959964 * row["sigma"] < row["high"] - row["value"] < 1.96 * 25 / 3
    # Elo's K of 32 moves d by nothing; that is no knowledge about d.
    (newcomer,) = (row for row in rows("fit", path, "--system", "elo", says="separated: ") if row["contestant"] == "d")
    assert newcomer["value"] == pytest.approx(1500, abs=1)
    assert newcomer["high"] - newcomer["low"] > 400


def test_the_average_of_elo_can_be_chosen(file: Path) -> None:
    def averages(*options: object) -> list[float]:
        return [row["average"] for row in rows("fit", file, "--system", "elo", *options)]

    values = [row["value"] for row in rows("fit", file, "--system", "elo")]
    assert averages("--half-life", 1e-3) == pytest.approx(values, abs=1e-6)
    # The simulated votes are a second apart, so both clocks tell the same time.
    assert averages("--clock", "wall", "--window", 500) == pytest.approx(averages("--window", 500), abs=5)
    assert averages() != averages("--window", 500)


def test_the_package_and_the_bootstrap_agree_with_our_own(file: Path) -> None:
    own, package = (
        rows("fit", file, "--poll", "fixed"),
        rows("fit", file, "--poll", "fixed", "--backend", "trueskill-package"),
    )
    assert [row["mu"] for row in own] == pytest.approx([row["mu"] for row in package], abs=1e-6)
    formula, resampled = (rows("fit", file, "--system", "joint", "--bootstrap", count) for count in (0, 200))
    widths = [[row["high"] - row["low"] for row in found] for found in (formula, resampled)]
    assert np.mean(widths[1]) == pytest.approx(np.mean(widths[0]), rel=0.2)


@pytest.mark.parametrize("system", ["elo", "trueskill", "joint"])
def test_compiled_loops_print_the_same(system: str, file: Path) -> None:
    plain, compiled = (rows("fit", file, "--system", system, *more) for more in ((), ("--compiled",)))
    assert [row["value"] for row in plain] == pytest.approx([row["value"] for row in compiled], abs=1e-9)
    done = rating("fit", file, "--compat", "--compiled")
    assert done.returncode == 1
    assert "compiled TrueSkill is our own only" in done.stderr


def written(path: Path, *votes: str) -> Path:
    lines = (f"{at},2026-01-01T00:00:00Z,fixed,p,v{at},{vote}" for at, vote in enumerate(votes))
    path.write_text("\n".join(["vote,created_at,poll,prompt,voter,seats,outcome", *lines]) + "\n")
    return path


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize(
    ("votes", "state"),
    [
        ([], "no-votes"),
        (["a|b,skip", "a|b,bad"], "no-votes"),
        (["a|b,1=2", "b|c,1=2"], "all-draws"),
        (["a|b,1", "a|b,2", "c|d,1", "c|d,2"], "disconnected"),
    ],
)
def test_no_numbers_where_votes_determine_none(system: str, votes: list[str], state: str, tmp_path: Path) -> None:
    done = rating("fit", written(tmp_path / "votes.csv", *votes), "--system", system, "--format", "json")
    assert done.returncode == 1
    assert done.stderr.startswith(f"{state}: ")
    found = json.loads(done.stdout)
    assert all(row["value"] is None and row["rank_low"] is None and row["state"] == state for row in found)
    numbers = rows("fit", written(tmp_path / "more.csv", "a|b,1", "a|b,2", "a|b,1=2"), "--system", system)[0]
    assert all(list(row) == list(numbers) for row in found)
    as_csv = rating("fit", tmp_path / "votes.csv", "--system", system, "--format", "csv").stdout.splitlines()
    assert as_csv[:1] == ([",".join(numbers)] if found else [""])


def test_separated_votes_are_rated_only_by_systems_with_a_prior(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|b,1", "b|c,1", "c|b,1")
    done = rating("fit", path, "--system", "joint", "--format", "json")
    assert done.returncode == 1
    assert done.stderr.startswith("separated: 2 groups")
    assert done.stderr.endswith("or use a system with a prior (trueskill, trueskill2).\n")
    assert [row["value"] for row in json.loads(done.stdout)] == [None, None, None]
    for system in ("elo", "trueskill", "trueskill2"):
        said = rating("fit", path, "--system", system).stderr
        assert said.endswith("set no finite distance. Collect more votes between them.\n")
        first = rows("fit", path, "--system", system, says="separated: 2 groups")[0]
        assert (first["contestant"], first["state"]) == ("a", "separated")
    for command in (("compare", path, "a", "b"), ("order", path), ("next", path)):
        assert rows(*command, "--system", "elo", says="separated: 2 groups")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("fit", "nowhere.csv"), "error: nowhere.csv: cannot be read"),
        (("fit", "FILE", "--poll", "elsewhere"), "no vote is of poll 'elsewhere'; polls: duel, ffa, fixed"),
        (("compare", "FILE", "contestant-0", "contestant-9"), "did you mean 'contestant-"),
        (("compare", "FILE", "contestant-0", "contestant-0"), "contestant-0"),
        (("compare", "FILE", "contestant-0"), "'contestant-0' alone makes no pair"),
        (("next", "FILE", "--cached", "nobody"), "no vote names 'nobody'"),
        (("fit", "FILE", "--system", "trueskill2", "--lineage", "nowhere.csv"), "nowhere.csv: cannot be read"),
        (("simulate", "FILE", "--write", "nowhere/votes.csv"), "there is no folder nowhere; make it first"),
    ],
)
def test_what_is_refused_is_named(arguments: tuple[str, ...], complaint: str, file: Path) -> None:
    done = rating(*(str(file) if word == "FILE" else word for word in arguments))
    assert (done.returncode, done.stdout) == (1, "")
    assert complaint in done.stderr


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


def test_order_shows_what_the_order_does(file: Path) -> None:
    found = rows("order", file, "--permutations", 20)
    assert {"contestant", "value", "order_mean", "order_sd", "first", "rank_low", "rank_high"} <= set(found[0])
    assert all(row["order_sd"] > 5 for row in found)
    for row in rows("order", file, "--permutations", 5, "--system", "joint"):
        assert row["order_sd"] == 0.0


def test_compare_decides_a_clear_pair_and_not_an_even_one(file: Path) -> None:
    (clear,) = rows("compare", file, "contestant-0", "contestant-5")
    assert clear["difference"] > clear["low"] > 0
    assert clear["probability"] > 0.99
    assert clear["verdict"] == "contestant-5"
    assert len(rows("compare", file)) == 15
    corrected = rows("compare", file, "--reference", "contestant-0")
    assert corrected[0]["contestant"] == "contestant-5"
    assert all(row["low"] < row["difference"] < row["high"] for row in corrected)


def test_next_names_matchups_with_their_probability(file: Path) -> None:
    found = rows("next", file, "--count", 3, "--seats", 4)
    assert [len(set(row["seats"].split("|"))) for row in found] == [4, 4, 4]
    assert all(0 < row["probability"] <= 1 for row in found)
    assert found == rows("next", file, "--count", 3, "--seats", 4)


def test_simulate_shows_coverage_and_writes_votes(file: Path, tmp_path: Path) -> None:
    found = rows("simulate", file, "--system", "joint", "--cluster", "none", "--repeats", 20)
    assert np.mean([row["coverage"] for row in found]) > 0.85
    target = tmp_path / "again.csv"
    assert rating("simulate", file, "--write", target, "--seed", 3).returncode == 0
    first, again = read_votes(file), read_votes(target)
    assert again.seats.tolist() == first.seats.tolist()
    assert again.ranks.tolist() != first.ranks.tolist()


def test_it_is_a_program_of_its_own(file: Path) -> None:
    command = [sys.executable, "-m", "rating", "fit", str(file), "--format", "json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == rows("fit", file)


@pytest.mark.parametrize("format", ["table", "json"])
@pytest.mark.parametrize("output", ["&-", "/dev/full"])
def test_without_an_output_there_is_a_reason_and_no_traceback(output: str, format: str, file: Path) -> None:
    command = f"{sys.executable} -m rating fit {file} --format {format} >{output}"
    done = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1


def test_names_that_the_output_cannot_show_leave_it_empty(tmp_path: Path) -> None:
    path = written(tmp_path / "votes.csv", "a|\N{ROCKET},1", "a|\N{ROCKET},2")
    command = [sys.executable, "-m", "rating", "fit", str(path), "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONIOENCODING": "ascii"}, timeout=120
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: ascii cannot show '\\U0001f680'; set PYTHONUTF8=1\n"


@pytest.mark.parametrize("module", ["argparse", "rating.cli_fit", "numpy", "rating.joint"])
@pytest.mark.parametrize("then", ["raise", "raise ImportError"])
def test_ctrl_c_stops_without_a_traceback(module: str, then: str, file: Path, tmp_path: Path) -> None:
    # Ctrl-C while the module is imported; numpy's extension modules make an ImportError of that.
    (tmp_path / "sitecustomize.py").write_text(
        "import signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            try: signal.raise_signal(signal.SIGINT)\n"
        f"            except KeyboardInterrupt: {then}\n"
        "sys.meta_path.insert(0, Interrupted())\n"
    )
    command = [sys.executable, "-m", "rating", "fit", str(file)]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


def test_the_usual_path_loads_neither_scipy_nor_numba_nor_torch(file: Path) -> None:
    script = (
        "import sys; from rating.cli import main;"
        "systems = ('elo', 'trueskill', 'joint');"
        f"[main(['fit', {str(file)!r}, '--system', system, '--format', 'csv']) for system in systems];"
        "print({'scipy', 'numba', 'torch', 'pyarrow'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": "."}
    )
    assert done.stdout.splitlines()[-1] == "set()", done.stderr
