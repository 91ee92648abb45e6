"""The learned attribute check: a small CNN with one head per attribute, and the Checker that joins it with the rule."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from training.attributes import PALETTE_PREFIX, VALUES, value_of
from training.attributes_palette import read_colors
from training.dataset.tables import SKINS
from training.errors import UserError

SIZE = 64
WIDTHS = (24, 48, 96, 128)
WEIGHTS_FILE = "checker.safetensors"
INFO_FILE = "checker.json"
REMEDY = "train it with `python -m training attributes --data DATASET --out FOLDER`"
BATCH = 256


class AttributeNet(nn.Module):
    """Four convolutions of stride 2, 64 -> 4 pixels, then one linear head per attribute; 0.31 M parameters."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((3, *WIDTHS), WIDTHS, strict=False):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1), nn.BatchNorm2d(after), nn.ReLU()]
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2))
        flat = WIDTHS[-1] * (SIZE // 2 ** len(WIDTHS)) ** 2
        self.heads = nn.ModuleDict({name: nn.Linear(flat, len(values)) for name, values in VALUES.items()})

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Images (B, 3, 64, 64) in [0, 1] -> attribute: logits (B, number of its values)."""
        features = self.features(images * 2 - 1)
        return {name: head(features) for name, head in self.heads.items()}


def to_tensor(images: Sequence[Image.Image]) -> torch.Tensor:
    """RGB images as (B, 3, 64, 64) floats in [0, 1]; other sizes are resized."""
    arrays = [np.asarray(image.convert("RGB").resize((SIZE, SIZE), Image.Resampling.BILINEAR)) for image in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).float() / 255


@dataclass(frozen=True)
class Checker:
    """Says what pictures show; ``info`` is the content of its ``checker.json``."""

    net: AttributeNet
    info: dict[str, object]

    def predict(self, images: Sequence[Image.Image]) -> list[dict[str, str]]:
        """Each picture's attribute values by the net, and ``palette_`` hair colour, background and skin by the rule."""
        found: list[dict[str, str]] = []
        for start in range(0, len(images), BATCH):
            batch = images[start : start + BATCH]
            learned = predict_tensor(self.net, to_tensor(batch))
            found += [seen | _by_rule(image) for seen, image in zip(learned, batch, strict=True)]
        return found


def predict_tensor(net: AttributeNet, images: torch.Tensor) -> list[dict[str, str]]:
    """The net's most likely value of every attribute, for images (B, 3, 64, 64) in [0, 1]."""
    with torch.inference_mode():
        best = {name: logits.argmax(dim=1).tolist() for name, logits in net.eval()(images).items()}
    return [{name: VALUES[name][indices[row]] for name, indices in best.items()} for row in range(len(images))]


def _by_rule(image: Image.Image) -> dict[str, str]:
    colors = read_colors(image)
    values = {
        "hair_color": f"{colors['hair_color']}_hair",
        "background": f"{colors['background']}_background",
        "skin": value_of(SKINS[colors["skin"]].tags),
    }
    return {PALETTE_PREFIX + name: value for name, value in values.items()}


def load_checker(folder: Path) -> Checker:
    """The checker that ``python -m training attributes`` wrote to ``folder``.

    Raises:
        UserError: a file is missing or damaged, or the checker knows other attribute values than this version's tables.
    """
    for name in (WEIGHTS_FILE, INFO_FILE):
        if not (folder / name).is_file():
            raise UserError(f"{folder / name} is missing: {REMEDY}")
    try:
        info = json.loads((folder / INFO_FILE).read_text("utf-8"))
        weights = load_file(folder / WEIGHTS_FILE)
    except (ValueError, SafetensorError) as error:
        raise UserError(f"{folder} is damaged ({error}): {REMEDY}") from error
    if info.get("values") != {name: list(values) for name, values in VALUES.items()}:
        raise UserError(f"{folder} was trained for other attribute values: {REMEDY}")
    net = AttributeNet()
    net.load_state_dict(weights)
    return Checker(net.eval(), info)
