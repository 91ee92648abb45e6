"""Runs, checkpoints, LoRAs and contestants by what people call them: a name, the first digits of a hash."""

from collections import Counter
from collections.abc import Iterable, Sequence

from django.db.models import QuerySet

from arena.gallery.models import Checkpoint, Contestant, Lora, Run

LISTED = 20
HASH_DIGITS = 12
# Fewer digits fit by chance what was meant as a name.
LEAST_DIGITS = 4
RECIPE_DIGITS = 8


class UnknownNameError(LookupError):
    """Nothing, or more than one thing, goes by a name; the text lists what could be meant."""


class UnknownCheckpointError(UnknownNameError):
    """The name, or the hash, is meant to be that of a checkpoint."""


def find_run(name: str) -> Run:
    """The run of this name. Raises UnknownNameError."""
    found = Run.objects.filter(name=name).first()
    if found is None:
        raise unknown("run", name, Run.objects.values_list("name", flat=True))
    return found


def unknown(what: str, name: str, known: Iterable[str]) -> UnknownNameError:
    """The error that says what is known instead."""
    return UnknownNameError(f"there is no {what} {name!r}; known: {listed(known)}")


def find_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of this name, or whose content hash begins so, by 4 digits at least. Raises
    UnknownCheckpointError."""
    found = list(Checkpoint.objects.filter(name=text))
    if not found and len(text) >= LEAST_DIGITS:
        found = list(Checkpoint.objects.filter(sha256__startswith=text.lower()))
    if len(found) == 1:
        return found[0]
    raise unknown_checkpoint(text, found)


def unknown_checkpoint(text: str, found: Sequence[Checkpoint] = ()) -> UnknownCheckpointError:
    """The error that says which checkpoints there are, or which ones fit."""
    candidates = listed(f"{one.name} ({one.sha256[:HASH_DIGITS]})" for one in found or Checkpoint.objects.all())
    problem = "several checkpoints fit" if found else "no such checkpoint"
    return UnknownCheckpointError(f"{text!r}: {problem}. Candidates: {candidates}")


def find_lora(sha12: str) -> Lora:
    """The LoRA whose content hash begins so, by 12 digits at least. Raises UnknownNameError."""
    found = list(Lora.objects.filter(sha256__startswith=sha12.lower()).select_related("trained_on"))
    if len(sha12) < HASH_DIGITS or len(found) != 1:
        raise unknown("LoRA", sha12, (f"{one.name} ({one.sha256[:HASH_DIGITS]})" for one in Lora.objects.all()))
    return found[0]


def find_contestants(text: str) -> list[Contestant]:
    """The contestants of a checkpoint, one for each recipe and LoRA; or of `CHECKPOINT/RECIPE` the one whose recipe's
    hash, which covers the LoRA, begins so.

    Raises UnknownCheckpointError.
    """
    try:
        return list(_of(find_checkpoint(text)))
    except UnknownCheckpointError:
        name, slash, recipe = text.rpartition("/")
        if not slash:
            raise
        of_checkpoint = _of(find_checkpoint(name))
        found = list(of_checkpoint.filter(recipe_sha256__startswith=recipe.lower()))
        if not found:
            recipes = listed(f"{name}/{one.recipe_sha256[:RECIPE_DIGITS]}" for one in of_checkpoint)
            raise UnknownCheckpointError(f"{text!r}: no such recipe. Candidates: {recipes}") from None
        return found


def _of(checkpoint: Checkpoint) -> QuerySet[Contestant]:
    return Contestant.objects.filter(checkpoint=checkpoint).select_related("checkpoint__run", "lora")


def find_contestant(text: str) -> Contestant:
    """The only contestant that `find_contestants` finds.

    Raises UnknownCheckpointError, also where a checkpoint has several recipes and none is named.
    """
    found = find_contestants(text)
    if len(found) == 1:
        return found[0]
    recipes = listed(f"{text}/{one.recipe_sha256[:RECIPE_DIGITS]}" for one in found)
    raise UnknownCheckpointError(f"{text!r}: the checkpoint has {len(found)} recipes. Candidates: {recipes}")


def names_of(contestants: Sequence[Contestant]) -> list[str]:
    """What `find_contestant` finds each of them by: the hash's first digits, with the recipe's where there are more."""
    of_each = Contestant.objects.filter(checkpoint__in=[one.checkpoint_id for one in contestants])
    recipes = Counter(of_each.values_list("checkpoint", flat=True))
    return [
        one.checkpoint.sha256[:HASH_DIGITS]
        + (f"/{one.recipe_sha256[:RECIPE_DIGITS]}" if recipes[one.checkpoint_id] > 1 else "")
        for one in contestants
    ]


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are; "none" for no name."""
    known = list(names)
    more = [f"and {len(known) - LISTED} more"] if len(known) > LISTED else []
    return ", ".join([*known[:LISTED], *more]) or "none"
