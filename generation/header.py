"""What our safetensors files say of themselves in their header, beside the keys of other tools. No torch here.

A manifest is one canonical JSON text under one key, and its hash under another: an edited header is noticed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from generation.canonical import canonical_json, canonical_sha256
from generation.errors import CheckpointError

MANIFEST = "illustration_arena.manifest"
MANIFEST_SHA256 = "illustration_arena.manifest_sha256"


def header_of(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The two keys that carry a manifest."""
    return {MANIFEST: canonical_json(manifest), MANIFEST_SHA256: canonical_sha256(manifest)}


def manifest_in(metadata: Mapping[str, str], path: Path) -> dict[str, Any]:
    """The manifest in a file's header; empty where there is none.

    Raises CheckpointError where it is not the one that its hash names.
    """
    if MANIFEST not in metadata:
        return {}
    try:
        manifest = json.loads(metadata[MANIFEST])
    except ValueError:
        manifest = None
    if not isinstance(manifest, dict) or canonical_sha256(manifest) != metadata.get(MANIFEST_SHA256):
        raise CheckpointError(f"{path}: {MANIFEST} is not what its hash names: the header was edited; restore the file")
    return manifest
