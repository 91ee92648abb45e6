"""``python -m training ccip``: trains the small encoder and writes it as a sealed model folder."""

import argparse
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from generation.files import whole, write_json
from rating.ccip import CalibrationError, CCIPEncoder, write_manifest
from rating.ccip.calibration import calibrate
from rating.ccip.folder import CLUSTERS, MANIFEST, METRICS
from training.arguments import count, positive
from training.ccip.export import export
from training.ccip.learning import Learner, Settings
from training.ccip.measuring import auc, cluster_settings, histogram_differences, thumbnail_differences
from training.ccip.net import FeatureNet
from training.ccip.pictures import Cast, draw_characters, render_cast
from training.dataset.characters import CHARACTERS
from training.dataset.render import licence
from training.dataset.scenes import Identity
from training.dataset.tables import HAIR_COLORS
from training.errors import UserError

NAME = "illustration-arena-default-1"
NOTICE = "trained on this project's own drawn characters only: not comparable with CCIP, no use on other drawings"
STATE = "training.pt"
SAVE_STEPS = 100
HELD_OUT_IMAGES = 8
PACKAGES = ("torch", "onnx", "numpy", "pillow", "dicebear-core", "dicebear-styles", "resvg-py")
COLUMNS = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())


@dataclass(frozen=True)
class Plan:
    """``characters`` to train on with ``images`` each, ``held_out`` others to measure with, and how to learn."""

    settings: Settings
    characters: int
    images: int
    held_out: int

    @property
    def command(self) -> str:
        """What makes the folder again."""
        return (
            f"python -m training ccip --seed {self.settings.seed} --characters {self.characters} "
            f"--images {self.images} --held-out {self.held_out} --steps {self.settings.steps}"
        )


