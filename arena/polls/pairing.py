"""Who meets whom: balanced random by exposure. docs/pairing.md gives the reasons.

A *cell* is one prompt with one seed, rendered under equal conditions: only the checkpoints differ. The rule, for one
voter:

1. the lead is the enrolled contestant seen least often in this poll, ties broken at random;
2. the cell is one in which the lead has a sample, enough others have one too, and this voter has not yet seen every
   group with the lead; among those, one that this voter has met least often, ties at random;
3. the others are those in the cell seen least often, as the first group that this voter has not seen;
4. the seats are shuffled.
"""

import random
from collections import Counter
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass
from itertools import combinations
from math import comb

from django.db.models import Count, Q

from arena.gallery.models import Sample
from arena.gallery.withholding import flagged_cells
from arena.polls.models import Enrolment, Poll
from generation.matchup import check_equal_conditions

RULE = "balanced-random/2"
# SQLite takes 32,766 numbers in one query.
AT_ONCE = 30_000

Cell = tuple[int, int, int | None]
"""Primary key of the prompt, the seed, and the conditions (`Sample.conditions`), None where nobody's are known.

Samples whose conditions are not known (imported ones) belong to every cell of their prompt and seed.
"""

Places = dict[tuple[int, int], list[Cell]]


@dataclass(frozen=True, slots=True)
class Choice:
    """What to show: 2 or 4 samples of one prompt and seed in displayed order, and the rule that chose them."""

    samples: tuple[Sample, ...]
    rule: str = RULE


@dataclass(frozen=True, slots=True)
class History:
    """How many groups of present contestants a voter has seen, by cell and by (cell, contestant)."""

    groups: Counter[Cell]
    with_contestant: Counter[tuple[Cell, int]]


def choose(poll: Poll, *, rng: random.Random, seen: Collection[Set[int]] = ()) -> Choice | None:
    """The next matchup for a voter who has seen these sets of sample ids; None when nothing new is left."""
    order = exposure_order(poll, rng)
    sizes = cell_sizes(poll, order)
    at = by_place(sizes)
    history = read_history(seen, set(order), poll.seat_count, at) if sizes else None
    for lead in order if history else ():
        cells = open_cells(poll, lead, sizes, at, history)
        if cells:
            least = min(history.groups[cell] for cell in cells)
            cell = rng.choice([cell for cell in cells if history.groups[cell] == least])
            samples = first_unseen_group(poll, lead, cell, order, seen)
            rng.shuffle(samples)
            return Choice(tuple(samples))
    return None


def exposure_order(poll: Poll, rng: random.Random) -> list[int]:
    """Ids of the contestants taking part, least often shown first, ties in random order."""
    enrolled = Enrolment.objects.filter(poll=poll, withdrawn_at=None).order_by("contestant_id")
    rows = list(enrolled.values_list("contestant_id", "appearances"))
    rng.shuffle(rows)
    return [contestant for contestant, _ in sorted(rows, key=lambda row: row[1])]


def cell_sizes(poll: Poll, contestants: Collection[int]) -> dict[Cell, int]:
    """How many of these contestants have a sample, for every cell shown where they fill the poll's seats."""
    samples = Sample.objects.filter(contestant__in=contestants, prompt__prompt_set=poll.prompt_set_id).order_by()
    counted = samples.values("prompt_id", "seed", "conditions").annotate(size=Count("id"))
    sizes: dict[Cell, int] = {}
    unknown: dict[tuple[int, int], int] = {}
    for prompt, seed, conditions, size in counted.values_list("prompt_id", "seed", "conditions", "size"):
        if conditions is None:
            unknown[prompt, seed] = size
        else:
            sizes[prompt, seed, conditions] = size
    known = {cell[:2] for cell in sizes}
    sizes = {cell: size + unknown.get(cell[:2], 0) for cell, size in sizes.items()}
    sizes |= {(*place, None): size for place, size in unknown.items() if place not in known}
    hidden = hidden_cells(poll)
    return {cell: size for cell, size in sizes.items() if size >= poll.seat_count and cell[:2] not in hidden}


def hidden_cells(poll: Poll) -> set[tuple[int, int]]:
    """Prompts and seeds with a flagged image: they come in no new matchup, whoever is shown (docs/moderation.md)."""
    return flagged_cells(Sample.objects.filter(prompt__prompt_set=poll.prompt_set_id))


