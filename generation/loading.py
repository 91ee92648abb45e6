"""Load a checkpoint strictly: every tensor present, expected, finite, of the asked dtype, and nothing fetched.

The loaders of diffusers and transformers accept a file with missing, extra or NaN tensors; an arena that compares
checkpoints must not. So the modules are built from their configs on the meta device (no random initialisation, no
second copy in memory), and the stored tensors are assigned one by one after they were checked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTokenizer
from transformers.models.clip.modeling_clip import CLIPTextModel, CLIPTextModelWithProjection

from generation.canonical import canonical_sha256
from generation.checkpoint import CheckpointInfo, read_checkpoint, read_json
from generation.errors import CheckpointError
from generation.families import Family
from generation.lora import merge, read_lora
from generation.lora_file import LoraRef
from generation.single import read_single
from generation.store import ComponentStore
from generation.weights import FolderSource, SingleFile, Source, Tensors, check_finite, refuse, tensors_sha256

LEGACY_EOS = 2


@dataclass(frozen=True, slots=True)
class Parts:
    """The components of one checkpoint, in eval mode, ready to run or to train.

    A family with one text encoder has None as ``text_encoder_2`` and ``tokenizer_2``.

    UNet and text encoders have the asked dtype; the VAE is float32 always, because it overflows in float16.
    ``latent_mean`` and ``latent_std``, both (1, C, 1, 1) float32, translate between the VAE and the UNet:
    ``unet_latent = (vae_latent - latent_mean) / latent_std``. ``hashes`` are those of the components' tensors as they
    were stored, before ``loras`` were added.
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
    def family(self) -> Family:
        """What the components are."""
        return self.info.family

    @property
    def encoders(self) -> tuple[tuple[Any, Any], ...]:
        """Each tokenizer with its text encoder."""
        names = zip(self.family.tokenizers, self.family.text_encoders, strict=True)
        return tuple((getattr(self, tokenizer), getattr(self, encoder)) for tokenizer, encoder in names)

    @property
    def device(self) -> torch.device:
        """Where the components live."""
        # Not diffusers' own property: it walks through all modules, which a training step feels.
        device: torch.device = next(self.unet.parameters()).device
        return device

    @property
    def dtype(self) -> torch.dtype:
        """Number format of UNet and text encoders."""
        dtype: torch.dtype = self.unet.dtype
        return dtype

    @property
    def max_tokens(self) -> int:
        """Positions of the text encoders, begin and end tokens included (77 for CLIP)."""
        return int(self.text_encoder.config.max_position_embeddings)

    @property
    def latent_factor(self) -> int:
        """Pixels per latent cell along one side (8 for Stable Diffusion)."""
        return int(2 ** (len(self.vae.config.block_out_channels) - 1))


