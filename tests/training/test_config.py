import re

import pytest

from training.config import (
    Architecture,
    Preset,
    from_mapping,
    load_preset,
    preset_names,
    to_mapping,
)
from training.errors import UserError
from training.train_config import OptimizerConfig


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_loads_and_survives_a_round_trip(name: str) -> None:
    preset = load_preset(name)
    assert preset.name == name
    assert from_mapping(Preset, to_mapping(preset), "round trip") == preset


def test_the_named_preset_is_four_epochs_on_named_posts() -> None:
    preset = load_preset("named-adventurers")
    assert (preset.posts, preset.diffusion.epochs) == ("named", 4)
    assert preset.optimizer.unet_lr != preset.optimizer.text_lr


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(UserError, match=r"unknown preset 'named-adventurer': did you mean 'named-adventurers'\?"):
        load_preset("named-adventurer")


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"optimizer": {"unet_rl": 1e-3}}, "optimizer: unknown setting 'unet_rl': did you mean 'unet_lr'?"),
        ({"diffusion": {"batch": "16"}}, "diffusion: batch must be int, not '16'"),
        ({"diffusion": {"batch": True}}, "batch must be int, not True"),
        ({"diffusion": {"epochs": 0}}, "diffusion: epochs must be at least 1, got 0"),
        ({"objective": {"weighting": "p2"}}, "objective: weighting must be one of none, debias, min_snr, got 'p2'"),
        ({"objective": {"snr_floor": 0}}, "snr_floor must lie between 0 and snr_clip"),
        ({"optimizer": {"betas": [0.9]}}, "betas must be two numbers"),
        ({"schedule": {"milestones": [3, 2]}}, "milestones must be rising epochs"),
        ({"general_share": 1.5}, "general_share must be from 0 to 1, got 1.5"),
        ({"general_share": 0.5}, "general_share needs posts = 'named'"),
        ({"buckets": {"crop": "random"}}, "set latents = 'encoded'"),
        ({"schedule": {"milestones": [1]}, "diffusion": {"steps_per_epoch": 3}}, "milestones need whole passes"),
    ],
)
def test_wrong_settings_are_named(mapping: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=re.escape(message)):
        from_mapping(Preset, {"name": "x", "title": "x", **mapping}, "here.toml")


def test_whole_numbers_do_for_rates_and_lists_for_tuples() -> None:
    assert from_mapping(OptimizerConfig, {"unet_lr": 1}, "x").unet_lr == 1.0
    assert from_mapping(Architecture, {"unet_channels": [8, 16]}, "x").unet_channels == (8, 16)
