"""Where each tensor of a diffusers checkpoint stands in a single file, and back. No torch here.

Single files keep the names of Stability AI's own code: the UNet's blocks are numbered through (`input_blocks.4.1`), the
VAE's decoder counts from the other end, the second text encoder is OpenCLIP's with query, key and value in one tensor.
The layout was read from public files and from diffusers' conversion (which the tests use as the second opinion).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from generation.families import SDXL, Family

UNET = "model.diffusion_model."
VAE = "first_stage_model."
TEXT_2 = "conditioner.embedders.1.model."
# In many files, no weights of any component.
IGNORED = (
    "conditioner.embedders.0.transformer.text_model.embeddings.position_ids",
    "cond_stage_model.transformer.text_model.embeddings.position_ids",
    "conditioner.embedders.1.model.logit_scale",
    "conditioner.embedders.1.model.attn_mask",
)
# The last six are the noise schedule, which the training code of the first Stable Diffusion stored as tensors.
IGNORED_PREFIXES = (
    *("denoiser.", "model_ema.", "first_stage_model.loss."),
    *("alphas_cumprod", "betas", "log_one_minus_", "logvar", "posterior_", "sqrt_"),
)
MARKERS = ("v_pred", "ztsnr")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a tensor stands in a single file.

    Attributes:
        name: key in the file.
        third: 0, 1 or 2 where it is the query, key or value part of a fused tensor.
        form: ``same``; ``transposed``; or ``conv``, a linear layer stored as a 1x1 convolution.
    """

    name: str
    third: int | None = None
    form: str = "same"


def places(component: str, names: Iterable[str], config: Mapping[str, Any], family: Family = SDXL) -> dict[str, Place]:
    """Place of each of a component's tensor names, given the component's ``config.json``."""
    find = _text(family) if component == "text_encoder" else _FINDERS[component](config)
    return {name: find(name) for name in names}


def is_ignored(key: str) -> bool:
    """Whether a key of a single file is known to carry no weights."""
    return key in IGNORED or key in MARKERS or key.startswith(IGNORED_PREFIXES)


def _renamer(prefixes: Mapping[str, str], words: Mapping[str, str]) -> Callable[[str], str]:
    """Replace the longest known beginning, then whole dotted words inside."""
    ordered = sorted(prefixes.items(), key=lambda pair: -len(pair[0]))

    def rename(name: str) -> str:
        for own, theirs in ordered:
            if name.startswith(own):
                rest = name[len(own) :]
                for word, replacement in words.items():
                    if rest.startswith(word + "."):
                        rest = replacement + rest[len(word) :]
                        break
                return theirs + rest
        return name

    return rename


RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET_ENDS = {
    "conv_in.": "input_blocks.0.0.",
    "time_embedding.linear_1.": "time_embed.0.",
    "time_embedding.linear_2.": "time_embed.2.",
    "add_embedding.linear_1.": "label_emb.0.0.",
    "add_embedding.linear_2.": "label_emb.0.2.",
    "conv_norm_out.": "out.0.",
    "conv_out.": "out.2.",
    "mid_block.resnets.0.": "middle_block.0.",
    "mid_block.attentions.0.": "middle_block.1.",
    "mid_block.resnets.1.": "middle_block.2.",
}


def _unet(config: Mapping[str, Any]) -> Callable[[str], Place]:
    prefixes = {**UNET_ENDS, **_down(config), **_up(config)}
    rename = _renamer(prefixes, RESNET)
    return lambda name: Place(UNET + rename(name))


def _layers(config: Mapping[str, Any]) -> list[int]:
    count, per_block = len(config["down_block_types"]), config["layers_per_block"]
    return [per_block] * count if isinstance(per_block, int) else list(per_block)


def _down(config: Mapping[str, Any]) -> dict[str, str]:
    """Input block 0 is the first convolution; a block's layers and then its downsampler follow one another."""
    prefixes, number = {}, 1
    layers = _layers(config)
    for block, count in enumerate(layers):
        for layer in range(count):
            prefixes[f"down_blocks.{block}.resnets.{layer}."] = f"input_blocks.{number}.0."
            prefixes[f"down_blocks.{block}.attentions.{layer}."] = f"input_blocks.{number}.1."
            number += 1
        if block < len(layers) - 1:
            prefixes[f"down_blocks.{block}.downsamplers.0.conv."] = f"input_blocks.{number}.0.op."
            number += 1
    return prefixes