def ready_contestants(poll: Poll) -> int:
    """How many contestants taking part have at least one sample for this poll's prompts."""
    samples = Sample.objects.filter(
        prompt__prompt_set=poll.prompt_set_id,
        contestant__enrolments__poll=poll,
        contestant__enrolments__withdrawn_at=None,
    )
    return samples.aggregate(ready=Count("contestant", distinct=True))["ready"]


def can_be_shown(poll: Poll) -> bool:
    """Whether the poll is open and at least one matchup could be made for a newcomer."""
    return poll.is_open and bool(cell_sizes(poll, exposure_order(poll, random.Random(0))))


def by_place(cells: Collection[Cell]) -> Places:
    """The cells of each prompt and seed, in a fixed order."""
    at: Places = {}
    for cell in cells:
        at.setdefault(cell[:2], []).append(cell)
    for alike in at.values():
        alike.sort()
    return at


def read_history(seen: Collection[Set[int]], present: Set[int], seats: int, at: Places) -> History:
    """Count the seen groups that could be shown again now: all seats filled, nobody withdrawn since."""
    ids = sorted({sample for group in seen for sample in group})
    samples: dict[int, tuple[Cell, int]] = {}
    for start in range(0, len(ids), AT_ONCE):
        rows = Sample.objects.filter(pk__in=ids[start : start + AT_ONCE]).order_by()
        for pk, *cell, contestant in rows.values_list("pk", "prompt_id", "seed", "conditions", "contestant_id"):
            samples[pk] = (tuple(cell), contestant)
    history = History(Counter(), Counter())
    for group in {frozenset(group) for group in seen}:
        members = [samples[sample] for sample in group if sample in samples]
        contestants = {contestant for _, contestant in members}
        if len(members) == seats and contestants <= present:
            for cell in _cells_of(members, at):
                history.groups[cell] += 1
                history.with_contestant.update((cell, contestant) for contestant in contestants)
    return history


def _cells_of(members: list[tuple[Cell, int]], at: Places) -> list[Cell]:
    """The cells that a group belongs to: that of its known conditions, every one where none are known."""
    for cell, _ in members:
        if cell[2] is not None:
            return [cell]
    return at.get(members[0][0][:2], [])


def open_cells(poll: Poll, lead: int, sizes: dict[Cell, int], at: Places, history: History) -> list[Cell]:
    """Cells, in a fixed order, where the lead can still be shown in a group that this voter has not seen."""
    samples = Sample.objects.filter(contestant=lead, prompt__prompt_set=poll.prompt_set_id)
    rows = samples.order_by("prompt_id", "seed").values_list("prompt_id", "seed", "conditions")
    cells = [cell for row in rows for cell in (at.get(row[:2], []) if row[2] is None else [row])]
    return [
        cell
        for cell in cells
        if history.with_contestant[cell, lead] < comb(sizes.get(cell, 1) - 1, poll.seat_count - 1)
    ]


def first_unseen_group(poll: Poll, lead: int, cell: Cell, order: list[int], seen: Collection[Set[int]]) -> list[Sample]:
    """The lead's sample and those of the least shown others, as the first group not in `seen`.

    Raises LookupError when there is none, which `open_cells` excludes.
    """
    prompt, seed, conditions = cell
    alike = Q(conditions=conditions) | Q(conditions=None)
    shown = Sample.objects.filter(alike, prompt=prompt, seed=seed, contestant__in=order)
    # The manifests are long, and the prompt is asked for next.
    lean = shown.defer("manifest").select_related("prompt__character")
    by_contestant = {sample.contestant_id: sample for sample in lean}
    known = {frozenset(group) for group in seen}
    others = [contestant for contestant in order if contestant in by_contestant and contestant != lead]
    for rest in combinations(others, poll.seat_count - 1):
        group = [by_contestant[contestant] for contestant in (lead, *rest)]
        if frozenset(sample.pk for sample in group) not in known:
            return group
    raise LookupError(f"every group of prompt {prompt}, seed {seed} with contestant {lead} was already shown")


def check_conditions(samples: Sequence[Sample]) -> None:
    """Raise generation.errors.RenderError naming the first field in which samples differ besides their checkpoints.

    Conditions that are not known (imported samples) are not held against anybody.
    """
    known = [sample for sample in samples if sample.conditions is not None]
    if len({sample.conditions for sample in known}) > 1:
        check_equal_conditions([sample.manifest for sample in known])
