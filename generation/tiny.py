"""Write a tiny *untrained* checkpoint, wholly offline: the real architecture with a few thousand weights a part.

For tests and for trying out the machinery; its images are noise, and they are different noise for every
(seed, run, epoch). Everything a real checkpoint has is there, text encoders of different width included.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTokenizer
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

from generation.canonical import canonical_sha256
from generation.checkpoint import SCHEDULE, CheckpointInfo, seal_checkpoint
from generation.families import SDXL, Family
from generation.recipe import Recipe

POSITIONS = 48
WIDTHS = (16, 24)
TIME_EMBED = 8
LATENT_MEAN = (0.1, -0.2, 0.0, 0.3)
LATENT_STD = (1.5, 1.25, 0.75, 1.0)
SCALING = 0.18215  # of the first Stable Diffusion, whose latents are scaled by one number
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORDS = ("girl", "boy", "solo", "hair", "eyes", "long", "short", "blue", "red", "green", "black", "blonde", "smile")
SCHEDULER = {
    "_class_name": "EulerAncestralDiscreteScheduler",
    **SCHEDULE,
    "prediction_type": "epsilon",
    "timestep_spacing": "trailing",
}
INDEX = {
    "unet": ("diffusers", "UNet2DConditionModel"),
    "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "text_encoder_2": ("transformers", "CLIPTextModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"),
    "tokenizer_2": ("transformers", "CLIPTokenizer"),
    "scheduler": ("diffusers", "EulerAncestralDiscreteScheduler"),
}
PADDINGS = {"tokenizer": END, "tokenizer_2": "!"}


def write_tiny_checkpoint(
    folder: Path, *, seed: int, epoch: int = 0, run: str = "tiny", pad_mask: bool = False, family: Family = SDXL
) -> CheckpointInfo:
    """Write a complete checkpoint folder of random weights and return what was written.

    Args:
        folder: created with its parents; files in it are overwritten.
        seed, epoch, run: decide every weight; the same three give the same content hash.
        pad_mask: the flag of that name in ``checkpoint.json``.
        family: which architecture.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = int.from_bytes(hashlib.blake2b(f"{seed}/{run}/{epoch}".encode(), digest_size=7).digest())
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random numbers alone
        torch.manual_seed(key)
        for name, component in _components(family).items():
            _save(component, folder / name)
    for name in family.tokenizers:
        _tokenizer(PADDINGS[name]).save_pretrained(folder / name)
    scheduler = SCHEDULER if family.pooled else {**SCHEDULER, "steps_offset": 1}
    _write_json(folder / "scheduler" / "scheduler_config.json", scheduler)
    _write_json(folder / "model_index.json", _index(family))
    return seal_checkpoint(folder, _fields(seed, epoch, run, pad_mask, family))


def _index(family: Family) -> dict[str, Any]:
    """What diffusers' ``from_pretrained`` goes by."""
    parts = {name: INDEX[name] for name in INDEX if name in (*family.components, *family.tokenizers, "scheduler")}
    if family.pooled:
        return {"_class_name": family.pipeline, "force_zeros_for_empty_prompt": False, **parts}
    absent = {"safety_checker": (None, None), "feature_extractor": (None, None), "requires_safety_checker": False}
    return {"_class_name": family.pipeline, **parts, **absent}


def _save(component: Any, folder: Path) -> None:
    """Weights as float16 and the config, in the file names that diffusers and transformers look for."""
    folder.mkdir(exist_ok=True)
    if isinstance(component, UNet2DConditionModel | AutoencoderKL):
        weights = "diffusion_pytorch_model.safetensors"
        component.save_config(folder)
    else:
        weights = "model.safetensors"
        component.config.save_pretrained(folder)
    tensors = {name: value.to(torch.float16).contiguous() for name, value in component.state_dict().items()}
    save_file(tensors, folder / weights, metadata={"format": "pt"})


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _components(family: Family) -> dict[str, Any]:
    vocabulary, _ = _vocabulary()
    text = {
        "vocab_size": len(vocabulary),
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": POSITIONS,
        "bos_token_id": vocabulary[BEGIN],
        "eos_token_id": vocabulary[END],
        "hidden_act": "gelu",
        "projection_dim": WIDTHS[1],
    }
    one = CLIPTextConfig(**text, hidden_size=WIDTHS[0], intermediate_size=32, pad_token_id=vocabulary[END])
    two = CLIPTextConfig(**text, hidden_size=WIDTHS[1], intermediate_size=48, pad_token_id=0)
    parts: dict[str, Any] = {"unet": _unet(family), "vae": _vae(family), "text_encoder": CLIPTextModel(one)}
    if "text_encoder_2" in family.components:
        parts["text_encoder_2"] = CLIPTextModelWithProjection(two)
    return parts


def _unet(family: Family) -> UNet2DConditionModel:
    added: dict[str, Any] = {
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": TIME_EMBED,
        "projection_class_embeddings_input_dim": WIDTHS[1] + 6 * TIME_EMBED,
    }
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=sum(WIDTHS[: len(family.text_encoders)]),
        attention_head_dim=2,
        transformer_layers_per_block=1,
        norm_num_groups=4,
        **(added if family.pooled else {}),
    )


def _vae(family: Family) -> AutoencoderKL:
    scaling: dict[str, Any] = {"scaling_factor": SCALING}
    if family.pooled:
        scaling = {"scaling_factor": 1.0, "latents_mean": list(LATENT_MEAN), "latents_std": list(LATENT_STD)}
    return AutoencoderKL(
        sample_size=64,
        block_out_channels=(4, 8, 8),
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        norm_num_groups=4,
        **scaling,
    )


def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    """CLIP's byte-level BPE in little: every byte, every byte as the end of a word, and a few whole words."""
    letters = sorted(ByteLevel.alphabet())  # "!" comes first and gets id 0, the padding of SDXL's second tokenizer
    tokens = letters + [f"{letter}</w>" for letter in letters]
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS:
        pieces = [*word[:-1], f"{word[-1]}</w>"]
        for end in range(1, len(pieces)):
            merges["".join(pieces[:end]), pieces[end]] = None
    tokens += [left + right for left, right in merges] + [BEGIN, END]
    return {token: index for index, token in enumerate(tokens)}, list(merges)


def _tokenizer(padding: str) -> CLIPTokenizer:
    vocabulary, merges = _vocabulary()
    return CLIPTokenizer(vocab=vocabulary, merges=merges, pad_token=padding, model_max_length=POSITIONS)


def _fields(seed: int, epoch: int, run: str, pad_mask: bool, family: Family) -> dict[str, Any]:
    config = {"seed": seed}
    scaled = (list(LATENT_MEAN), list(LATENT_STD)) if family.pooled else (None, None)
    return {
        "run": run,
        "epoch": epoch,
        "step": 10 * epoch,
        "name": f"{run} epoch {epoch}",
        "preset": "tiny",
        "parent": None,
        "architecture": family.name,
        "prediction_type": "epsilon",
        "pad_mask": pad_mask,
        "latent_mean": scaled[0],
        "latent_std": scaled[1],
        "licence": "CC0-1.0",
        "attribution": "random weights",
        "dataset": {},
        "config": config,
        "config_sha256": canonical_sha256(config),
        "created_at": "1970-01-01T00:00:00Z",
        "recipe": Recipe(steps=2, batch=4).to_dict(),
    }
