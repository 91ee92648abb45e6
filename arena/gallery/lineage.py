"""Where checkpoints come from: ancestors, the epochs of a run, what was trained on, and what a parent did otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from arena.gallery.models import Checkpoint, Run

Facts = dict[str, Any]
"""Settings by their dotted names."""


@dataclass
class Branch:
    """A run with its epochs in order, the checkpoint of another run that it started from, and the runs that started
    from its own."""

    run: Run
    epochs: list[Checkpoint]
    parent: Checkpoint | None = None
    branches: "list[Branch]" = field(default_factory=list)


@dataclass(frozen=True)
class Change:
    """A setting that differs; None where one of the two does not have it."""

    name: str
    before: Any
    after: Any


def family() -> list[Branch]:
    """Every run that has checkpoints, each under the run that it started from; the newest first."""
    checkpoints = Checkpoint.objects.select_related("run").defer("manifest", "attribution")
    by_key = {checkpoint.pk: checkpoint for checkpoint in checkpoints.order_by("-run__created_at", "epoch", "step")}
    branches: dict[int, Branch] = {}
    for checkpoint in by_key.values():
        branch = branches.setdefault(checkpoint.run_id, Branch(checkpoint.run, []))
        branch.epochs.append(checkpoint)
    roots = []
    for branch in branches.values():
        parent = by_key.get(branch.epochs[0].parent_id)
        if parent is None or parent.run_id == branch.run.pk:
            roots.append(branch)
        else:
            branch.parent = parent
            branches[parent.run_id].branches.append(branch)
    return roots


def ancestors(checkpoint: Checkpoint) -> list[Checkpoint]:
    """The line that the checkpoint comes from, the first one first, without itself; two queries."""
    parents = dict(Checkpoint.objects.values_list("pk", "parent_id"))
    line: list[int] = []
    at = parents.get(checkpoint.pk)
    while at is not None and at not in line and at != checkpoint.pk:
        line.append(at)
        at = parents.get(at)
    found = Checkpoint.objects.select_related("run").in_bulk(line)
    return [found[key] for key in reversed(line)]


def flat(settings: Mapping[str, Any], prefix: str = "") -> Facts:
    """Nested settings under dotted names; lists stay whole."""
    found: Facts = {}
    for name, value in settings.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) and value else {f"{prefix}{name}": value}
    return found


def trained_on(checkpoint: Checkpoint) -> Facts:
    """What the manifest says of the data."""
    return _part(checkpoint, "dataset")


def trained_by(checkpoint: Checkpoint) -> Facts:
    """What the manifest says of the training's settings."""
    return _part(checkpoint, "config")


def changes(checkpoint: Checkpoint) -> list[Change]:
    """The settings and data that differ from the parent's; none where one of the two says nothing."""
    parent = checkpoint.parent
    parts = [(part(parent), part(checkpoint)) for part in (trained_on, trained_by)] if parent else []
    return [change for before, after in parts if before and after for change in differing(before, after)]


def differing(before: Facts, after: Facts) -> list[Change]:
    """What is not the same in both, by name."""
    found = (Change(name, before.get(name), after.get(name)) for name in sorted({*before, *after}))
    return [change for change in found if change.before != change.after]


def _part(checkpoint: Checkpoint, name: str) -> Facts:
    part = checkpoint.manifest.get(name)
    return flat(part) if isinstance(part, Mapping) else {}