def _up(config: Mapping[str, Any]) -> dict[str, str]:
    """An upsampler sits behind the last layer of its block, and behind its attention if there is one."""
    prefixes, number = {}, 0
    layers = [count + 1 for count in reversed(_layers(config))]
    for block, count in enumerate(layers):
        behind = 2 if "CrossAttn" in config["up_block_types"][block] else 1
        for layer in range(count):
            prefixes[f"up_blocks.{block}.resnets.{layer}."] = f"output_blocks.{number}.0."
            prefixes[f"up_blocks.{block}.attentions.{layer}."] = f"output_blocks.{number}.1."
            if layer == count - 1 and block < len(layers) - 1:
                prefixes[f"up_blocks.{block}.upsamplers.0.conv."] = f"output_blocks.{number}.{behind}.conv."
            number += 1
    return prefixes


VAE_WORDS = {
    "conv_shortcut": "nin_shortcut",
    "group_norm": "norm",
    "to_q": "q",
    "to_k": "k",
    "to_v": "v",
    "to_out.0": "proj_out",
}


def _vae(config: Mapping[str, Any]) -> Callable[[str], Place]:
    levels = len(config["block_out_channels"])
    layers = int(config["layers_per_block"])
    prefixes = {"quant_conv.": "quant_conv.", "post_quant_conv.": "post_quant_conv."}
    for side in ("encoder.", "decoder."):
        prefixes |= {f"{side}conv_in.": f"{side}conv_in.", f"{side}conv_out.": f"{side}conv_out."}
        prefixes[f"{side}conv_norm_out."] = f"{side}norm_out."
        prefixes[f"{side}mid_block.resnets.0."] = f"{side}mid.block_1."
        prefixes[f"{side}mid_block.attentions.0."] = f"{side}mid.attn_1."
        prefixes[f"{side}mid_block.resnets.1."] = f"{side}mid.block_2."
    for level in range(levels):
        down, up, own = f"encoder.down.{level}.", f"decoder.up.{levels - 1 - level}.", f"_blocks.{level}."
        prefixes[f"encoder.down{own}downsamplers.0.conv."] = f"{down}downsample.conv."
        prefixes[f"decoder.up{own}upsamplers.0.conv."] = f"{up}upsample.conv."
        for layer in range(layers + 1):
            prefixes[f"encoder.down{own}resnets.{layer}."] = f"{down}block.{layer}."
            prefixes[f"decoder.up{own}resnets.{layer}."] = f"{up}block.{layer}."
    rename = _renamer(prefixes, VAE_WORDS)

    def find(name: str) -> Place:
        linear = ".attentions." in name and name.endswith(".weight") and "group_norm" not in name
        return Place(VAE + rename(name), form="conv" if linear else "same")

    return find


def _text(family: Family) -> Callable[[str], Place]:
    return lambda name: Place(family.single_text + name.removeprefix("text_model."))


OPENCLIP_ENDS = {
    "embeddings.token_embedding.weight": "token_embedding.weight",
    "embeddings.position_embedding.weight": "positional_embedding",
    "final_layer_norm.weight": "ln_final.weight",
    "final_layer_norm.bias": "ln_final.bias",
}
OPENCLIP_WORDS = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}
FUSED = {"self_attn.q_proj": 0, "self_attn.k_proj": 1, "self_attn.v_proj": 2}


def _text_2(config: Mapping[str, Any]) -> Callable[[str], Place]:
    def find(name: str) -> Place:
        own = name.removeprefix("text_model.")
        if own == "text_projection.weight":
            return Place(f"{TEXT_2}text_projection", form="transposed")
        if own in OPENCLIP_ENDS:
            return Place(TEXT_2 + OPENCLIP_ENDS[own])
        _, _, layer, rest = own.split(".", 3)  # encoder.layers.N.rest
        word, _, kind = rest.rpartition(".")
        block = f"{TEXT_2}transformer.resblocks.{layer}."
        if word in FUSED:
            return Place(f"{block}attn.in_proj_{kind}", third=FUSED[word])
        return Place(f"{block}{OPENCLIP_WORDS[word]}.{kind}")

    return find


_FINDERS: dict[str, Callable[[Mapping[str, Any]], Callable[[str], Place]]] = {
    "unet": _unet,
    "vae": _vae,
    "text_encoder_2": _text_2,
}
