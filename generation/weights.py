"""Read the tensors of a component strictly, from a component folder or from a single file, and hash them.

A source answers `read(component, wanted, config)` with tensors under our names, as they are stored. Every refusal
names the tensor.
"""

import hashlib
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from generation.errors import CheckpointError
from generation.families import Family
from generation.keymap import Place, is_ignored, places

Tensors = dict[str, torch.Tensor]
TEXT_PREFIX = "text_model."


class Source(Protocol):
    """Where a checkpoint's tensors come from."""

    def read(self, component: str, wanted: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> Tensors:
        """The component's tensors by our names. Raises CheckpointError for missing, unexpected or misshapen ones."""
        ...

    def finish(self) -> None:
        """Raise CheckpointError for a tensor that no component asked for."""
        ...


class FolderSource:
    """A diffusers folder: one subfolder of safetensors for each component."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, component: str, wanted: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> Tensors:
        folder = self._folder / component
        stored = _read_folder(folder, set(wanted))
        check_names(folder, wanted, {name: value.shape for name, value in stored.items()})
        return stored

    def finish(self) -> None:
        """Nothing: a folder's files belong to one component, and `read` has looked at all of them."""


class SingleFile:
    """One .safetensors file with all components under the names of Stability AI's code."""

    def __init__(self, path: Path, family: Family) -> None:
        self._path = path
        self._family = family
        self._asked: set[str] = set()

    def read(self, component: str, wanted: Mapping[str, torch.Tensor], config: Mapping[str, Any]) -> Tensors:
        found = places(component, wanted, config, self._family)
        self._asked |= {place.name for place in found.values()}
        try:
            with safe_open(self._path, framework="pt") as file:
                keys = set(file.keys())
                refuse(self._path, "lacks", sorted({place.name for place in found.values()} - keys))
                tensors = {name: _take(file.get_tensor(place.name), place) for name, place in found.items()}
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{self._path} cannot be read ({error}); copy the checkpoint again") from error
        named = {found[name].name: value.shape for name, value in tensors.items() if value.shape != wanted[name].shape}
        refuse(self._path, "has misshapen", [f"{key} {list(shape)}" for key, shape in named.items()])
        return tensors

    def finish(self) -> None:
        """Raise CheckpointError for a tensor that no component asked for."""
        with safe_open(self._path, framework="pt") as file:
            left = sorted(key for key in file.keys() if key not in self._asked and not is_ignored(key))  # noqa: SIM118
        refuse(self._path, "has unexpected", left)


def as_single_file(component: str, tensors: Tensors, config: Mapping[str, Any], family: Family) -> Tensors:
    """The same tensors under the names and in the forms of a single file: the inverse of `SingleFile.read`."""
    found = places(component, tensors, config, family)
    by_key: dict[str, list[tuple[Place, torch.Tensor]]] = {}
    for name, tensor in tensors.items():
        by_key.setdefault(found[name].name, []).append((found[name], tensor))
    return {key: _put(parts) for key, parts in by_key.items()}


def check_finite(where: Path, tensors: Tensors) -> None:
    """Raise CheckpointError naming the tensors with NaN or infinity in them."""
    refuse(where, "has NaN or infinity in", [k for k, v in tensors.items() if not bool(torch.isfinite(v).all())])


def check_names(where: Path, wanted: Mapping[str, torch.Tensor], shapes: Mapping[str, torch.Size]) -> None:
    """Raise CheckpointError unless exactly the wanted tensors are there, in their shapes."""
    refuse(where, "lacks", sorted(wanted.keys() - shapes.keys()))
    refuse(where, "has unexpected", sorted(shapes.keys() - wanted.keys()))
    refuse(where, "has misshapen", [f"{k} {list(v)}" for k, v in shapes.items() if v != wanted[k].shape])


def refuse(where: Path, what: str, names: list[str]) -> None:
    """Raise CheckpointError listing the first three names, if there are any."""
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        raise CheckpointError(f"{where} {what} tensors: {', '.join(names[:3])}{more}; save the checkpoint again")


def tensors_sha256(tensors: Mapping[str, torch.Tensor]) -> str:
    """Hash of the sorted lines ``name dtype shape sha256-of-bytes``: equal for equal weights, in whatever file.

    The bytes of the tensors are hashed in threads, one tensor each.
    """
    names = sorted(tensors)
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(lambda name: _bytes_sha256(tensors[name]), names))
    lines = [
        f"{name} {tensors[name].dtype} {list(tensors[name].shape)} {digest}\n"
        for name, digest in zip(names, hashes, strict=True)
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def tensor_bytes(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes that the tensors hold."""
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _bytes_sha256(tensor: torch.Tensor) -> str:
    flat = tensor.contiguous().reshape(-1).view(torch.uint8)
    return hashlib.sha256(flat.numpy().data).hexdigest()


def _take(stored: torch.Tensor, place: Place) -> torch.Tensor:
    if place.third is not None:
        stored = stored.chunk(3)[place.third]
    if place.form == "transposed":
        stored = stored.T
    elif place.form == "conv":
        stored = stored.flatten(1)  # files of both kinds exist: (C, C, 1, 1) and (C, C)
    return stored.contiguous()


def _put(parts: list[tuple[Place, torch.Tensor]]) -> torch.Tensor:
    place, tensor = parts[0]
    if place.third is not None:
        return torch.cat([value for _, value in sorted(parts, key=lambda part: part[0].third or 0)])
    if place.form == "transposed":
        return tensor.T.contiguous()
    return tensor[:, :, None, None].contiguous() if place.form == "conv" else tensor.contiguous()


def _read_folder(folder: Path, wanted: set[str]) -> Tensors:
    found: Tensors = {}
    for file in sorted(folder.glob("*.safetensors")):
        try:
            tensors = load_file(file)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{file} cannot be read ({error}); copy the checkpoint again") from error
        for stored_name, tensor in tensors.items():
            name = _own_name(stored_name, wanted)
            if name in found:
                raise CheckpointError(f"{folder} holds tensor {name} twice; keep one set of weights in the folder")
            if not name.endswith("embeddings.position_ids"):  # stored by old transformers, computed now
                found[name] = tensor
    return found


def _own_name(stored: str, wanted: set[str]) -> str:
    """Versions of transformers differ in writing CLIP text encoders with or without ``text_model.`` in front."""
    for name in (stored, stored.removeprefix(TEXT_PREFIX), TEXT_PREFIX + stored):
        if name in wanted:
            return name
    return stored