@dataclass(frozen=True, slots=True)
class Origin:
    """Which checkpoint, and how it is to be read.

    Attributes:
        path: a checkpoint folder, or a single .safetensors file.
        like: for a single file, a diffusers folder of its family with the configs and tokenizers.
        prediction_type: for a single file, above what it says of itself.
        loras: added to the weights, in order.
    """

    path: Path
    like: Path | None = None
    prediction_type: str | None = None
    loras: tuple[LoraRef, ...] = ()


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint as it is on disk: its modules, empty, and by component its config and its tensors, as stored.

    ``layout`` is the folder that configs and tokenizers came from.
    """

    info: CheckpointInfo
    layout: Path
    modules: Mapping[str, Any]
    configs: Mapping[str, dict[str, Any]]
    tensors: dict[str, Tensors]


@dataclass(frozen=True, slots=True)
class Loaded:
    """A checkpoint that passed every check: empty modules on the meta device and the weights that belong into them.

    ``keys`` names each component's weights in a store: what they hash to, what was added, and their dtype.
    """

    parts: Parts
    keys: Mapping[str, str]
    weights: Mapping[str, Tensors]


def load_parts(folder: Path, *, device: str = "cpu", dtype: torch.dtype = torch.float32) -> Parts:
    """Load all components of a checkpoint folder from local files alone.

    Args:
        folder: a diffusers folder with ``checkpoint.json``.
        device: a torch device name.
        dtype: of UNet and text encoders, whatever is stored in the files.

    Raises CheckpointError naming the tensor, file or config field that is wrong.
    """
    return assemble(load(Origin(Path(folder)), dtype=dtype), device)


def read_stored(origin: Origin) -> Stored:
    """Read what is on disk, every tensor accounted for; values are not looked at, LoRAs not added.

    Raises CheckpointError naming the tensor, file or config field that is wrong.
    """
    info, layout, source = _open(origin)
    modules = {name: build(name, layout / name) for name in info.family.components}
    configs = {name: read_json(layout / name / "config.json") for name in modules}
    tensors = {name: source.read(name, module.state_dict(), configs[name]) for name, module in modules.items()}
    source.finish()
    return Stored(info, layout, modules, configs, tensors)


def load(origin: Origin, *, dtype: torch.dtype = torch.float32, store: ComponentStore | None = None) -> Loaded:
    """Read and check everything of a checkpoint; nothing of a refused one reaches the ``store``.

    Raises CheckpointError naming the tensor, file or config field that is wrong.
    """
    stored = read_stored(origin)
    info, layout, modules = stored.info, stored.layout, stored.modules
    hashes = {name: tensors_sha256(tensors) for name, tensors in stored.tensors.items()}
    loras = [read_lora(ref) for ref in origin.loras]
    changed = merge(loras, {name: stored.tensors[name] for name in info.family.adapted}, stored.configs)
    keys, weights = {}, {}
    for name in info.family.components:
        kept = torch.float32 if name == "vae" else dtype
        merged = {**stored.tensors.pop(name), **changed.get(name, {})}
        # A copy, so that the weights are aligned memory of our own and not a view of the file.
        weights[name] = {key: value.to(dtype=kept, copy=True) for key, value in merged.items()}
        check_finite(origin.path / name if origin.path.is_dir() else origin.path, weights[name])
        added = [lora.record for lora in loras] if name in changed else []
        keys[name] = canonical_sha256([hashes[name], added, str(kept)])
    mean, std = _latent_scaling(info, modules["vae"])
    tokenizers = {name: _load_tokenizer(layout / name) for name in info.family.tokenizers}
    parts = Parts(
        **{"text_encoder_2": None, "tokenizer_2": None, **modules, **tokenizers},
        info=info,
        latent_mean=mean,
        latent_std=std,
        hashes=hashes,
        loras=tuple(lora.record for lora in loras),
    )
    for problem in _disagreements(parts):
        raise CheckpointError(f"{layout}: {problem}")
    if store is not None:
        weights = {name: store.put(keys[name], tensors) for name, tensors in weights.items()}
    return Loaded(parts, keys, weights)


def assemble(loaded: Loaded, device: str = "cpu", *, own: Sequence[str] = ()) -> Parts:
    """Put the weights into the modules, on the device.

    Args:
        own: components whose weights are copied even where they are on the device already, to be changed later.
    """
    parts = loaded.parts
    for name in parts.family.components:
        module = getattr(parts, name)
        weights = {key: value.to(device, copy=name in own) for key, value in loaded.weights[name].items()}
        module.load_state_dict(weights, strict=True, assign=True)
        if name.startswith("text_encoder"):
            text = getattr(module, "text_model", module)
            # The one buffer that is never stored: it counts positions, and would stay on the meta device.
            positions = torch.arange(module.config.max_position_embeddings, device=device)
            text.embeddings.position_ids = positions.expand(1, -1)
        refuse(parts.info.folder, "left on the meta device", [key for key, value in _tensors(module) if value.is_meta])
        module.eval()
    return replace(parts, latent_mean=parts.latent_mean.to(device), latent_std=parts.latent_std.to(device))


def _open(origin: Origin) -> tuple[CheckpointInfo, Path, Source]:
    """What the checkpoint says of itself, where its configs are, and where its weights are."""
    if not origin.path.is_dir() and origin.path.suffix:
        info = read_single(origin.path, origin.like, origin.prediction_type)
        layout = origin.like or origin.path
        return info, layout, SingleFile(origin.path, info.family)
    info = read_checkpoint(origin.path)
    if origin.prediction_type not in (None, info.prediction_type):
        raise CheckpointError(f"{origin.path} is sealed as {info.prediction_type}; seal it anew to change that")
    return info, origin.path, FolderSource(origin.path)


def build(component: str, folder: Path) -> Any:
    """The component on the meta device, after its config. Raises CheckpointError for a config that builds none."""
    config = read_json(folder / "config.json")
    with torch.device("meta"):
        try:
            if component.startswith("text_encoder"):
                return TEXT_KINDS[component](CLIPTextConfig.from_dict(config, attn_implementation="sdpa"))
            kind = DIFFUSERS_KINDS[component]
            named = config.get("_class_name")
            if named != kind.__name__:
                raise CheckpointError(f"{folder}/config.json: _class_name is {named!r}, not {kind.__name__!r}")
            return kind.from_config(config)
        except (TypeError, ValueError, KeyError, AttributeError, ZeroDivisionError) as error:
            raise CheckpointError(f"{folder}/config.json describes no buildable component: {error}") from error


DIFFUSERS_KINDS: dict[str, Any] = {"unet": UNet2DConditionModel, "vae": AutoencoderKL}
TEXT_KINDS: dict[str, Any] = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}


def _tensors(module: torch.nn.Module) -> Iterator[tuple[str, torch.Tensor]]:
    yield from module.named_parameters()
    yield from module.named_buffers()


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
    texts, unet = [encoder.config for _, encoder in parts.encoders], parts.unet.config
    widths, positions = [text.hidden_size for text in texts], [text.max_position_embeddings for text in texts]
    if len(set(widths)) < len(widths):
        yield f"both text encoders are {widths[0]} wide; widths must differ or tools confuse the two"
    if len(set(positions)) > 1:
        yield f"text encoders have {' and '.join(map(str, positions))} positions"
    if unet.cross_attention_dim != sum(widths):
        yield f"UNet cross_attention_dim {unet.cross_attention_dim} is not {' + '.join(map(str, widths))}"
    if unet.in_channels != parts.vae.config.latent_channels:
        yield f"UNet takes {unet.in_channels} channels, the VAE gives {parts.vae.config.latent_channels}"
    wanted = "text_time" if parts.family.pooled else None
    if unet.addition_embed_type != wanted:
        yield f"UNet addition_embed_type is {unet.addition_embed_type!r}; {parts.family.name} needs {wanted!r}"
    elif wanted and unet.projection_class_embeddings_input_dim != (
        texts[-1].projection_dim + 6 * unet.addition_time_embed_dim
    ):
        yield "UNet projection_class_embeddings_input_dim is not projection_dim + 6 * addition_time_embed_dim"
    for name, (tokenizer, encoder) in zip(parts.family.text_encoders, parts.encoders, strict=True):
        yield from _token_disagreements(name, encoder.config, tokenizer)


def _token_disagreements(name: str, config: Any, tokenizer: Any) -> Iterator[str]:
    highest = max(tokenizer.get_vocab().values())
    if highest >= config.vocab_size:
        yield f"{name} embeds {config.vocab_size} tokens, its tokenizer has id {highest}"
    # CLIP pools at the end token; a wrong id silently pools at the begin token, the same for all prompts.
    # Ids from before transformers 4.31 say 2 and pool at the highest id.
    pooled = highest if config.eos_token_id == LEGACY_EOS else config.eos_token_id
    if pooled != tokenizer.eos_token_id:
        yield f"{name} pools at token {pooled}, its tokenizer ends texts with {tokenizer.eos_token_id}"
