"""The Manifest: everything needed to render an image again and to tell what differs when it comes out different.

No torch is imported here; what only torch knows (threads, instruction set, device) is passed in.
"""

import json
import platform
from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from generation.canonical import canonical_json
from generation.checkpoint import CheckpointInfo

SCHEMA = 2
READABLE = (1, 2)
IMPORTED = "imported"  # the mode of an image that was not rendered here and cannot be
MAX_BYTES = 8191
CPU_INFO = Path("/proc/cpuinfo")
PACKAGES = ("torch", "diffusers", "transformers", "tokenizers", "numpy", "pillow")
A1111_SAMPLERS = {"euler_a": "Euler a", "euler": "Euler", "dpmpp_2m": "DPM++ 2M"}
A1111_SCHEDULES = {"karras": "Karras"}


def environment(*, threads: int, device: str, cpu_capability: str, compiled: str | bool = False) -> dict[str, Any]:
    """What decides the last bits of a pixel besides the Manifest's other fields."""
    return {
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "machine": platform.machine(),
        "processor": processor(),
        "cpu_capability": cpu_capability,
        "device": device,
        "threads": threads,
        "attention": "sdpa",
        "compiled": compiled,
    }


def checkpoint_record(info: CheckpointInfo) -> dict[str, Any]:
    """The part of ``checkpoint.json`` that goes into a Manifest."""
    names = ("sha256", "name", "run", "epoch", "step", "prediction_type", "zero_snr", "pad_mask")
    return {name: getattr(info, name) for name in names}


def manifest_json(manifest: Mapping[str, Any]) -> str:
    """Canonical JSON of a Manifest. The renderer refuses requests whose text would make it longer than `MAX_BYTES`."""
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


def recorded_in(stored: Mapping[str, Any], again: Mapping[str, Any]) -> dict[str, Any]:
    """``again`` without what an older Manifest had no field for, so that both can be compared."""
    kept = {key: value for key, value in again.items() if key in stored}
    nested = {key: recorded_in(stored[key], value) for key, value in kept.items() if isinstance(value, Mapping)}
    return {**kept, **nested}


def as_schema_1(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """A Manifest in the first generation's form, which listed the ids of both text encoders."""
    older = {**manifest, "schema": 1}
    for name in ("tokens", "negative_tokens"):
        first, second = manifest[name]["ids"]
        older[name] = {**manifest[name], "ids": [first, first if second is None else second]}
    return older


def a1111_parameters(manifest: Mapping[str, Any]) -> str:
    """The same in the text form that the AUTOMATIC1111 web UI and its many readers understand."""
    recipe, checkpoint = manifest["recipe"], manifest["checkpoint"]
    lines = [manifest.get("sent_prompt", manifest["prompt"])]
    if recipe["negative_prompt"]:
        lines.append(f"Negative prompt: {recipe['negative_prompt']}")
    settings = {
        "Steps": recipe["steps"],
        "Sampler": A1111_SAMPLERS[recipe["sampler"]],
        "Schedule type": A1111_SCHEDULES.get(recipe.get("spacing", "")),
        "CFG scale": recipe["cfg"],
        "Seed": manifest["seed"],
        "Size": f"{recipe['width']}x{recipe['height']}",
        "Model hash": checkpoint["sha256"][:10],
        "Model": checkpoint["name"],
        "VAE hash": manifest.get("components", {}).get("vae", "")[:10] or None,
        "Version": f"illustration-arena {_version('illustration-arena')}",
    }
    lines.append(", ".join(f"{key}: {_quoted(value)}" for key, value in settings.items() if value is not None))
    return "\n".join(lines)


def _quoted(value: object) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return json.dumps(text, ensure_ascii=False) if any(mark in text for mark in ',:\n"') else text


@cache
def processor() -> str:
    """Vendor, family, model and name of the CPU: libraries choose kernels by them, beyond the instruction set."""
    if not CPU_INFO.is_file():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in CPU_INFO.read_text(encoding="utf-8").split("\n\n")[0].splitlines())
    said = {name.strip(): value.strip() for name, _, value in lines}
    words = [said.get(name, "") for name in ("vendor_id", "cpu family", "model", "model name")]
    return " ".join(filter(None, words)) or platform.machine()


@cache
def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
