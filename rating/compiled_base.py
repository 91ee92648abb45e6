"""How numba compiles for this package, and what both compiled engines need."""

# mypy: disable-error-code="no-untyped-def"
from collections.abc import Callable
from types import FunctionType, ModuleType
from typing import Any

from numba import njit


def jit(function: Callable[..., Any]) -> Any:
    """Compiled, and kept on disk where there is a folder to write to."""
    try:
        return njit(cache=True, error_model="numpy")(function)
    except RuntimeError:  # numba finds no folder for its cache
        return njit(error_model="numpy")(function)


def as_they_stand(module: ModuleType, names: tuple[str, ...], **known: Any) -> dict[str, Any]:
    """Functions of a module compiled, calling each other's compiled forms and the `known` ones."""
    space = vars(module) | known
    for name in names:
        space[name] = jit(FunctionType(space[name].__code__, space, name))
    return space


@jit
def place_seats(vote, seats, ranks, placed):
    """rating.elo._placed for one vote: `placed` becomes its seats by (rank, contestant). How many there are."""
    size = 0
    for seat in range(seats.shape[1]):
        if seats[vote, seat] < 0:
            continue
        at = size
        while at > 0:
            other = placed[at - 1]
            rank, own = ranks[vote, other], ranks[vote, seat]
            if rank < own or (rank == own and seats[vote, other] < seats[vote, seat]):
                break
            placed[at] = other
            at -= 1
        placed[at] = seat
        size += 1
    return size
