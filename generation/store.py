"""Weights kept in memory by the hash of their content: what several checkpoints share is held once.

Sharing is by equal hashes only, never by assumption: Illustrious, for one, trains its text encoders.
"""

from collections import OrderedDict
from collections.abc import Callable

import torch

from generation.weights import Tensors, tensor_bytes


class ComponentStore:
    """Components within a budget of bytes; the one used longest ago goes first.

    One store serves one kind of memory: RAM, or with ``place`` the memory of a GPU.
    """

    def __init__(
        self, budget: int | None = None, *, place: Callable[[torch.Tensor], torch.Tensor] | None = None
    ) -> None:
        """An empty store.

        Args:
            budget: bytes it may hold; None is no limit, 0 keeps nothing.
            place: applied to every tensor that is put in, such as a move to the GPU or into pinned memory.
        """
        self._budget = budget
        self._place = place
        self._held: OrderedDict[str, Tensors] = OrderedDict()

    def get(self, key: str) -> Tensors | None:
        """The component's tensors, not to be changed; None when they are not held."""
        if key in self._held:
            self._held.move_to_end(key)
        return self._held.get(key)

    def put(self, key: str, tensors: Tensors) -> Tensors:
        """Keep a component, or find it kept; gives the tensors to use.

        What alone exceeds the budget is given back placed, and not kept.
        """
        found = self.get(key)
        if found is not None:
            return found
        if self._place is not None:
            tensors = {name: self._place(tensor) for name, tensor in tensors.items()}
        size = tensor_bytes(tensors.values())
        if self._budget is None or size <= self._budget:
            self._make_room(size)
            self._held[key] = tensors
        return tensors

    def __contains__(self, key: str) -> bool:
        return key in self._held

    def __len__(self) -> int:
        return len(self._held)

    @property
    def bytes(self) -> int:
        """Bytes held."""
        return sum(tensor_bytes(tensors.values()) for tensors in self._held.values())

    def _make_room(self, size: int) -> None:
        while self._budget is not None and self.bytes + size > self._budget:
            self._held.popitem(last=False)


def weights_store(budget: int | None, device: str) -> ComponentStore:
    """A store in RAM for a renderer on this torch device: pinned for a GPU, so that copies need no detour."""
    return ComponentStore(budget, place=torch.Tensor.pin_memory if torch.device(device).type == "cuda" else None)
