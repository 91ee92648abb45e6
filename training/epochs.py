"""What each epoch of a run leaves in its folder: a whole checkpoint, or a LoRA's file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generation.loading import Parts
from training.adapters import Adapters
from training.checkpoint import identity, write_checkpoint
from training.config import Preset
from training.lora_file import write_lora
from training.state import prune_checkpoints


class Epochs:
    """The epochs' checkpoints of one run."""

    def __init__(self, out: Path, preset: Preset, base: Parts, adapters: Adapters | None, run: str,
                 dataset: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:  # fmt: skip
        """``dataset`` is what the run says of its data; ``manifest`` is the data set's own."""
        self._out, self._preset, self._adapters = out, preset, adapters
        self._base = base
        info = base.info
        styles = [style["attribution"] for style in manifest["styles"]]
        self._told: dict[str, Any] = {
            "run": run,
            "preset": preset.name,
            "parent": info.sha256,
            "licence": preset.licence or info.licence,
            "attribution": "; ".join(dict.fromkeys(filter(None, [info.attribution, *styles]))),
            "dataset": dataset,
            "prepare": manifest.get("prepare"),
        }

    def path(self, epoch: int) -> Path:
        """Where that of ``epoch`` (1-based) lies: a folder, or the LoRA's file."""
        return self._out / f"epoch-{epoch:02d}{'.safetensors' if self._adapters else ''}"

    def write(self, parts: Parts, epoch: int, step: int, config: Mapping[str, Any]) -> str:
        """Write that of ``epoch``, which ended with ``step``; returns what it hashes to.

        Raises:
            UserError: the disk is full or not writable.
        """
        name = f"{self._preset.title} epoch {epoch}"
        fields = identity(self._base, epoch=epoch, step=step, name=name, config=config, **self._told)
        if self._adapters:
            return write_lora(self.path(epoch), self._adapters, parts.info, fields)
        return write_checkpoint(self.path(epoch), parts, fields).sha256

    def prune(self, epoch: int) -> list[Path]:
        """Delete what the preset does not keep of the first ``epoch`` epochs; returns what is gone."""
        config = self._preset.diffusion
        return prune_checkpoints([self.path(number) for number in range(1, epoch + 1)], config.keep, config.keep_every)
