"""How every picture looks: a white panel that reads on dark and light pages, two colours, labels on the lines."""

from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, apart for every kind of colour vision; the meaning is the same in all pictures.
USUAL, OURS, THIRD = "#D55E00", "#0072B2", "#009E73"
INK, FAINT = "#222222", "#BBBBBB"
WIDTH = 7.6

FONT = "DejaVu Sans"  # comes with matplotlib, so every machine lays out alike
FALLBACKS = "'DejaVu Sans', Verdana, Arial, sans-serif"  # nearly as wide, where a reader lacks it

matplotlib.use("svg")
matplotlib.rcParams.update(
    {
        "font.family": FONT,
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.titlelocation": "left",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": FAINT,
        "axes.labelcolor": INK,
        "text.color": INK,
        "xtick.color": INK,
        "ytick.color": INK,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "svg.fonttype": "none",  # text stays text
        "svg.hashsalt": "usual-practice",
    }
)


def canvas(height: float, columns: int = 1, **options: object) -> tuple[Figure, list[Axes]]:
    """An empty picture with some panels side by side."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained", facecolor="white")
    axes = figure.subplots(1, columns, squeeze=False, **options)[0]
    return figure, list(axes)


def save(figure: Figure, path: Path, title: str) -> None:
    """Write a picture that is the same, byte for byte, each time."""
    figure.savefig(path, format="svg", metadata={"Date": None, "Creator": None, "Title": title})
    lines = path.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line.rstrip() for line in lines) + "\n"
    path.write_text(text.replace(f"'{FONT}'", FALLBACKS), encoding="utf-8")


def log_votes(axes: Axes, votes: list[int], unit: str) -> None:
    """A logarithmic axis of numbers of votes, marked where something was measured."""
    axes.set_xscale("log")
    axes.set_xticks(votes, [f"{count}" if count < 1000 else f"{count // 1000}k" for count in votes])
    axes.minorticks_off()
    axes.set_xlabel(unit)
    axes.grid(axis="y", color="#EEEEEE")


def label_end(axes: Axes, x: float, y: float, text: str, colour: str, shift: float = 0.0) -> None:
    """A name right of the end of a line."""
    axes.annotate(
        text, (x, y), xytext=(5, shift), textcoords="offset points", color=colour, va="center", annotation_clip=False
    )