def main(argv: Sequence[str]) -> int:
    """Train, measure and write the encoder; 0 when done. Raises UserError for what the user can fix."""
    arguments = _parser().parse_args(argv)
    torch.set_num_threads(arguments.threads)
    settings = Settings(seed=arguments.seed, steps=arguments.steps)
    plan = Plan(settings, arguments.characters, arguments.images, arguments.held_out)
    _check_plan(plan)
    building = _building(arguments.out)
    try:
        seen = draw_characters(settings.seed, plan.characters)
        strangers = draw_characters(settings.seed, plan.held_out, seen)
        net, seconds = _train(plan, seen, building / STATE)
        export(net, building)
        facts = _measure(plan, building, strangers) | {"training_cpu_seconds": round(seconds)}
    except (ValueError, CalibrationError) as error:
        raise UserError(f"{error}: choose fewer --characters or --held-out") from error
    _seal(building, plan, facts)
    (building / STATE).unlink()
    shutil.rmtree(arguments.out, ignore_errors=True)
    os.replace(building, arguments.out)
    print(f"encoder written to {arguments.out}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training ccip", description="Train the small character encoder; run again, it goes on."
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write (an older encoder is replaced)")
    parser.add_argument("--seed", type=count, default=0, help="default 0")
    parser.add_argument("--characters", type=positive, default=400, help="characters to train on (default 400)")
    parser.add_argument("--images", type=positive, default=20, help="pictures of each (default 20)")
    parser.add_argument("--held-out", type=positive, default=120, help="characters to measure with (default 120)")
    parser.add_argument("--steps", type=positive, default=Settings.steps, help=f"default {Settings.steps}")
    parser.add_argument("--threads", type=positive, default=1, help="CPU threads (default 1; others, other weights)")
    return parser


def _check_plan(plan: Plan) -> None:
    """What would otherwise be found out after the training."""
    if plan.characters < plan.settings.characters or plan.images < plan.settings.images:
        raise UserError(
            f"a batch takes {plan.settings.characters} characters with {plan.settings.images} images each, and there "
            f"are {plan.characters} with {plan.images}: choose higher --characters or --images"
        )
    if plan.held_out <= len(HAIR_COLORS):
        raise UserError(
            f"{plan.held_out} characters may each have hair of another colour, and none to be taken for: choose "
            f"--held-out {len(HAIR_COLORS) + 1} or higher"
        )


def _building(out: Path) -> Path:
    """The folder that will become ``out``, made."""
    if out.exists() and not (out / MANIFEST).is_file():
        raise UserError(f"{out} exists and is not an encoder: choose another --out")
    building = out.with_name(f"{out.name}.partial")
    try:
        building.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{building} cannot be made ({error.strerror or error}): choose another --out") from error
    return building


def _train(plan: Plan, identities: Sequence[Identity], state: Path) -> tuple[FeatureNet, float]:
    """The trained net and the CPU seconds of its steps, over all interruptions.

    Every ``SAVE_STEPS`` steps the state is kept; a kept state of the same plan is gone on with.
    """
    cast = _rendered("rendering", plan, identities, plan.images)
    learner = Learner(cast, plan.settings)
    kept = torch.load(state, weights_only=True) if state.is_file() else {}
    if kept.get("command") != plan.command:
        kept = {}
    if kept:
        learner.restore(kept)
    steps, started = plan.settings.steps, time.process_time() - kept.get("cpu_seconds", 0.0)
    with Progress(*COLUMNS[:3], TextColumn("loss {task.fields[loss]:.3f}"), COLUMNS[3]) as progress:
        task = progress.add_task("training", total=steps, completed=learner.step, loss=float("nan"))
        while learner.step < steps:
            progress.update(task, loss=learner.advance(), completed=learner.step)
            if learner.step % SAVE_STEPS == 0 or learner.step == steps:
                spent = time.process_time() - started
                with whole(state) as partial:
                    torch.save({"command": plan.command, "cpu_seconds": spent, **learner.state()}, partial)
    return learner.net, time.process_time() - started


def _rendered(what: str, plan: Plan, identities: Sequence[Identity], images: int) -> Cast:
    with Progress(*COLUMNS) as progress:
        task = progress.add_task(what, total=len(identities) * images)
        return render_cast(plan.settings.seed, identities, images, lambda: progress.advance(task))


def _measure(plan: Plan, folder: Path, strangers: Sequence[Identity]) -> dict[str, Any]:
    """Calibrate the exported nets on characters never trained on, write both settings files, tell how good it is."""
    (folder / METRICS).write_text('{"threshold": 0.5}\n', "utf-8")
    (folder / CLUSTERS).write_text("{}\n", "utf-8")
    held = _rendered("held-out characters", plan, strangers, HELD_OUT_IMAGES)
    named = _rendered("named characters", plan, list(CHARACTERS.values()), HELD_OUT_IMAGES)
    who = [f"{label:04d}" for label in held.labels]
    hair = [strangers[label].hair_color for label in held.labels]
    with CCIPEncoder.from_dir(folder) as encoder:
        features = encoder.embed(_images(held))
        differences = encoder.differences(features)
        of_named = encoder.differences(encoder.embed(_images(named)))
        calibration = calibrate(encoder, features, who, seed=plan.settings.seed)
    side = np.isin(held.labels, np.arange(0, len(strangers), 2))
    tuned, rest = (differences[np.ix_(rows, rows)] for rows in (side, ~side))
    write_json(
        folder / CLUSTERS, cluster_settings(tuned, held.labels[side].tolist(), rest, held.labels[~side].tolist())
    )
    write_json(folder / METRICS, calibration.metrics())
    rules = {"colour histogram": histogram_differences, "thumbnail": thumbnail_differences}
    measured = {"encoder": differences} | {name: rule(held.pictures) for name, rule in rules.items()}
    facts: dict[str, Any] = {
        name: {"auc": round(auc(found, who), 4), "auc_same_hair_color": round(auc(found, who, hair), 4)}
        for name, found in measured.items()
    }
    facts["encoder"]["auc_named_characters"] = round(auc(of_named, named.labels.tolist()), 4)
    for name, values in facts.items():
        print(f"{name:<18}", ", ".join(f"{key} {value:.4f}" for key, value in values.items()))
    print(
        f"threshold {calibration.threshold:.4f}, F1 {calibration.f1_score:.3f} at {calibration.positives_rate:.2%} same"
    )
    return {"measured_on": {"characters": len(strangers), "images_each": HELD_OUT_IMAGES}, "measured": facts}


def _images(cast: Cast) -> list[Image.Image]:
    return [Image.fromarray(picture) for picture in cast.pictures]


def _seal(folder: Path, plan: Plan, facts: dict[str, Any]) -> None:
    training = {
        "command": plan.command,
        "settings": asdict(plan.settings),
        "data": "pictures drawn by training/ccip/pictures.py; the demo's named characters are not among them",
        "packages": {name: version(name) for name in PACKAGES},
        **facts,
    }
    source = licence()
    write_manifest(
        folder,
        name=NAME,
        notice=NOTICE,
        licence=source["licence"],
        attribution=source["attribution"],
        training=training,
    )
