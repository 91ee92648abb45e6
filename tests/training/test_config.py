from dataclasses import replace

import pytest

from training.config import (
    Architecture,
    DiffusionConfig,
    Preset,
    from_mapping,
    load_preset,
    preset_names,
    to_mapping,
)
from training.errors import UserError


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_survives_a_round_trip(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert from_mapping(Preset, to_mapping(preset), "round trip") == preset


def test_the_named_preset_is_four_epochs_on_named_posts() -> None:
    preset = load_preset("named-adventurers")
    assert (preset.posts, preset.diffusion.epochs) == ("named", 4)
    assert preset.diffusion.unet_lr != preset.diffusion.text_lr


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown preset 'named-adventurer': did you mean 'named-adventurers'\?"):
        load_preset("named-adventurer")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"lr": 1e-3}, "unknown setting 'lr'"),
        ({"batch": "16"}, "batch must be int, not '16'"),
        ({"batch": True}, "batch must be int, not True"),
        ({"epochs": 0}, "epochs must be at least 1, not 0"),
        ({"weighting": "p2"}, "weighting 'p2' is unknown"),
        ({"general_share": 1.5}, "general_share must lie between 0 and 1"),
    ],
)
def test_wrong_settings_are_named(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        from_mapping(DiffusionConfig, mapping, "here.toml")


def test_whole_numbers_do_for_rates_and_lists_for_tuples() -> None:
    assert from_mapping(DiffusionConfig, {"unet_lr": 1}, "x").unet_lr == 1.0
    assert from_mapping(Architecture, {"unet_channels": [8, 16]}, "x").unet_channels == (8, 16)


def test_steps_are_epochs_times_their_length() -> None:
    assert replace(DiffusionConfig(), epochs=3, steps_per_epoch=7).steps == 21
