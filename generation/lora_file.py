"""A LoRA file as its header tells it, without torch: how its tensors end, its rank, what it says of itself."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from generation.checkpoint import file_sha256
from generation.errors import CheckpointError
from generation.single import Header, read_header

DOWN = (".lora_down.weight", ".lora_A.weight", ".lora_A.default.weight", ".lora.down.weight")
UP = (".lora_up.weight", ".lora_B.weight", ".lora_B.default.weight", ".lora.up.weight")
ALPHA = (".alpha",)
MAX_SCALE = 10.0


@dataclass(frozen=True, slots=True)
class LoraRef:
    """A LoRA file and how strongly it is added, -10..10. Raises ValueError otherwise."""

    path: Path
    scale: float = 1.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale) or abs(self.scale) > MAX_SCALE:
            raise ValueError(f"the scale of {self.path} must be from -{MAX_SCALE:g} to {MAX_SCALE:g}, got {self.scale}")

    @classmethod
    def parse(cls, text: str) -> "LoraRef":
        """``FILE`` or ``FILE:SCALE``. Raises ValueError for a scale that is no number or out of range."""
        path, colon, scale = text.rpartition(":")
        if not colon or "/" in scale or scale.endswith(".safetensors"):
            path, scale = text, "1"
        try:
            return cls(Path(path), float(scale))
        except ValueError as error:
            raise ValueError(f"{text}: {error}") from error


@dataclass(frozen=True, slots=True)
class LoraInfo:
    """What a file says before its weights.

    Attributes:
        first: the first key of its layers, by which its naming is known.
        ranks: the ranks of its layers, least first.
        metadata: the header's free text, kohya's ``ss_*`` and ModelSpec's ``modelspec.*`` among it.
    """

    path: Path
    sha256: str
    first: str
    layers: int
    ranks: tuple[int, ...]
    metadata: Mapping[str, str]

    @property
    def name(self) -> str:
        """ModelSpec's title, kohya's output name, or the file's."""
        said = (self.metadata.get(key) for key in ("modelspec.title", "ss_output_name"))
        return next((name for name in said if name), self.path.stem)

    @property
    def trained_on(self) -> str:
        """Hash of the checkpoint that it was trained on, where the file says so."""
        return self.metadata.get("ss_new_sd_model_hash", "")


def is_lora(header: Header) -> bool:
    """Whether any of a file's tensors is a LoRA's; `read_lora_info` says whether all of them are."""
    return any(key.endswith((*DOWN, *UP)) for key in header.shapes)


def read_lora_info(path: Path) -> LoraInfo:
    """Raises CheckpointError, naming file and key, unless it is a safetensors file of plain LoRA layers alone."""
    if path.suffix != ".safetensors":
        raise CheckpointError(f"{path} is no .safetensors file; `convert` a pickle to one first")
    header = read_header(path)
    odd = sorted(key for key in header.shapes if not key.endswith((*DOWN, *UP, *ALPHA)))
    if odd:
        raise CheckpointError(f"{path}: tensor {odd[0]} is not of a plain LoRA; only down, up and alpha are known")
    downs = [shape[0] for key, shape in header.shapes.items() if key.endswith(DOWN) and shape]
    if not downs:
        raise CheckpointError(f"{path} holds no LoRA layer")
    return LoraInfo(path, file_sha256(path), min(header.shapes), len(downs), tuple(sorted(set(downs))), header.metadata)
