"""What a CCIP net reads: RGB squashed to a square by PIL's bilinear filter, normalised by CLIP's constants.

The constants are those of CLIP (Radford et al. 2021, `clip/clip.py` of openai/CLIP), which deepghs' nets were trained
with. Mean and deviation 0.5, which others put in their place, move differences by about the threshold
(docs/ccip.md), so they stand in the manifest and a golden array guards them.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from rating.ccip.errors import ContractError

CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
# Stated in a manifest beside the constants, so that a net that was trained otherwise is refused and not fed wrongly.
FIXED = {"resize": "squash", "filter": "bilinear", "background": "white"}
STEPS = 2  # of this code; a change of what it computes raises it, and with it the version of every embedding
CHANNELS = 3

Pixels = NDArray[np.float32]


@dataclass(frozen=True)
class Preprocess:
    """`size` in pixels of both sides; `mean` and `std` of red, green and blue in [0, 1].

    Raises ContractError for a size below 1, other than three channels, or a std that is not positive.
    """

    size: int = 384
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD

    def __post_init__(self) -> None:
        if isinstance(self.size, bool) or not isinstance(self.size, int) or self.size < 1:
            raise ContractError(f"preprocess: size must be a whole number of pixels, not {self.size!r}")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != CHANNELS or not np.isfinite(values).all():
                raise ContractError(f"preprocess: {name} must be three numbers, not {values!r}")
        if min(self.std) <= 0:
            raise ContractError(f"preprocess: std must be positive, not {self.std!r}")

    def stated(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {**asdict(self), **FIXED}

    @cached_property
    def version(self) -> str:
        """16 hex digits: equal where, and only where, the same pixels become the same numbers."""
        text = json.dumps({"steps": STEPS, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @cached_property
    def _table(self) -> NDArray[np.float32]:
        """(256, 3): what each level of a channel becomes, in the precision of dghs-imgutils, to the bit."""
        levels = np.arange(256, dtype=np.float32)[:, None] / np.float32(255.0)
        return ((levels - np.array(self.mean)) / np.array(self.std)).astype(np.float32)

    def __call__(self, image: Image.Image) -> Pixels:
        """(3, size, size) of an RGB image."""
        levels = np.asarray(image.resize((self.size, self.size), Image.Resampling.BILINEAR))
        return np.stack([self._table[:, channel][levels[..., channel]] for channel in range(CHANNELS)])


def preprocess_of(values: Mapping[str, Any]) -> Preprocess:
    """The constants of a manifest; what it leaves out is CLIP's. Raises ContractError for what is not understood."""
    known = {"size", "mean", "std", *FIXED}
    if unknown := set(values) - known:
        raise ContractError(f"preprocess: {sorted(unknown)} is not understood; known are {', '.join(sorted(known))}")
    for name, own in FIXED.items():
        if values.get(name, own) != own:
            raise ContractError(f"preprocess: {name} is {values[name]!r}; this version can {own!r} alone")
    try:
        mean, std = (tuple(map(float, values.get(name, own))) for name, own in (("mean", CLIP_MEAN), ("std", CLIP_STD)))
    except (TypeError, ValueError) as error:
        raise ContractError(f"preprocess: mean and std must be three numbers each ({error})") from error
    return Preprocess(values.get("size", Preprocess.size), mean, std)
