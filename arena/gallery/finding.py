"""Checkpoints and contestants by what people call them: a name, the first digits of a hash."""

from collections.abc import Iterable

from arena.gallery.models import Checkpoint, Contestant

LISTED = 20


class UnknownCheckpointError(LookupError):
    """Nothing, or more than one thing, goes by a name; the text lists what could be meant."""


def find_checkpoint(text: str) -> Checkpoint:
    """The checkpoint of this name or with this beginning of a content hash. Raises UnknownCheckpointError."""
    found = list(Checkpoint.objects.filter(name=text))
    if not found and text:
        found = list(Checkpoint.objects.filter(sha256__startswith=text.lower()))
    if len(found) == 1:
        return found[0]
    candidates = found or Checkpoint.objects.all()
    problem = "several checkpoints fit" if found else "no such checkpoint"
    raise UnknownCheckpointError(
        f"{text!r}: {problem}. Candidates: {listed(f'{one.name} ({one.sha256[:12]})' for one in candidates)}"
    )


def find_contestant(text: str) -> Contestant:
    """The only contestant of a checkpoint, or `CHECKPOINT/RECIPE` with the beginning of the recipe's hash.

    Raises UnknownCheckpointError, also where a checkpoint has several recipes and none is named.
    """
    try:
        found = list(Contestant.objects.filter(checkpoint=find_checkpoint(text)).select_related("checkpoint"))
    except UnknownCheckpointError:
        name, slash, recipe = text.rpartition("/")
        if not slash:
            raise
        of_checkpoint = Contestant.objects.filter(checkpoint=find_checkpoint(name)).select_related("checkpoint")
        found = list(of_checkpoint.filter(recipe_sha256__startswith=recipe.lower()))
        if not found:
            recipes = listed(f"{name}/{one.recipe_sha256[:8]}" for one in of_checkpoint)
            raise UnknownCheckpointError(f"{text!r}: no such recipe. Candidates: {recipes}") from None
    if len(found) == 1:
        return found[0]
    recipes = listed(f"{text}/{one.recipe_sha256[:8]}" for one in found)
    raise UnknownCheckpointError(f"{text!r}: the checkpoint has {len(found)} recipes. Candidates: {recipes}")


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are; "none" for no name."""
    known = list(names)
    more = [f"and {len(known) - LISTED} more"] if len(known) > LISTED else []
    return ", ".join([*known[:LISTED], *more]) or "none"
