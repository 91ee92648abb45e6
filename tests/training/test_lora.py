"""Adapters beside a checkpoint's layers: trained alone, saved as kohya's LoRA, the same once merged."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from generation.canonical import canonical_sha256
from generation.checkpoint import content_sha256, file_sha256, read_checkpoint
from generation.conditioning import encode_text, time_ids
from generation.errors import CheckpointError
from generation.header import MANIFEST, manifest_in
from generation.loading import Origin, Parts, assemble, load, load_parts
from generation.lora_file import LoraRef, read_lora_info
from tests.training.conftest import SMALL_PRESET
from tests.training.test_run import StopAfter, start
from training.adapters import Adapters
from training.cli import main
from training.lora_config import TARGETS, LoraConfig
from training.lora_file import tensor_bytes_sha256, write_lora
from training.run import Stopped
from training.state import load_state

EVERYTHING = LoraConfig(rank=3, alpha=6.0, targets=tuple(TARGETS))
SMALL_LORA = replace(SMALL_PRESET, lora=LoraConfig(rank=2))
FIELDS = {"name": "small style", "step": 8, "licence": "CC0-1.0", "attribution": "a test", "created_at": "2026-01-01"}


@pytest.fixture
def parts(small_base: Path) -> Parts:
    return load_parts(small_base)


@pytest.fixture
def moved(parts: Parts) -> Adapters:
    """Adapters of every layer that can have one, as if they had been trained."""
    adapters = Adapters(parts, EVERYTHING, seed=1)
    random = torch.Generator().manual_seed(0)
    for weight in adapters.parameters():
        weight.data.copy_(torch.randn(weight.shape, generator=random) * 0.1)
    return adapters


@torch.no_grad()
def answer(parts: Parts) -> torch.Tensor:
    """The U-Net's answer to two prompts at timestep 500, through both text encoders."""
    text = encode_text(parts, ["1girl, solo", "1boy, smile"])
    x = torch.randn((2, 4, 16, 16), generator=torch.Generator().manual_seed(3))
    sizes = {"text_embeds": text.pooled, "time_ids": time_ids(64, 64, 2)}
    output: torch.Tensor = parts.unet(x, torch.tensor(500), text.hidden, added_cond_kwargs=sizes).sample
    return output


def merged(base: Path, file: Path, scale: float = 1.0) -> Parts:
    return assemble(load(Origin(base, loras=(LoraRef(file, scale),))))


def test_new_adapters_change_no_bit_and_off_restores_every_bit(small_base: Path, parts: Parts) -> None:
    before = answer(parts)
    adapters = Adapters(parts, EVERYTHING, seed=1)
    assert torch.equal(answer(parts), before)
    for weight in adapters.parameters():
        weight.data.add_(0.1)
    changed = answer(parts)
    assert not torch.equal(changed, before)
    with adapters.off():
        assert torch.equal(answer(parts), before)
    assert torch.equal(answer(parts), changed)


def test_a_saved_file_merges_to_the_same_output(
    small_base: Path, parts: Parts, moved: Adapters, tmp_path: Path
) -> None:
    """`generation.lora.merge` computes W + alpha / rank * up @ down on its own; every kind of layer is among them."""
    beside = answer(parts)
    write_lora(tmp_path / "all.safetensors", moved, parts.info, FIELDS)
    whole = answer(merged(small_base, tmp_path / "all.safetensors"))
    assert (whole - beside).abs().max() < 1e-5
    assert (whole - answer(load_parts(small_base))).abs().max() > 1e-2


def test_the_file_holds_kohyas_tensors(parts: Parts, moved: Adapters, tmp_path: Path) -> None:
    write_lora(tmp_path / "all.safetensors", moved, parts.info, FIELDS)
    tensors = load_file(tmp_path / "all.safetensors")
    names = {key.partition(".")[0] for key in tensors}
    assert {
        "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q",
        "lora_unet_middle_block_1_proj_in",
        "lora_unet_input_blocks_1_0_in_layers_2",
        "lora_te1_text_model_encoder_layers_0_self_attn_q_proj",
        "lora_te2_text_model_encoder_layers_1_mlp_fc2",
    } <= names
    assert all(
        f"{name}.{part}" in tensors for name in names for part in ("lora_down.weight", "lora_up.weight", "alpha")
    )
    convolution = "lora_unet_input_blocks_1_0_in_layers_2"
    assert tensors[f"{convolution}.lora_down.weight"].shape == (3, 8, 3, 3)
    assert tensors[f"{convolution}.lora_up.weight"].shape == (8, 3, 1, 1)
    assert tensors[f"{convolution}.alpha"] == 6
    assert all(torch.equal(tensors[key], value) for key, value in moved.tensors().items())


