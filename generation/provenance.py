"""The Manifest: everything needed to render an image again and to tell what differs when it comes out different.

No torch is imported here; what only torch knows (threads, instruction set, device) is passed in.
"""

import json
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from generation.canonical import canonical_json
from generation.checkpoint import CheckpointInfo

SCHEMA = 1
PACKAGES = ("torch", "diffusers", "transformers", "tokenizers", "numpy", "pillow")
A1111_SAMPLERS = {"euler_a": "Euler a", "euler": "Euler"}


def environment(*, threads: int, device: str, cpu_capability: str) -> dict[str, Any]:
    """What decides the last bits of a pixel besides the Manifest's other fields."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "cpu_capability": cpu_capability,
        "device": device,
        "threads": threads,
        "attention": "sdpa",
    }


def checkpoint_record(info: CheckpointInfo) -> dict[str, Any]:
    """The part of ``checkpoint.json`` that goes into a Manifest."""
    names = ("sha256", "name", "run", "epoch", "step", "prediction_type", "pad_mask")
    return {name: getattr(info, name) for name in names}


def manifest_json(manifest: Mapping[str, Any]) -> str:
    """Canonical JSON of a Manifest, under 8 KB for ASCII prompts."""
    return canonical_json(manifest)


def differing_fields(one: Mapping[str, Any], other: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Dotted names of the fields in which two Manifests differ, sorted."""
    names: list[str] = []
    for key in sorted({*one, *other}):
        left, right = one.get(key), other.get(key)
        if isinstance(left, Mapping) and isinstance(right, Mapping):
            names += differing_fields(left, right, f"{prefix}{key}.")
        elif left != right:
            names.append(f"{prefix}{key}")
    return names


def a1111_parameters(manifest: Mapping[str, Any]) -> str:
    """The same in the text form that the AUTOMATIC1111 web UI and its many readers understand."""
    recipe, checkpoint = manifest["recipe"], manifest["checkpoint"]
    lines = [manifest["prompt"]]
    if recipe["negative_prompt"]:
        lines.append(f"Negative prompt: {recipe['negative_prompt']}")
    settings = {
        "Steps": recipe["steps"],
        "Sampler": A1111_SAMPLERS[recipe["sampler"]],
        "CFG scale": recipe["cfg"],
        "Seed": manifest["seed"],
        "Size": f"{recipe['width']}x{recipe['height']}",
        "Model hash": checkpoint["sha256"][:10],
        "Model": checkpoint["name"],
    }
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items()))
    return "\n".join(lines)


def _quoted(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:\n"') else text


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
