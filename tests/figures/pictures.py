"""Draws the pictures from the measured numbers alone."""

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tests.figures.style import FAINT, INK, OURS, THIRD, USUAL, canvas, label_end, log_votes


def order(numbers: dict) -> Figure:
    """Ranges of ranks over the orders, for the first twenty."""
    figure, (axes,) = canvas(4.6)
    rows = numbers["rows"]
    for at, row in enumerate(rows):
        axes.plot([row["low"], row["high"]], [at, at], color=USUAL, linewidth=4, alpha=0.45, solid_capstyle="butt")
        axes.plot(row["joint"], at, "o", color=OURS, markersize=5)
        if row["leads"]:
            text = f"{100 * row['leads']:.1f} %"
            axes.text(1.0, at, text, transform=axes.get_yaxis_transform(), va="center", ha="right", fontsize=8)
    axes.text(
        1.0, -1.3, "Elo has it first in", transform=axes.get_yaxis_transform(), ha="right", va="center", fontsize=8
    )
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axes.set_ylim(len(rows) - 0.4, -2.0)
    axes.set_xlim(0.0, 47.0)
    axes.set_xticks([1, 10, 20, 30, 40])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"rank among {numbers['contestants']}")
    axes.text(9.0, 0, "Elo, K = 32, in 95 % of the orders", color=USUAL, va="center")
    axes.annotate("joint fit, in any order", (1, 0), (1.2, -1.3), color=OURS, va="center")
    return figure


def intervals(numbers: dict) -> Figure:
    """Widths on real votes; coverage on simulated ones."""
    figure, (left, right) = canvas(3.1, 2, width_ratios=(1.0, 1.2))
    names = {"none": "votes", "voter": "voters", "prompt": "prompts", "both": "both"}
    half = numbers["real"]["half_width"]
    for at, cluster in enumerate(names):
        colour = USUAL if cluster == "none" else OURS
        left.errorbar(0.0, at, xerr=half[cluster], color=colour, linewidth=2.5, capsize=4)
        left.text(half[cluster] + 8, at, f"±{half[cluster]:.0f}", color=colour, va="center")
    left.set_yticks(
        range(4), ["independent\nvotes", "independent\nvoters", "independent\nprompts", "voters and\nprompts"]
    )
    left.set_ylim(3.6, -0.6)
    left.set_xlim(-190, 250)
    left.set_xticks([-150, 0, 150])
    left.set_xlabel("mean 95 % interval, Elo points")
    left.set_title("59 contestants, real votes")
    _coverage(right, numbers["coverage"], names | {"both": "voters and prompts"})
    return figure


def _coverage(axes: Axes, coverage: dict, names: dict[str, str]) -> None:
    """A heading for each world and a row for each unit below it."""
    axes.axvline(95, color=FAINT, linewidth=1, zorder=0)
    ticks, row = [], 0
    for world, shares in coverage.items():
        axes.text(80.3, row, f"{world}:", va="center", fontweight="bold", fontsize=8.5)
        for cluster, share in shares.items():
            row += 1
            ticks.append((row, names[cluster]))
            colour = USUAL if cluster == "none" else OURS
            axes.plot(100 * share, row, "o", color=colour)
            axes.text(100 * share - 0.5, row, f"{100 * share:.1f}", color=colour, va="center", ha="right")
        row += 1
    axes.set_yticks(*zip(*ticks, strict=True))
    axes.set_ylim(row - 0.4, -0.6)
    axes.set_xlim(80, 98)
    axes.set_xticks([80, 85, 90, 95])
    axes.set_xlabel("pairs whose 95 % interval holds, %")
    axes.set_title("simulated votes")


def picks(numbers: dict) -> Figure:
    """One vote, and errors and coverage over many."""
    figure, (one, error, coverage) = canvas(2.9, 3, width_ratios=(1.3, 1.0, 1.0))
    readings = {"exact": (INK, "exact"), "star": (OURS, "star\n(ours)"), "ties": (USUAL, "draw\namong\nlosers")}
    for at, (reading, (colour, _)) in enumerate(readings.items()):
        for (mean, sd), marker, shift in zip(numbers["one_vote"][reading], "^v", (-0.14, 0.14), strict=True):
            one.errorbar(mean, at + shift, xerr=sd, color=colour, marker=marker, linewidth=2, markersize=6)
    one.axvline(25, color=FAINT, linewidth=1, zorder=0)
    one.text(25, -0.62, "before", ha="center", fontsize=8)
    one.text(numbers["one_vote"]["exact"][0][0], -0.32, "picked", ha="center", fontsize=8)
    one.text(numbers["one_vote"]["exact"][1][0] - 3.2, -0.02, "the others", ha="center", fontsize=8)
    one.set_yticks(range(3), [name for _, name in readings.values()])
    one.set_ylim(2.5, -0.8)
    one.set_xlabel("skill, mean ± sd")
    one.set_title("after one vote")
    _two(error, numbers, "rmse", "RMSE of mu")
    _two(coverage, numbers, "coverage", "95 % intervals that hold, %", 100.0)
    coverage.axhline(95, color=FAINT, linewidth=1, zorder=0)
    coverage.set_ylim(0, 102)
    error.set_ylim(bottom=0)
    return figure


