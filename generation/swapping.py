"""One set of modules on the device, and the weights of one checkpoint after another copied into them.

The modules stay, so a compiled UNet stays compiled, and what two checkpoints share is not copied at all. Terms,
budgets and what was measured stand in docs/swapping.md.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from generation.files import Signature, signature
from generation.loading import Loaded, Origin, Parts, assemble, load
from generation.store import ComponentStore
from generation.weights import Tensors, tensor_bytes

NOTES = frozenset(
    ("_name_or_path", "_diffusers_version", "_use_default_values", "transformers_version", "architectures", "dtype")
)


@dataclass(frozen=True, slots=True)
class Swap:
    """What the last change of checkpoint cost.

    Attributes:
        seconds: from the request to weights in place.
        read: whether files had to be read and checked; otherwise everything came from memory.
        built: whether modules were made anew, because there were none or the architecture differs.
        copied: the components whose weights were copied.
        bytes: how much that was.
    """

    seconds: float
    read: bool
    built: bool
    copied: tuple[str, ...]
    bytes: int


class Swapper:
    """Holds the modules of one architecture on a device; `use` puts another checkpoint's weights into them."""

    def __init__(
        self,
        *,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        store: ComponentStore | None = None,
        device_budget: int = 0,
        compile_backend: str | None = None,
    ) -> None:
        """Nothing is loaded yet.

        Args:
            dtype: of UNet and text encoders.
            store: weights in RAM, perhaps shared with others; without one every change reads files.
            device_budget: bytes of further weights that stay on the device, beside the modules' own.
            compile_backend: compile the UNet by this backend of torch.compile, such as ``inductor``.

        Raises ValueError for a backend that torch does not have.
        """
        self._device = device
        self._dtype = dtype
        self._store = ComponentStore(0) if store is None else store
        self._near = ComponentStore(device_budget, place=lambda tensor: tensor.to(device, copy=True))
        self._device_budget = device_budget
        if compile_backend is not None and compile_backend not in torch.compiler.list_backends(exclude_tags=()):
            known = ", ".join(torch.compiler.list_backends())
            raise ValueError(f"torch.compile has no backend {compile_backend!r}; known are {known}")
        self._compile_backend = compile_backend
        self._seen: dict[Origin, tuple[Signature, Loaded]] = {}
        self._parts: Parts | None = None
        self._held: dict[str, str] = {}
        self.last: Swap | None = None

    def use(self, origin: Origin) -> Parts:
        """The parts with this checkpoint's weights in them; parts given before now hold these weights too.

        Raises CheckpointError, before anything is changed, when the checkpoint is not sound.
        """
        start = time.perf_counter()
        loaded, read = self._load(origin)
        current, changed = self._parts, tuple[str, ...]()
        built = current is None or not _same_architecture(current, loaded.parts)
        if current is None or built:
            self._parts, changed = self._build(loaded), loaded.parts.family.components
        else:
            changed = tuple(name for name in loaded.parts.family.components if self._held[name] != loaded.keys[name])
            for name in changed:
                self._held[name] = ""  # neither, until all of it is copied
                _copy_into(getattr(current, name), self._near_weights(loaded, name))
            self._parts = _with_modules(loaded.parts, current)
        if torch.device(self._device).type == "cuda":
            torch.cuda.synchronize(self._device)
        self._held = dict(loaded.keys)
        size = sum(tensor_bytes(loaded.weights[name].values()) for name in changed)
        self.last = Swap(time.perf_counter() - start, read, built, changed, size)
        return self._parts

    def _load(self, origin: Origin) -> tuple[Loaded, bool]:
        """From memory where the files are those that were checked before, and whether they had to be read."""
        signature = _signature(origin)
        seen = self._seen.get(origin)
        if seen is not None and seen[0] == signature:
            weights = {name: self._store.get(key) for name, key in seen[1].keys.items()}
            found = {name: tensors for name, tensors in weights.items() if tensors is not None}
            if len(found) == len(weights):
                return replace(seen[1], weights=found), False
        loaded = load(origin, dtype=self._dtype, store=self._store)
        # The weights themselves are the store's, or they would never be given up.
        self._seen[origin] = (signature, replace(loaded, weights={}))
        return loaded, True

    def _build(self, loaded: Loaded) -> Parts:
        """Modules of their own memory: what lies in the store is never written to."""
        shared = [name for name, key in loaded.keys.items() if key in self._store]
        # What was loaded is remembered with its modules, which must stay empty.
        empty = {name: copy.deepcopy(getattr(loaded.parts, name)) for name in loaded.parts.family.components}
        parts = assemble(replace(loaded, parts=replace(loaded.parts, **empty)), self._device, own=shared)
        if self._compile_backend is not None:
            parts.unet.compile(backend=self._compile_backend, dynamic=False)
        return parts

    def _near_weights(self, loaded: Loaded, name: str) -> Tensors:
        if not self._device_budget:
            return loaded.weights[name]
        return self._near.put(loaded.keys[name], loaded.weights[name])


def _copy_into(module: Any, weights: Mapping[str, torch.Tensor]) -> None:
    """In place, so that the addresses a compiled program knows stay right."""
    with torch.no_grad():
        for name, own in module.state_dict().items():
            own.copy_(weights[name], non_blocking=True)


def _with_modules(said: Parts, modules: Parts) -> Parts:
    """What one checkpoint says of itself, with the modules that now hold its weights."""
    live = {name: getattr(modules, name) for name in said.family.components}
    device = modules.device
    return replace(said, **live, latent_mean=said.latent_mean.to(device), latent_std=said.latent_std.to(device))


def _same_architecture(one: Parts, other: Parts) -> bool:
    return one.family == other.family and all(
        _config(getattr(one, name)) == _config(getattr(other, name)) for name in one.family.components
    )


def _config(module: Any) -> dict[str, Any]:
    """The settings that shape a module, without the notes that tools add to them."""
    config = module.config.to_dict() if hasattr(module.config, "to_dict") else dict(module.config)
    return {key: value for key, value in config.items() if key not in NOTES}


def _signature(origin: Origin) -> Signature:
    return signature([origin.path, *([origin.like] if origin.like else []), *(ref.path for ref in origin.loras)])
