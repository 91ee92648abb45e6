from pathlib import Path

import pytest
import torch
from PIL import Image

from training.attributes_net import AttributeNet, Checker
from training.data import choose_posts
from training.measure import IDENTITY, measure, name_prompt, sheet
from training.train_cli import identity_table


@pytest.fixture(scope="module")
def checker() -> Checker:
    """An untrained check: what it sees is arbitrary, but the same in every run."""
    torch.manual_seed(0)
    return Checker(AttributeNet(), {})


def test_measuring_renders_an_image_per_post_and_counts_what_was_demanded(
    small_data: Path, small_base: Path, checker: Checker
) -> None:
    posts = choose_posts(small_data, "held_out")
    measured = measure(small_base, posts, checker, steps=2)
    assert len(measured.images) == len(posts) == 4
    shares = {row.attribute: row.total for row in measured.rows}
    assert shares["hair_color"] == shares["background"] == 4
    assert measure(small_base, posts, checker, steps=2).shares() == measured.shares()


def test_a_name_prompt_holds_no_tag_of_the_characters_looks(small_data: Path) -> None:
    akari = next(post for post in choose_posts(small_data, "named") if post.character == ("akari",))
    assert name_prompt(akari) == "1girl, akari, solo"


def test_the_identity_table_has_a_column_per_checkpoint_and_only_lasting_attributes(
    small_data: Path, small_base: Path, checker: Checker
) -> None:
    posts = choose_posts(small_data, "named")[:3]
    title, header, *rows = identity_table([small_base, small_base], posts, checker).splitlines()
    assert title == "looks from the name alone, 3 images each"
    assert header.split() == ["start", "start"]
    names = {row.split()[0].removeprefix("palette_") for row in rows}
    assert names <= IDENTITY
    assert {"hair_color", "hair_style", "skin"} <= names
    assert all(row.split()[1] == row.split()[2] for row in rows)


def test_a_sheet_has_a_row_per_checkpoint() -> None:
    row = [Image.new("RGB", (64, 64), "red")] * 3
    assert sheet([row, row]).size == (3 * 130, 2 * 130)
