"""Several processes that train together, one a device, started by ``torchrun`` or ``accelerate launch``."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import distributed
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from generation.loading import Parts
from training.checkpoint import rebuilt
from training.denoiser import TRAINED, Denoiser
from training.errors import UserError


class Several:
    """One of the processes that the launcher started, as its environment says (RANK, WORLD_SIZE, LOCAL_RANK).

    By default each holds all weights (DDP); with ``shard`` weights, gradients, optimiser and averages are cut over the
    processes (FSDP).
    """

    def __init__(self, device: str, *, shard: bool) -> None:
        """Join the others. Raises UserError where they cannot be reached."""
        self.rank, self.world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
        cuda = device.startswith("cuda")
        self.device = torch.device(f"cuda:{os.environ['LOCAL_RANK']}" if cuda else device)
        self.shards = shard
        self._called: DistributedDataParallel | None = None
        if cuda:
            torch.cuda.set_device(self.device)
        try:
            distributed.init_process_group("nccl" if cuda else "gloo")
        except (RuntimeError, ValueError) as error:
            raise UserError(
                f"the {self.world} processes do not find each other: {error}; see docs/distributed.md"
            ) from error
        atexit.register(distributed.destroy_process_group)

    def wrap(self, denoiser: Denoiser) -> torch.nn.Module:
        """The denoiser in DDP, or itself with its parameters cut."""
        if self.shards:
            for block in _blocks(denoiser):
                fully_shard(block)
            fully_shard(denoiser)
            return denoiser
        # The text encoders' last layers never take part: SDXL reads the layer before.
        self._called = DistributedDataParallel(denoiser, find_unused_parameters=True)
        return self._called

    def accumulating(self, denoiser: Denoiser, last: bool) -> AbstractContextManager[None]:
        """Exchange gradients in the last micro-batch only."""
        if self._called is None:
            denoiser.set_requires_gradient_sync(last)  # type: ignore[operator]
            return nullcontext()
        return nullcontext() if last else self._called.no_sync()

    def any(self, flag: bool) -> bool:
        """Whether it is so in any process."""
        return bool(self.total(torch.tensor(float(flag), device=self.device)).item())

    def total(self, values: torch.Tensor) -> torch.Tensor:
        """The sum over all processes."""
        summed = values.clone()
        distributed.all_reduce(summed)
        return summed

    def gathered(self, values: list[int]) -> list[int]:
        """The values of all processes, in the order of their ranks."""
        found: list[list[int]] = [[] for _ in range(self.world)]
        distributed.all_gather_object(found, values)
        return [value for part in found for value in part]

    def wait(self) -> None:
        """Until all processes are here."""
        distributed.barrier()

    def norm(self, value: torch.Tensor) -> float:
        """A norm over all gradients as a number."""
        return float(value.full_tensor() if isinstance(value, DTensor) else value)

    def whole(self, state: Any) -> Any:
        """``state`` with every cut tensor put together, one at a time, in the leading process's main memory.

        All processes call this at once. A device holds no more than one whole tensor; the others keep nothing of them.
        """
        if isinstance(state, dict):
            return {name: self.whole(value) for name, value in state.items()}
        if isinstance(state, list):
            return [self.whole(value) for value in state]
        if not isinstance(state, DTensor):
            return state
        whole = state.full_tensor()
        return whole.cpu() if self.rank == 0 else whole.new_empty(0)

    def share(self, value: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
        """This process's part of ``value``, as ``like`` is cut."""
        if not isinstance(like, DTensor) or value.shape != like.shape:
            return value
        return distribute_tensor(value.to(self.device, like.dtype), like.device_mesh, like.placements)

    @contextmanager
    def saved(self, parts: Parts, denoiser: Denoiser) -> Iterator[Parts]:
        """Parts that can be written: with cut weights, whole copies of them in the leading process."""
        if not self.shards:
            yield parts
            return
        weights = self.whole(denoiser.state_dict())
        if self.rank:
            yield parts
            return
        unet, first, second = (_own(name, getattr(parts, name), weights) for name in TRAINED)
        yield replace(parts, unet=unet, text_encoder=first, text_encoder_2=second)


def _blocks(denoiser: Denoiser) -> Iterator[torch.nn.Module]:
    """What is put together at once in the forward and backward pass: U-Net levels and text layers."""
    unet = denoiser.unet
    yield from (*unet.down_blocks, unet.mid_block, *unet.up_blocks)
    for encoder in (denoiser.text_encoder, denoiser.text_encoder_2):
        yield from getattr(encoder, "text_model", encoder).encoder.layers


def _own(name: str, module: torch.nn.Module, weights: dict[str, torch.Tensor]) -> torch.nn.Module:
    """A component with whole weights, found among those of the denoiser."""
    own = {key.removeprefix(f"{name}."): value for key, value in weights.items() if key.startswith(f"{name}.")}
    made: torch.nn.Module = rebuilt(name, module, own)
    return made
