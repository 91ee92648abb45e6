"""A caption is a pure function: of no worker, order or other stage; and it stays what it was."""

import dataclasses
import hashlib
import multiprocessing
import random
import subprocess
import sys
from functools import partial

import pytest

from tests.training.captioning import EVERY_STAGE, MANY, PLAIN, made
from tests.training.test_captions import REAL_POST
from training.caption_config import TINY
from training.captions import caption


@pytest.mark.parametrize(
    ("stage", "rate"),
    [("paraphrase_rate", 0.5), ("space_rate", 0.5), ("text_rate", 0.5), ("register_rate", 0.5), ("uncond_rate", 0.3),
     ("year_number_rate", 0.5)],
)  # fmt: skip
def test_a_stage_moves_no_draw_of_another(stage, rate):
    """Every stage on, and all but one on: what the traces say of the others is the same."""
    own = {"paraphrase_rate": "paraphrased", "text_rate": "text", "register_rate": "register"}.get(stage, "spaces")
    base = dataclasses.replace(EVERY_STAGE, **{stage: 0.0})
    compared = 0
    for off, on in zip(made(base, 400), made(dataclasses.replace(base, **{stage: rate}), 400), strict=True):
        if on.trace.unconditional or off.trace.tags != on.trace.tags:
            continue
        compared += 1
        # How many separators there are depends on the other stages; whether they are spaces does not.
        traces = [one.trace._replace(**{"spaces": one.trace.spaces > 0} | {own: 0}) for one in (off, on)]
        assert traces[0] == traces[1]
    assert compared > 150


def captions_of(numbers, config):
    return [caption(dataclasses.replace(MANY, id=number), config, 9, 4) for number in numbers]


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.parametrize("workers", [1, 2, 8])
def test_any_number_of_workers_in_any_order_make_the_same_captions(method, workers):
    numbers = list(range(1, 65))
    expected = dict(zip(numbers, captions_of(numbers, EVERY_STAGE), strict=True))
    random.Random(workers).shuffle(numbers)
    with multiprocessing.get_context(method).Pool(workers) as pool:
        parts = pool.map(partial(captions_of, config=EVERY_STAGE), [numbers[i::workers] for i in range(workers)])
    found = {number: one for i, part in enumerate(parts) for number, one in zip(numbers[i::workers], part, strict=True)}
    assert found == expected


def test_epochs_and_seeds_differ():
    texts = {caption(MANY, EVERY_STAGE, seed, epoch).text for seed in range(5) for epoch in range(20)}
    assert len(texts) > 80


def test_golden_captions_of_every_stage():
    """Frozen: a change here changes every training run, and is a new version of the captions."""
    assert [caption(MANY, EVERY_STAGE, 1, epoch).text for epoch in range(12)] == GOLDEN


GOLDEN = [
    (
        "1girl, a boy, aoi, original, general, thing 22, thing 29, thing 28, thing 12, thing 06, thing 11, thing "
        "08, thing 18, thing 21, thing 01, thing 04, thing 02, thing 20, thing 24, thing 00, thing 26, thing 17, "
        "thing 25, thing 15, thing 09, thing 13, thing 14, thing 23, only one person, thing 05, thing 27, thing "
        "03, thing 16, highres, some one, best quality, old, svb7, 9grh1d1n"
    ),
    (
        "1girl, aoi, Rain, and a lamp., original, thing 02, thing 12, thing 25, thing 10, thing 16, thing 03, "
        "thing 13, thing 04, thing 09, thing 00, thing 29, thing 20, thing 17, thing 15, highres, some one"
    ),
    "1girl aoi original thing 18 thing 03 thing 29 thing 14 thing 13 thing 10 some one",
    (
        "1girl 1boy aoi general thing 21 thing 07 thing 01 thing 22 thing 16 thing 19 thing 25 thing 24 thing 10 "
        "thing 27 thing 05 thing 18 thing 15 thing 03 thing 06 thing 26 thing 13 thing 20 thing 08 thing 12 thing "
        "00 thing 17 thing 29 thing 02 thing 23 thing 28 thing 04 solo thing 11 highres some one best quality old"
    ),
    "1girl, A quiet afternoon., thing 03",
    "1girl, 1boy, aoi, thing 03, thing 18, thing 25, thing 14, thing 17, thing 28, some one",
    "1girl, aoi, thing 11, thing 03, thing 28, thing 07, thing 02, some one, iernq",
    (
        "1girl aoi A quiet afternoon. general thing 09 thing 03 thing 06 thing 29 thing 12 thing 26 thing 02 thing"
        " 21 thing 13 thing 25 some one e19g 6b15f5w"
    ),
    "1girl, A quiet afternoon., thing 03, 8jdx, tlq6, t1vrqn",
    (
        "1girl 1boy aoi thing 01 thing 03 thing 27 thing 13 thing 15 thing 17 thing 10 thing 29 solo thing 20 "
        "thing 04 thing 05 thing 16 thing 18 highres some one cj48q sb50zpe 2027"
    ),
    "1girl thing 03",
    (
        "1girl, a boy, aoi, original, general, thing 16, thing 18, thing 13, alone, thing 07, thing 19, thing 22, "
        "thing 27, thing 23, thing 10, thing 12, thing 01, thing 24, thing 06, thing 17, thing 03, thing 09, thing"
        " 29, thing 21, thing 26, thing 14, thing 11, thing 05, thing 08, thing 28, thing 25, thing 20, thing 02, "
        "thing 15, thing 04, thing 00, highres, some one, best quality, old, year 2019"
    ),
]


def test_captions_stay_what_they_were():
    """A digest taken before the stages were made faster: a run that goes on after an update sees the same captions."""
    digest = hashlib.sha256()
    for config in (
        EVERY_STAGE,
        PLAIN,
        TINY,
        dataclasses.replace(EVERY_STAGE, level_select="head", space_scope="comma"),
    ):
        for found in made(config, 200):
            digest.update(f"{found.text}\n{found.trace.stage} {sorted(found.trace.places)}\n".encode())
    assert digest.hexdigest() == "7c385c3fe456bbc1b8ebec2c48d0d4e8c14b966c8e859a840a177899202666db"


def test_captions_do_not_depend_on_the_hash_seed():
    code = (
        "from pathlib import Path; from training.sources import read_posts;"
        "from training.caption_config import CaptionConfig; from training.captions import caption;"
        f"[post] = read_posts(Path({str(REAL_POST)!r}));"
        "print([caption(post, CaptionConfig(tag_dropout=.5, protected=frozenset({'solo', 'ring', 'mask'})), 0, e)"
        " for e in range(20)])"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, check=True, capture_output=True, text=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
