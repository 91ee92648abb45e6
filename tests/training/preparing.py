"""Sources of small posts, and preparing them."""

import dataclasses
import hashlib
import json

import numpy as np
from PIL import Image

from tests.training.test_captions import POST
from training.prepare import Preparation, prepare
from training.prepare_config import PrepareConfig
from training.prune import PruneConfig
from training.resize import ResizeConfig

SMALL = PrepareConfig(
    write="shards", prune=PruneConfig(min_side=16, max_pixels=4000, max_ratio=4), resize=ResizeConfig(max_pixels=1024)
)


def post(number, size=(32, 32), **changes):
    return dataclasses.replace(
        POST, id=number, md5=hashlib.md5(b"%d" % number).hexdigest(),
        image_width=size[0], image_height=size[1], file_path=f"{number}.png",
        score=number, **changes,
    )  # fmt: skip


def write(folder, records, images=True):
    folder.mkdir(exist_ok=True)
    with (folder / "posts.jsonl").open("w") as file:
        file.writelines(record if isinstance(record, str) else json.dumps(record) + "\n" for record in records)
    for record in records if images else ():
        if isinstance(record, dict) and record.get("image_width"):
            size = (record["image_height"], record["image_width"], 3)
            pixels = np.random.default_rng(record["id"]).integers(0, 256, size, np.uint8)
            Image.fromarray(pixels).save(folder / record["file_path"])
    return folder


def lines(folder, name):
    files = sorted(folder.glob(f"parts/*/{name}.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def run(source, out, config=SMALL, **options):
    plan = Preparation(source, out, source, config, options.pop("records", "jsonl"))
    return prepare(plan, command="the command", **options)


def contents(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.suffix != ".html"
    }
