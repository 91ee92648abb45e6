"""The command lines that render a sample again, made from what its manifest recorded (docs/gallery.md)."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings

from arena.gallery.models import Sample


def render_command(sample: Sample, *, trusted: bool) -> str:
    """`python -m generation render …`: the same pixels, where device and versions are those of the manifest.

    Every field of the recipe is spelled out, so that neither the checkpoint's own recipe nor a default decides.
    """
    folder = place_of(sample.contestant.checkpoint.folder, trusted=trusted)
    asked = {"prompt": sample.manifest.get("prompt", sample.prompt.text), "seed": sample.seed}
    options = {**asked, **asdict(sample.contestant.frozen_recipe()), **_lora(sample, trusted=trusted)}
    return _line("render", folder, {**options, **_environment(sample.manifest), "out": "again"})


def verify_command(sample: Sample, *, trusted: bool) -> str:
    """`python -m generation verify …`: render the downloaded archive again and compare pixel by pixel."""
    device = {name: value for name, value in _environment(sample.manifest).items() if name == "device"}
    folder = place_of(sample.contestant.checkpoint.folder, trusted=trusted)
    return _line("verify", file_name(sample), {"checkpoint": folder, **_lora(sample, trusted=trusted), **device})


def file_name(sample: Sample) -> str:
    """What the archive is called where it is downloaded."""
    return f"sample-{sample.pk}.png"


def place_of(there: str, *, trusted: bool) -> str:
    """A checkpoint's folder or a LoRA's file as a visitor may know it: within the project's own folder, else only for
    the trusted."""
    path = Path(there)
    if path.is_relative_to(settings.BASE_DIR):
        return str(path.relative_to(settings.BASE_DIR))
    return str(path) if trusted else f"PATH/{path.name}"


def _lora(sample: Sample, *, trusted: bool) -> dict[str, str]:
    contestant = sample.contestant
    if contestant.lora is None:
        return {}
    return {"lora": f"{place_of(contestant.lora.file, trusted=trusted)}:{contestant.lora_scale}"}


def _environment(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the last bits besides the recipe, as options; nothing for what the manifest does not say."""
    recorded = manifest.get("environment", {})
    found = {
        "device": str(recorded.get("device", "")).partition(" ")[0],
        "dtype": manifest.get("dtype"),
        "threads": recorded.get("threads"),
        "compile": recorded.get("compiled"),
    }
    return {name: value for name, value in found.items() if value}


def _line(verb: str, first: str, options: Mapping[str, Any]) -> str:
    # --name=value, for a prompt may begin with a dash.
    given = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    return shlex.join(["python", "-m", "generation", verb, first, *given])
