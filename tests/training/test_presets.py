"""The presets are Table 5, their steps are Table 1; settings go out as TOML and come back the same."""

import re
import tomllib
from pathlib import Path

import pytest

from training.config import Preset, from_mapping, load_captions, load_preset, preset_names, to_mapping
from training.errors import UserError
from training.toml_writer import to_toml

# Table 5: data set size, batch, LR, TE LR, epochs, side; natural language, dropout levels, register tokens, several
# captions.
TABLE_5 = {
    "v0.1": (7_500_000, 192, 3.5e-5, 4.5e-6, 20, 1024, False, False, False, False),
    "v1.0": (10_000_000, 128, 1e-5, 6e-6, 8, 1536, False, True, True, False),
    "v1.1": (12_000_000, 512, 3e-5, 4e-6, 4, 1536, True, True, True, False),
    "v2.0": (20_000_000, 512, 4e-5, 3e-6, 2, 1536, True, True, True, True),
}
TABLE_1 = {"v0.1": 781_250, "v1.0": 625_000, "v1.1": 93_750, "v2.0": 78_125}


@pytest.mark.parametrize("name", TABLE_5)
def test_the_papers_presets_are_table_5(name: str) -> None:
    preset = load_preset(name)
    assert (
        preset.pictures,
        preset.diffusion.batch,
        preset.optimizer.unet_lr,
        preset.optimizer.text_lr,
        preset.diffusion.epochs,
        max(size[0] for sizes in preset.buckets.sets for size in sizes.sizes() if size[0] == size[1]),
        preset.caption.text_rate > 0,
        bool(preset.caption.levels),
        preset.caption.register_rate > 0,
        preset.caption.text_rate > 0 and preset.caption.text_choice == "any",
    ) == TABLE_5[name]
    assert preset.nominal_steps == TABLE_1[name]


@pytest.mark.parametrize("name", TABLE_5)
def test_the_papers_presets_train_as_section_3_2_says(name: str) -> None:
    preset = load_preset(name)
    assert (preset.objective.prediction, preset.objective.weighting) == ("epsilon", "debias")
    assert (preset.objective.input_perturbation, preset.objective.perturbation) == (0.1, "sample")
    assert preset.objective.noise_offset == 0
    # Cosine annealing: "we adopted it into v1.0, v1.1, and v2.0".
    assert preset.schedule.kind == ("constant" if name == "v0.1" else "cosine")
    assert preset.caption == load_captions(name)
    assert min(sizes.megapixels for sizes in preset.buckets.sets) == (0.15 if name == "v2.0" else 1.0)


@pytest.mark.parametrize("name", preset_names())
def test_settings_survive_a_round_trip_through_toml(name: str, tmp_path: Path) -> None:
    preset = load_preset(name)
    text = to_toml(to_mapping(preset))
    assert from_mapping(Preset, tomllib.loads(text), "round trip") == preset
    (tmp_path / "mine.toml").write_text(text)
    assert load_preset(str(tmp_path / "mine.toml")) == preset


def test_a_file_of_ones_own_has_its_own_name_and_the_defaults_for_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('caption = "v1.0"\n[optimizer]\nname = "adafactor"\n')
    preset = load_preset(str(path))
    assert (preset.name, preset.title, preset.optimizer.name) == ("mine", "mine", "adafactor")
    assert preset.caption == load_captions("v1.0")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[optimizer]\nlearning_rate = 1e-4\n", "unknown setting 'learning_rate': did you mean"),
        ("[optimiser]\n", "unknown setting 'optimiser': did you mean 'optimizer'?"),
        ("[objective]\nweighting = 'debiased'\n", "weighting must be one of none, debias, min_snr, got 'debiased'"),
        ("caption = 'v3.0'\n", "no file v3.0, and no such name: did you mean 'v"),
        ("[objective\n", "is no TOML"),
    ],
)
def test_a_wrong_file_is_named_with_what_was_meant(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(message)) as refused:
        load_preset(str(path))
    assert str(path) in str(refused.value) or "v3.0" in text


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no file .*mine\.toml"):
        load_preset(str(tmp_path / "mine.toml"))


def test_toml_by_hand() -> None:
    table = {"x": 'say "ä"', "rows": [{"y": True}], "deep": {"z": []}}
    settings = {"a": 1, "b": [1.5, 2e-5], "none": None, "t": table}
    assert to_toml(settings) == (
        'a = 1\nb = [1.5, 2e-05]\n\n[t]\nx = "say \\"ä\\""\nrows = [{ y = true }]\n\n[t.deep]\nz = []\n'
    )
