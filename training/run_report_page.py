"""The report on a run as a page."""

from __future__ import annotations

import base64
import json
from html import escape
from io import BytesIO
from pathlib import Path
from statistics import fmean
from typing import Any

from PIL import Image

from training.curves import Line, curves, intervals, short
from training.page import figure, figures, folded, header, section, table, whole_page
from training.plots import number, percent
from training.run_files import SAMPLES
from training.run_report import trajectory

MOST_SIDE = 256  # pixels of an image in the page; the whole ones lie in the run's folder
Values = dict[str, Any]


def page(values: Values) -> str:
    """The page of `training.run_report.gather`'s values."""
    sections = [_head(values), _losses(values), _people(values), samples_section(values), _speed(values),
                _epochs(values), _settings(values)]  # fmt: skip
    return whole_page(f"Run {values['run']}", sections)


def _head(values: Values) -> str:
    last = values["curve"][-1]
    facts = [
        (number(values["steps"]), "steps"),
        (number(len(values["epochs"])), f"of {values['settings']['preset']['diffusion']['epochs']} epochs"),
        (number(values["images"]), "images trained on"),
        (f"{last['loss']:.4f}", f"loss at the end, {last['raw_loss']:.4f} not weighted"),
        (f"{values['images'] / values['seconds']:.3g}", "images a second"),
        (percent(values["data_wait"]), "of the time waiting for data"),
        ("unknown" if values["mfu"] is None else percent(values["mfu"]), "of the device's peak used (MFU)"),
    ]
    return header(values["run"], facts)


def _curve(values: Values, name: str) -> list[tuple[float, float]]:
    return [(point["step"], point[name]) for point in values["curve"] if point[name] is not None]


def _losses(values: Values) -> str:
    curve, raw = _curve(values, "loss"), _curve(values, "raw_loss")
    lines = [
        Line(curve, "before"),
        Line(smooth(raw), "warn", "not weighted"),
        Line(smooth(curve), "after", "weighted"),
    ]
    absolute = curves(_by_timestep(values), "raw loss by timestep", below="timestep")
    pictures = [
        figure("loss by step; bold: means over a twelfth of it", curves(lines, "loss by step", below="step")),
        figure("not weighted, by timestep; the darker, the later the epoch", absolute),
    ]
    if len(values["by_timestep"]) > 1:
        relative = curves(_by_timestep(values, relative=True)[1:], "raw loss by timestep against the first epoch's",
                          below="timestep", from_zero=False)  # fmt: skip
        pictures.append(figure("the same, divided by the first epoch's", relative))
    return section(
        "Loss",
        "What was minimised, and the plain mean squared error. At low timesteps little noise is to be found, and most "
        "of the error is there; where later epochs fall below the first one is what is being learned.",
        figures(*pictures),
    )


def _by_timestep(values: Values, *, relative: bool = False) -> list[Line]:
    """A line for each epoch, the later the darker; ``relative`` to the first epoch's means."""
    epochs = [(epoch, [total / count if count else None for count, total in sums])
              for epoch, sums in values["by_timestep"].items()]  # fmt: skip
    first = epochs[0][1] if relative else [1.0] * len(epochs[0][1])
    return [
        Line([(100 * tenth + 50, mean / base) for tenth, (mean, base) in enumerate(zip(means, first, strict=True))
              if mean is not None and base], "after", f"epoch {epoch}", 0.25 + 0.75 * (place + 1) / len(epochs))
        for place, (epoch, means) in enumerate(epochs)
    ]  # fmt: skip


def smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each value as the mean over a twelfth of all points around it, fewer at the ends."""
    half = len(points) // 24
    return [
        (points[at][0], fmean(value for _, value in points[max(0, at - half) : at + half + 1]))
        for at in range(len(points))
    ]


def _people(values: Values) -> str:
    standings = [line for line in values["standings"] if line.get("rows")]
    if not standings:
        return section("People", "No votes were read back: train with --arena, and let people vote.")
    rows = sorted(standings[-1]["rows"], key=lambda row: row["epoch"])
    dots = [(f"epoch {row['epoch']}", *((row["mu"], row["low"], row["high"]) if row["votes"] else (None,) * 3))
            for row in rows]  # fmt: skip
    paths = trajectory(standings)
    moved = [Line(points, "after", f"epoch {epoch}", 0.25 + 0.75 * (place + 1) / len(paths))
             for place, (epoch, points) in enumerate(sorted(paths.items()))]  # fmt: skip
    pictures = [figure("skill by epoch (TrueSkill), 95 % intervals", intervals(dots, "skill by epoch"))]
    if any(len(points) > 1 for points in paths.values()):
        pictures.append(figure("as the votes came in; the darker, the later the epoch",
                               curves(moved, "skill by step", below="step", from_zero=False)))  # fmt: skip
    stopped = [line["preferred"] for line in values["standings"] if line.get("preferred")]
    note = f'<p class="note">{escape(stopped[-1]["text"])}.</p>' if stopped else ""
    cells = ((row["epoch"], row["contestant"], row["rank"] or "", "" if row["value"] is None else f"{row['value']:.2f}",
              row["votes"]) for row in rows)  # fmt: skip
    return section(
        "People",
        f"The run's own rows of the arena's board, as of step {number(standings[-1]['step'])}.",
        note,
        figures(*pictures),
        table(("epoch", "checkpoint", "rank on the board", "TrueSkill", "votes"), cells),
    )


def samples_section(values: Values) -> str:
    """The grid of what `training samples` has rendered."""
    found = values["samples"]
    if not found["checkpoints"]:
        return section("Samples", f"None yet: python -m training samples {values['folder']}")
    requests = [(prompt, seed) for prompt in found["prompts"] for seed in found["seeds"]]
    heads = "".join(f"<th>{escape(prompt)}<br><small>seed {seed}</small></th>" for prompt, seed in requests)
    rows = "".join(_row(Path(values["folder"]), name, len(requests)) for name in found["checkpoints"])
    head = f"<thead><tr><th></th>{heads}</tr></thead>"
    return section(
        "Samples",
        "The same prompts and seeds by every checkpoint. Each image's file carries its manifest.",
        f'<div class="scroll"><table class="samples">{head}<tbody>{rows}</tbody></table></div>',
    )


def _row(run: Path, name: str, images: int) -> str:
    return f"<tr><th>{escape(name)}</th>{''.join(_cell(run, name, place) for place in range(images))}</tr>"


def _cell(run: Path, name: str, place: int) -> str:
    file = f"{SAMPLES}/{name}/{place + 1}.png"
    with Image.open(run / file) as image:
        small = image.convert("RGB")
    small.thumbnail((MOST_SIDE, MOST_SIDE), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, "WEBP", quality=85)
    data = base64.b64encode(stream.getvalue()).decode()
    words = escape(f"{name}, image {place + 1}", quote=True)
    return f'<td><a href="{escape(file, quote=True)}"><img src="data:image/webp;base64,{data}" alt="{words}"></a></td>'


def _speed(values: Values) -> str:
    rates = [
        Line(_curve(values, "text_lr"), "before", "text encoders"),
        Line(_curve(values, "unet_lr"), "after", "U-Net"),
    ]
    used = [Line(_curve(values, "data_wait"), "warn", "data wait"), Line(_curve(values, "mfu"), "after", "MFU")]
    return section(
        "Speed",
        "Per step, so that writing checkpoints does not show.",
        figures(
            figure("learning rates", curves(rates, "learning rates by step", below="step")),
            figure(
                "images a second",
                curves([Line(_curve(values, "images_per_s"), "after")], "images a second", below="step"),
            ),
            figure(
                "shares of the time and of the peak", curves(used, "data wait and MFU", below="step", names=_percent)
            ),
        ),
    )


def _percent(share: float) -> str:
    return f"{short(100 * share)} %"


def _epochs(values: Values) -> str:
    heads = ("epoch", "step", "loss", "not weighted", "img/s", "data wait", "weights", "manifest")
    rows = "".join(_epoch(line) for line in values["epochs"])
    if not rows:
        return section("Epochs", "None is finished yet.")
    head = "".join(f"<th>{name}</th>" for name in heads)
    body = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    lora = values["settings"]["preset"].get("lora")
    what = "One checkpoint each; the manifest has settings, data and every interpretation."
    if lora:
        what = (f"One LoRA each, of rank {lora['rank']} on {', '.join(lora['targets'])}; the file's header has "
                "settings, data and every interpretation.")  # fmt: skip
    return section("Epochs", what, body)


def _epoch(line: Values) -> str:
    speed, seconds, weights = line["speed"], max(line["speed"]["wall_s"], 1e-9), (line["sha256"] or "deleted")[:12]
    cells = [line["epoch"], number(line["step"]), f"{line['loss']:.4f}", f"{line['raw_loss']:.4f}",
             f"{line['images'] / seconds:.3g}", percent(speed["wait_s"] / seconds), weights]  # fmt: skip
    link = f'<a href="{line["manifest"]}">{Path(line["manifest"]).name}</a>' if line["manifest"] else ""
    return f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in cells)}<td>{link}</td></tr>"


def _settings(values: Values) -> str:
    settings = values["settings"]
    data = table(
        ("", ""), ((name, json.dumps(value, ensure_ascii=False)) for name, value in settings["dataset"].items())
    )
    return section("Settings and data", from_base(values), folded("Data", data), all_settings(settings["preset"]))


def from_base(values: Values) -> str:
    """Where the run's base and folder are told."""
    return f"From {values['settings']['base'][:12]}, in {values['folder']}. run.json has the same, to resume from."


def all_settings(settings: Values) -> str:
    """Every setting by its dotted name, folded."""
    rows = _flat(settings)
    return folded(f"{len(rows)} settings", table(("setting", "value"), rows))


def _flat(settings: Values, path: str = "") -> list[tuple[str, str]]:
    found = []
    for name, value in settings.items():
        found += (
            _flat(value, f"{path}{name}.")
            if isinstance(value, dict)
            else [(path + name, json.dumps(value, ensure_ascii=False))]
        )
    return found
