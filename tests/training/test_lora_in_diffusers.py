"""diffusers and peft read our LoRA files, and the result answers as our own merge does."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from peft import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from generation.conditioning import encode_text
from generation.loading import load_parts
from generation.lora_convert import convert_lora
from tests.training.test_lora import EVERYTHING, FIELDS, answer, merged
from training.adapters import Adapters
from training.lora_file import write_lora

MODELS = ("unet", "text_encoder", "text_encoder_2")


def same_output(base: Path, file: Path, pipeline: StableDiffusionXLPipeline) -> None:
    """What diffusers loaded with a LoRA answers as our own merge of the file does."""
    theirs = replace(load_parts(base), **{name: getattr(pipeline, name) for name in MODELS})
    ours = merged(base, file)
    with torch.no_grad():
        one, other = (encode_text(each, ["1girl, solo, smile"]) for each in (ours, theirs))
    assert (one.hidden - other.hidden).abs().max() < 1e-5
    assert (one.pooled - other.pooled).abs().max() < 1e-5
    assert (answer(ours) - answer(theirs)).abs().max() < 1e-5


@pytest.mark.parametrize("seed", [0, 1])
def test_load_lora_weights_gives_the_same_output(small_base: Path, tmp_path: Path, seed: int) -> None:
    parts = load_parts(small_base)
    adapters = Adapters(parts, EVERYTHING, seed)
    random = torch.Generator().manual_seed(seed)
    for weight in adapters.parameters():
        weight.data.copy_(torch.randn(weight.shape, generator=random) * 0.1)
    file = tmp_path / "all.safetensors"
    write_lora(file, adapters, parts.info, FIELDS)
    pipeline = StableDiffusionXLPipeline.from_pretrained(small_base, dtype=torch.float32)
    pipeline.load_lora_weights(str(tmp_path), weight_name=file.name)
    assert set(pipeline.get_list_adapters()) == set(MODELS)
    held = {
        f"{name}.{key.replace('lora_A', 'down').replace('lora_B', 'up').removeprefix('text_model.')}": value
        for name in MODELS
        for key, value in get_peft_model_state_dict(getattr(pipeline, name), adapter_name="default_0").items()
    }
    written = {key.replace(".text_model.", "."): value for key, value in adapters.state().items()}
    assert held.keys() == written.keys()
    assert all(torch.equal(held[key], written[key]) for key in held), "every bit is the file's"
    same_output(small_base, file, pipeline)


def test_a_file_converted_to_peft_gives_the_same_output(small_base: Path, tmp_path: Path) -> None:
    """Layers of two ranks and three alphas, which peft takes from the settings in the header."""
    parts = load_parts(small_base)
    adapters = Adapters(parts, EVERYTHING, 3)
    random = torch.Generator().manual_seed(3)
    for weight in adapters.parameters():
        weight.data.copy_(torch.randn(weight.shape, generator=random) * 0.1)
    file = tmp_path / "kohya.safetensors"
    write_lora(file, adapters, parts.info, FIELDS)
    tensors = load_file(file)
    layers = sorted({key.removesuffix(".alpha") for key in tensors if key.endswith(".alpha")})
    for number, layer in enumerate(layers):
        tensors[f"{layer}.alpha"] = torch.tensor(1.0 + number % 3)
        if number % 4 == 0:
            for end, side in (("lora_down", 0), ("lora_up", 1)):
                tensors[f"{layer}.{end}.weight"] = tensors[f"{layer}.{end}.weight"].narrow(side, 0, 1).contiguous()
    save_file(tensors, file)
    (tmp_path / "peft").mkdir()
    peft = convert_lora(file, small_base, "peft", tmp_path / "peft" / "style.safetensors")
    pipeline = StableDiffusionXLPipeline.from_pretrained(small_base, dtype=torch.float32)
    pipeline.load_lora_weights(str(peft.parent), weight_name=peft.name)
    assert set(pipeline.get_list_adapters()) == set(MODELS)
    same_output(small_base, file, pipeline)
