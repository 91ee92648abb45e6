"""Load a checkpoint folder strictly: every tensor present, expected, finite, of the asked dtype, and nothing fetched.

The loaders of diffusers and transformers accept a file with missing, extra or NaN tensors; an arena that compares
checkpoints must not. So the modules are built from their configs on the meta device (no random initialisation, no
second copy in memory), and the stored tensors are assigned one by one after they were checked.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import CLIPTextConfig, CLIPTokenizer
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

from generation.checkpoint import CheckpointInfo, read_checkpoint, read_json
from generation.errors import CheckpointError

TEXT_PREFIX = "text_model."
LEGACY_EOS = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """The components of one checkpoint, in eval mode, ready to run or to train.

    UNet and text encoders have the asked dtype; the VAE is float32 always, because it overflows in float16.
    ``latent_mean`` and ``latent_std``, both (1, C, 1, 1) float32, translate between the VAE and the UNet:
    ``unet_latent = (vae_latent - latent_mean) / latent_std``.
    """

    unet: Any
    vae: Any
    text_encoder: Any
    text_encoder_2: Any
    tokenizer: Any
    tokenizer_2: Any
    info: CheckpointInfo
    latent_mean: torch.Tensor
    latent_std: torch.Tensor
    hashes: Mapping[str, str] = field(default_factory=dict)
    loras: tuple[Mapping[str, Any], ...] = ()

    @property
    def device(self) -> torch.device:
        """Where the components live."""
        device: torch.device = self.unet.device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of UNet and text encoders."""
        dtype: torch.dtype = self.unet.dtype
        return dtype

    @property
    def max_tokens(self) -> int:
        """Positions of the text encoders, begin and end tokens included (77 for SDXL)."""
        return int(self.text_encoder.config.max_position_embeddings)

    @property
    def latent_factor(self) -> int:
        """Pixels per latent cell along one side (8 for SDXL)."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


def load_parts(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Parts:
    """Load all components of a checkpoint folder from local files alone.

    Args:
        folder: a diffusers SDXL folder with ``checkpoint.json``.
        device: a torch device name.
        dtype: of UNet and text encoders, whatever is stored in the files.

    Raises CheckpointError naming the tensor, file or config field that is wrong.
    """
    folder = Path(folder)
    info = read_checkpoint(folder)
    vae = _load_diffusers(AutoencoderKL, folder / "vae", device, torch.float32)
    mean, std = _latent_scaling(info, vae)
    parts = Parts(
        unet=_load_diffusers(UNet2DConditionModel, folder / "unet", device, dtype),
        vae=vae,
        text_encoder=_load_text(CLIPTextModel, folder / "text_encoder", device, dtype),
        text_encoder_2=_load_text(CLIPTextModelWithProjection, folder / "text_encoder_2", device, dtype),
        tokenizer=_load_tokenizer(folder / "tokenizer"),
        tokenizer_2=_load_tokenizer(folder / "tokenizer_2"),
        info=info,
        latent_mean=mean.to(device),
        latent_std=std.to(device),
    )
    for problem in _disagreements(parts):
        raise CheckpointError(f"{folder}: {problem}")
    return parts


def _load_diffusers(kind: Any, folder: Path, device: str, dtype: torch.dtype) -> Any:
    config = read_json(folder / "config.json")
    named = config.get("_class_name")
    if named != kind.__name__:
        raise CheckpointError(f"{folder}/config.json: _class_name is {named!r}, not {kind.__name__!r}")
    with torch.device("meta"):
        module = _build(folder, lambda: kind.from_config(config))
    return _fill(module, folder, device, dtype)


def _load_text(kind: Any, folder: Path, device: str, dtype: torch.dtype) -> Any:
    config = read_json(folder / "config.json")
    with torch.device("meta"):
        module = _build(folder, lambda: kind(CLIPTextConfig.from_dict(config, attn_implementation="sdpa")))
    text = getattr(module, "text_model", module)
    # The one buffer that is never stored: it counts positions, and would stay on the meta device.
    text.embeddings.position_ids = torch.arange(module.config.max_position_embeddings, device=device).expand(1, -1)
    return _fill(module, folder, device, dtype)


def _build(folder: Path, build: Any) -> Any:
    try:
        return build()
    except (TypeError, ValueError, KeyError, AttributeError, ZeroDivisionError) as error:
        raise CheckpointError(f"{folder}/config.json describes no buildable component: {error}") from error


def _fill(module: Any, folder: Path, device: str, dtype: torch.dtype) -> Any:
    wanted = module.state_dict()
    stored = _read_tensors(folder, set(wanted))
    _refuse(folder, "lacks", sorted(wanted.keys() - stored.keys()))
    _refuse(folder, "has unexpected", sorted(stored.keys() - wanted.keys()))
    _refuse(folder, "has misshapen", [f"{k} {list(v.shape)}" for k, v in stored.items() if v.shape != wanted[k].shape])
    # A copy, so that the weights are aligned memory of our own and not a view of the file.
    tensors = {key: value.to(device=device, dtype=dtype, copy=True) for key, value in stored.items()}
    _refuse(folder, "has NaN or infinity in", [k for k, v in tensors.items() if not bool(torch.isfinite(v).all())])
    module.load_state_dict(tensors, strict=True, assign=True)
    _refuse(folder, "left on the meta device", [key for key, value in _tensors(module) if value.is_meta])
    return module.eval()


def _read_tensors(folder: Path, wanted: set[str]) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            tensors = load_file(file)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file} cannot be read ({error}); copy the checkpoint again") from error
        for stored_name, tensor in tensors.items():
            name = _own_name(stored_name, wanted)
            if name in found:
                raise CheckpointError(f"{folder} holds tensor {name} twice; keep one set of weights in the folder")
            if not name.endswith("embeddings.position_ids"):  # stored by old transformers, computed now
                found[name] = tensor
    return found


def _own_name(stored: str, wanted: set[str]) -> str:
    """Versions of transformers differ in writing CLIP text encoders with or without ``text_model.`` in front."""
    for name in (stored, stored.removeprefix(TEXT_PREFIX), TEXT_PREFIX + stored):
        if name in wanted:
            return name
    return stored


def _tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


def _refuse(folder: Path, what: str, names: list[str]) -> None:
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise CheckpointError(f"{folder} {what} tensors: {', '.join(names[:3])}{more}; save the checkpoint again")


def _load_tokenizer(folder: Path) -> Any:
    try:
        return CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # the tokenizers library raises bare Exception for a damaged file
        raise CheckpointError(f"{folder} holds no readable CLIP tokenizer: {error}") from error


def _latent_scaling(info: CheckpointInfo, vae: Any) -> tuple[torch.Tensor, torch.Tensor]:
    channels = int(vae.config.latent_channels)
    mean = info.latent_mean or (0.0,) * channels
    std = info.latent_std or (1.0 / float(vae.config.scaling_factor),) * channels
    if not len(mean) == len(std) == channels:
        raise CheckpointError(f"{info.folder}: latent_mean and latent_std need {channels} numbers, one a channel")
    return torch.tensor(mean).view(1, -1, 1, 1), torch.tensor(std).view(1, -1, 1, 1)


def _disagreements(parts: Parts) -> Iterator[str]:
    """What diffusers would only notice (or not notice) in the middle of rendering."""
    one, two, unet = parts.text_encoder.config, parts.text_encoder_2.config, parts.unet.config
    if one.hidden_size == two.hidden_size:
        yield f"both text encoders are {one.hidden_size} wide; widths must differ or tools confuse the two"
    if one.max_position_embeddings != two.max_position_embeddings:
        yield f"text encoders have {one.max_position_embeddings} and {two.max_position_embeddings} positions"
    if unet.cross_attention_dim != one.hidden_size + two.hidden_size:
        yield f"UNet cross_attention_dim {unet.cross_attention_dim} is not {one.hidden_size} + {two.hidden_size}"
    if unet.in_channels != parts.vae.config.latent_channels:
        yield f"UNet takes {unet.in_channels} channels, the VAE gives {parts.vae.config.latent_channels}"
    if unet.addition_embed_type != "text_time":
        yield f"UNet addition_embed_type is {unet.addition_embed_type!r}; SDXL needs 'text_time'"
    elif unet.projection_class_embeddings_input_dim != two.projection_dim + 6 * unet.addition_time_embed_dim:
        yield "UNet projection_class_embeddings_input_dim is not projection_dim + 6 * addition_time_embed_dim"
    yield from _token_disagreements("text_encoder", one, parts.tokenizer)
    yield from _token_disagreements("text_encoder_2", two, parts.tokenizer_2)


def _token_disagreements(name: str, config: Any, tokenizer: Any) -> Iterator[str]:
    highest = max(tokenizer.get_vocab().values())
    if highest >= config.vocab_size:
        yield f"{name} embeds {config.vocab_size} tokens, its tokenizer has id {highest}"
    # CLIP pools at the end token; a wrong id silently pools at the begin token, the same for all prompts.
    # Ids from before transformers 4.31 say 2 and pool at the highest id.
    pooled = highest if config.eos_token_id == LEGACY_EOS else config.eos_token_id
    if pooled != tokenizer.eos_token_id:
        yield f"{name} pools at token {pooled}, its tokenizer ends texts with {tokenizer.eos_token_id}"