def _two(axes: Axes, numbers: dict, key: str, title: str, scale: float = 1.0) -> None:
    for reading, colour, text in (("star", OURS, "star"), ("ties", USUAL, "draws")):
        values = scale * np.array(numbers[reading][key])
        axes.plot(numbers["polls"], values, "o-", color=colour, markersize=4)
        axes.annotate(
            text, (numbers["polls"][1], values[1]), (-8, -13), textcoords="offset points", color=colour, ha="center"
        )
    log_votes(axes, numbers["polls"], "polls of four")
    axes.set_title(title)


def dynamics(numbers: dict) -> Figure:
    """Errors with and without tau."""
    figure, (axes,) = canvas(3.0)
    for key, colour, text in (("default", USUAL, "tau = sigma / 100"), ("zero", OURS, "tau = 0")):
        axes.plot(numbers["votes"], numbers[key]["rmse"], "o-", color=colour, markersize=4)
        label_end(axes, numbers["votes"][-1], numbers[key]["rmse"][-1], text, colour)
    _decades(axes, numbers["votes"])
    axes.set_ylabel("RMSE of mu")
    return figure


def averages(numbers: dict) -> Figure:
    """Errors of three readings of the same duels."""
    figure, (axes,) = canvas(3.0)
    lines = (
        ("last", USUAL, "Elo, last value", 0),
        ("average", THIRD, "Elo, mean of last half", 4),
        ("joint", OURS, "joint fit", -2),
    )
    for key, colour, text, shift in lines:
        axes.plot(numbers["votes"], numbers[key], "o-", color=colour, markersize=4)
        label_end(axes, numbers["votes"][-1], numbers[key][-1], text, colour, shift)
    _decades(axes, numbers["votes"])
    axes.set_ylabel("RMSE, Elo points")
    return figure


def _decades(axes: Axes, votes: list[int]) -> None:
    log_votes(axes, votes, "duels")
    axes.set_ylim(bottom=0)


def ranks(numbers: dict) -> Figure:
    """Rank ranges of everybody, coloured by tier."""
    figure, (axes,) = canvas(3.4)
    colours = (OURS, THIRD, "#A8518A", INK)
    rows = numbers["rows"]
    for at, row in enumerate(rows, start=1):
        colour = colours[(row["tier"] - 1) % len(colours)]
        axes.plot(
            [at, at],
            [row["low"] - 0.4, row["high"] + 0.4],
            color=colour,
            linewidth=3.2,
            solid_capstyle="butt",
            alpha=0.55,
        )
    axes.plot(range(1, len(rows) + 1), range(1, len(rows) + 1), "o", color=USUAL, markersize=3)
    for tier in range(1, numbers["tiers"] + 1):
        members = [at for at, row in enumerate(rows, start=1) if row["tier"] == tier]
        axes.text(np.mean(members), -1.6, f"tier {tier}", color=colours[(tier - 1) % len(colours)], ha="center")
    axes.annotate("the usual list", (8, 8), (1.5, 57.5), color=USUAL, va="center")
    axes.set_ylim(60.5, -3.5)
    axes.set_xlim(0, 60)
    axes.set_xticks([1, 10, 20, 30, 40, 50, 59])
    axes.set_yticks([1, 10, 20, 30, 40, 50, 59])
    axes.set_xlabel("place in the list")
    axes.set_ylabel("possible rank")
    return figure


def both_bad(numbers: dict) -> Figure:
    """How far counting both bad as a tie moves each contestant."""
    figure, (axes,) = canvas(3.2)
    rows = numbers["rows"]
    axes.axhline(0, color=FAINT, linewidth=1)
    axes.plot(
        [row["points"] for row in rows], [row["moved"] for row in rows], "o", color=USUAL, markersize=4, alpha=0.7
    )
    for row in sorted(rows, key=lambda row: -abs(row["moved"]))[:3]:
        axes.annotate(
            row["name"], (row["points"], row["moved"]), (6, 0), textcoords="offset points", fontsize=8, va="center"
        )
    axes.set_xlabel("strength without both bad, Elo points")
    axes.set_ylabel("moved by counting\nboth bad as ties, points")
    return figure


PICTURES: dict[str, tuple[Callable[[dict], Figure], str]] = {
    "order": (order, "Ranks of Elo in 200 random orders of the same votes, beside those of the joint fit"),
    "intervals": (intervals, "Widths and coverage of intervals by what is taken as independent"),
    "picks": (picks, "The best of four read as a star and as a draw among the others"),
    "dynamics": (dynamics, "Error against votes with and without dynamics noise"),
    "averages": (averages, "Error against votes of Elo's last value, its average and the joint fit"),
    "ranks": (ranks, "Rank ranges and tiers of 59 contestants beside the plain list"),
    "both_bad": (both_bad, "What counting both bad as ties moves"),
}
