"""What peft says of a LoRA beside its tensors: the settings in the header, or in ``adapter_config.json``. No torch.

Names in ``rank_pattern`` and ``alpha_pattern`` are regular expressions for the end of a layer's name, as in peft.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generation.checkpoint import read_json
from generation.errors import CheckpointError
from generation.lora_names import PEFT

HEADER = "lora_adapter_metadata"
BESIDE = "adapter_config.json"


class Settings:
    """Alphas of layers that have no tensor for it."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Of a file with this header. Raises CheckpointError for settings that are no JSON object."""
        self._path = path
        self._said: dict[str, Any] = {}
        if HEADER in metadata:
            self._said = _parsed(path, metadata[HEADER])
        elif (path.parent / BESIDE).is_file():
            said = read_json(path.parent / BESIDE)
            self._said = {f"base_model.model.{name}": value for name, value in said.items()}

    def alpha(self, name: str) -> float | None:
        """Alpha of a layer, None where nothing is said: it is the rank then.

        Raises CheckpointError for a kind other than plain LoRA, and for an alpha that is no number.
        """
        prefix = next((prefix for prefix in PEFT if name.startswith(prefix)), "")
        if self._said.get(f"{prefix}use_rslora") or self._said.get(f"{prefix}use_dora"):
            raise CheckpointError(f"{self._path}: {name} is not of a plain LoRA (use_rslora or use_dora)")
        value = self._pattern(prefix, name.removeprefix(prefix))
        value = self._said.get(f"{prefix}lora_alpha") if value is None else value
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise CheckpointError(f"{self._path}: the alpha of {name} is {value!r}, not a number")
        return None if value is None else float(value)

    def _pattern(self, prefix: str, name: str) -> Any:
        patterns = self._said.get(f"{prefix}alpha_pattern") or {}
        try:
            matching = (value for pattern, value in patterns.items() if re.match(rf"(.*\.)?({pattern})$", name))
            return next(matching, None)
        except (re.error, AttributeError) as error:
            raise CheckpointError(f"{self._path}: alpha_pattern cannot be read ({error})") from error


def settings_text(layers: Mapping[str, Mapping[str, tuple[int, float]]]) -> str:
    """The header's text for (rank, alpha) by component and layer, the layers without ``text_model.``."""
    said: dict[str, Any] = {}
    for component, known in layers.items():
        names = {name: f"^{re.escape(name)}" if component == "unet" else re.escape(name) for name in known}
        rank, ranks = _usual({names[name]: rank for name, (rank, _) in known.items()})
        alpha, alphas = _usual({names[name]: alpha for name, (_, alpha) in known.items()})
        config = {"r": rank, "lora_alpha": alpha, "rank_pattern": ranks, "alpha_pattern": alphas}
        config["target_modules"] = sorted(known)
        said |= {f"{component}.{name}": value for name, value in config.items()}
    return json.dumps(said, sort_keys=True)


def _usual(values: Mapping[str, float]) -> tuple[float, dict[str, float]]:
    """The commonest value, the least of several, and what differs from it."""
    counts = Counter(values.values())
    usual = min(counts, key=lambda value: (-counts[value], value))
    return usual, {name: value for name, value in values.items() if value != usual}


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise CheckpointError(f"{path}: {HEADER} in its header is no JSON object")
    return said
