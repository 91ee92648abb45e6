"""A training step of the tiny base, ours against diffusers' own script: PEER names train_text_to_image_sdxl.py, or the
folder that holds it (a checkout's examples/text_to_image).

Both as processes of one thread on the same pictures: wall milliseconds, the script's from the difference of a long run
and a short one, so that its start, its encoding of all pictures and texts, and its last save fall away.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tests.benchmarks.training.step import Workers, measured, world
from tests.benchmarks.training.trainers import BATCH, OPTIMIZER

NAME = "train_text_to_image_sdxl.py"
WANTED = Path(__file__).with_name("script.txt")
FOLDER = Path(__file__).resolve().parents[3] / ".venv-script"
# Later ones register compiled operators when imported, and those of the package index are for CUDA: beside a torch for
# processors they do not import. The script takes image transforms from it, which are Python. For Python up to 3.11.
BARE = "torchvision==0.15.2"
IMPORTS = ("accelerate", "datasets", "diffusers", "torchvision.transforms", "transformers")
SHORT, LONG = 4, 24  # steps


def workers(folder: Path) -> Workers:
    """Milliseconds of a step of 16 images."""
    peer, python = script_of(Path(os.environ["PEER"])), environment(print)
    place = world(folder)
    return partial(measured, "ours", "wall_ms", place), partial(_ms, python, peer, place)


def script_of(named: Path) -> Path:
    """The script itself. Raises FileNotFoundError where PEER names neither it nor a folder with it."""
    for path in (named, named / NAME, named / "examples" / "text_to_image" / NAME):
        if path.is_file():
            return path.resolve()
    raise FileNotFoundError(f"PEER={named}: there is no {NAME}; name that file of a checkout of diffusers")


def environment(say: Callable[[str], None]) -> Path:
    """The interpreter that the script runs in: what PEER_PYTHON names, or one of an environment that is made once.

    Raises RuntimeError, naming what is missing, where the script's imports do not work in it.
    """
    named = os.environ.get("PEER_PYTHON")
    python = Path(named) if named else _made(say)
    done = subprocess.run([str(python), "-c", f"import {', '.join(IMPORTS)}"], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(
            f"{NAME} imports {', '.join(IMPORTS)}, and {python} cannot ({done.stderr.splitlines()[-1]}): torchvision "
            "has to be the build of the torch beside it. Name an interpreter that can: PEER_PYTHON=…/bin/python"
        )
    return python


def _made(say: Callable[[str], None]) -> Path:
    python, stamp = FOLDER / "bin" / "python", FOLDER / "installed.txt"
    if stamp.exists() and stamp.read_text() == WANTED.read_text():
        return python
    say(f"installing what the script needs into {FOLDER.name} (some minutes, once)…")
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.run([*pip, "-r", str(WANTED)]).returncode or subprocess.run([*pip, "--no-deps", BARE]).returncode:
        raise RuntimeError(f"{NAME} needs {BARE} and what {WANTED} lists, and pip cannot install it here")
    stamp.write_text(WANTED.read_text())
    return python


def _ms(python: Path, peer: Path, place: Path) -> float:
    _as_its_documentation_wants(place)
    seconds = {steps: _seconds(python, peer, place, steps) for steps in (SHORT, LONG)}
    return 1e3 * (seconds[LONG] - seconds[SHORT]) / (LONG - SHORT)


def _as_its_documentation_wants(place: Path) -> None:
    """The pictures in one folder, with a ``metadata.jsonl`` of captions."""
    images = place / "script"
    if images.exists():
        return
    images.mkdir()
    posts = [json.loads(line) for line in (place / "dataset" / "posts.jsonl").read_text().splitlines()]
    lines = []
    for post in posts:
        name = Path(post["file_path"]).name
        os.link(place / "dataset" / post["file_path"], images / name)
        lines.append(json.dumps({"file_name": name, "text": post["tag_string_general"].replace(" ", ", ")}) + "\n")
    (images / "metadata.jsonl").write_text("".join(lines))


def _seconds(python: Path, peer: Path, place: Path, steps: int) -> float:
    """How long a run of so many steps takes; what it said where it failed."""
    begin = time.perf_counter()
    done = subprocess.run(
        [str(python), str(peer), "--pretrained_model_name_or_path", str(place / "base"),
         "--train_data_dir", str(place / "script"), "--cache_dir", str(place / "cache"),
         "--resolution", "64", "--train_batch_size", str(BATCH), "--max_train_steps", str(steps),
         "--learning_rate", str(OPTIMIZER.unet_lr), "--lr_scheduler", "cosine", "--lr_warmup_steps", "0",
         "--use_ema", "--mixed_precision", "no", "--seed", "1", "--output_dir", str(place / f"script-{steps}")],
        capture_output=True, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"},
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{peer} failed:\n{done.stderr[-3000:]}")
    return time.perf_counter() - begin