def test_the_header_speaks_kohyas_and_modelspecs_words_and_carries_the_manifest(
    small_base: Path, parts: Parts, moved: Adapters, tmp_path: Path
) -> None:
    file = tmp_path / "all.safetensors"
    assert write_lora(file, moved, parts.info, FIELDS) == file_sha256(file)
    info = read_lora_info(file)
    said = info.metadata
    assert (info.name, info.ranks, info.trained_on) == ("small style", (3,), read_checkpoint(small_base).sha256)
    assert (said["ss_network_module"], said["ss_network_dim"], said["ss_network_alpha"]) == ("networks.lora", "3", "6")
    assert said["modelspec.sai_model_spec"] == "1.0.1"
    assert said["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora"
    assert said["modelspec.hash_sha256"] == f"0x{tensor_bytes_sha256(file.read_bytes())}"
    assert manifest_in(said, file) == FIELDS
    assert canonical_sha256(FIELDS) == said[f"{MANIFEST}_sha256"]
    with pytest.raises(CheckpointError, match="the header was edited"):
        manifest_in({**said, MANIFEST: json.dumps({**FIELDS, "step": 9})}, file)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rank": 0}, "rank must be from 1 to 1024, got 0"),
        ({"alpha": -1.0}, "alpha must be at least 0, got -1"),
        ({"targets": ("atention",)}, "targets must be some of attention, .*, got atention"),
        ({"targets": ()}, "got none"),
    ],
)
def test_settings_out_of_range_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoraConfig(**values)


@pytest.fixture(scope="module")
def whole(small_data: Path, small_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished LoRA run of eight steps that was never interrupted."""
    out = tmp_path_factory.mktemp("lora") / "run"
    start(SMALL_LORA, small_data, small_base, out).train()
    return out


def test_a_run_writes_a_lora_per_epoch_and_leaves_the_base_alone(whole: Path, small_base: Path) -> None:
    files = sorted(whole.glob("epoch-*"))
    assert [file.name for file in files] == ["epoch-01.safetensors", "epoch-02.safetensors"]
    first, second = map(load_file, files)
    assert first.keys() == second.keys()
    assert not all(torch.equal(first[key], second[key]) for key in first)
    assert any(second[key].any() for key in second if key.endswith("lora_up.weight") and "te1" in key)
    assert content_sha256(small_base) == read_checkpoint(small_base).sha256
    manifest = manifest_in(read_lora_info(files[1]).metadata, files[1])
    assert (manifest["epoch"], manifest["step"], manifest["parent"]) == (2, 8, read_checkpoint(small_base).sha256)
    assert manifest["config"]["lora"] == {"rank": 2, "alpha": 0.0, "targets": list(LoraConfig().targets)}
    state = load_state(whole)
    assert all(".lora." in name for name in state["weights"])


@pytest.mark.parametrize("looks", [3, 6])
def test_a_stopped_run_goes_on_bit_for_bit(
    whole: Path, small_data: Path, small_base: Path, tmp_path: Path, looks: int
) -> None:
    out = tmp_path / "run"
    with pytest.raises(Stopped):
        start(SMALL_LORA, small_data, small_base, out, StopAfter(looks)).train()
    start(SMALL_LORA, small_data, small_base, out).train()
    for name in ("epoch-01.safetensors", "epoch-02.safetensors"):
        one, other = load_file(whole / name), load_file(out / name)
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_old_files_are_pruned_as_checkpoints_are(
    whole: Path, small_data: Path, small_base: Path, tmp_path: Path
) -> None:
    preset = replace(SMALL_LORA, diffusion=replace(SMALL_LORA.diffusion, keep=1))
    start(preset, small_data, small_base, tmp_path / "run").train()
    assert [file.name for file in (tmp_path / "run").glob("epoch-*")] == ["epoch-02.safetensors"]


def test_the_command_trains_what_it_is_told(
    small_data: Path, small_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    common = ["--data", str(small_data), "--base", str(small_base), "--out", str(out), "--threads", "1"]
    length = ["--epochs", "1", "--steps-per-epoch", "1", "--batch", "4"]
    layers = ["--rank", "4", "--alpha", "2", "--targets", "cross_attention", "conv"]
    assert main(["lora", "named-adventurers", *common, *length, *layers]) == 0
    said = read_lora_info(out / "epoch-01.safetensors").metadata
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("4", "2")
    names = set(load_file(out / "epoch-01.safetensors"))
    assert not any("_te" in name or "attn1" in name for name in names)
    assert main(["lora", "named-adventurers", *common, "--targets", "atention"]) == 1
