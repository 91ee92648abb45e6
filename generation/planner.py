"""In which order to render jobs so that checkpoints change rarely and nobody waits for long. Pure: no clock, no torch.

Jobs of one checkpoint, shape and sampler form a group. The loaded checkpoint is used while it has jobs, unless one of
another checkpoint would otherwise wait past the age bound. docs/render-queue.md has all of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

STAY = 5


@dataclass(frozen=True, slots=True)
class Job:
    """Images that one checkpoint owes.

    Attributes:
        key: what the caller knows it by.
        checkpoint: its identity, such as its content hash.
        shape: (width, height) in pixels.
        sampler: as in the recipe.
        asked_at: seconds on any clock, the same for all jobs.
        images: how many, at least 1.
        batch: rows of a forward pass; a batch that is not full takes as long as a full one.
    """

    key: str
    checkpoint: str
    shape: tuple[int, int]
    sampler: str
    asked_at: float
    images: int = 1
    batch: int = 1

    @property
    def group(self) -> "Group":
        """What is best rendered together, within a checkpoint."""
        return self.shape, self.sampler

    @property
    def batches(self) -> int:
        """Forward passes of full width that its images take."""
        return -(-self.images // self.batch)


@dataclass(frozen=True, slots=True)
class Cost:
    """What work takes.

    Attributes:
        swap_seconds: from one checkpoint to another.
        batch_seconds: of one batch; `checkpoints` has those that are known better.
        checkpoints: by checkpoint, seconds of one batch.
    """

    swap_seconds: float
    batch_seconds: float
    checkpoints: Mapping[str, float] = field(default_factory=dict)

    def of(self, job: Job) -> float:
        """Seconds of a job, without a swap."""
        return job.batches * self.checkpoints.get(job.checkpoint, self.batch_seconds)


@dataclass(frozen=True, slots=True)
class Step:
    """One job in its turn: when it begins and ends (on the jobs' clock), and whether a swap comes before it."""

    job: Job
    begins: float
    ends: float
    swaps: bool


@dataclass(frozen=True, slots=True)
class Forecast:
    """What an order of jobs comes to.

    Attributes:
        steps: in order.
        swaps: changes of checkpoint, the first load included where nothing was loaded.
        seconds: all work, swaps included.
        longest_wait: the most seconds from `asked_at` to the beginning of a job; 0 without jobs.
    """

    steps: tuple[Step, ...]
    swaps: int
    seconds: float
    longest_wait: float


Group = tuple[tuple[int, int], str]


def next_job(
    jobs: Sequence[Job],
    loaded: str | None,
    now: float,
    age_seconds: float,
    group: Group | None = None,
    *,
    stays: bool = False,
) -> Job:
    """The job to do now.

    Where jobs have waited for the age bound, one of those: of the loaded checkpoint if it has any, otherwise of the
    checkpoint with the oldest. Where none has, one of the loaded checkpoint, otherwise of the one with the oldest job.
    Within a checkpoint the jobs of `group` go on, then those of the group with the oldest; oldest first. So a worker
    with too much to do still changes checkpoint rarely. With `stays` the loaded checkpoint goes on, if it has any job,
    whatever is due: see `stays`.

    Raises ValueError without jobs, or for a negative age.
    """
    if not jobs:
        raise ValueError("there is no job to choose from")
    if age_seconds < 0:
        raise ValueError(f"the age bound must not be negative, got {age_seconds:g}")
    due = [job for job in jobs if now - job.asked_at >= age_seconds]
    from_these = due or jobs
    own = [job for job in (jobs if stays else from_these) if job.checkpoint == loaded]
    if not own:
        oldest = min(from_these, key=_age)
        own = [job for job in from_these if job.checkpoint == oldest.checkpoint]
    if group not in {job.group for job in own}:
        group = min(own, key=_age).group
    return min((job for job in own if job.group == group), key=_age)


def stays(loaded_at: float, swap_seconds: float, now: float) -> bool:
    """Whether a checkpoint has not yet been used for `STAY` times what its loading took.

    Where more evaluations wait than the age bound has time for, each of them is due again after its turn; without this
    every turn would be the shortest possible, and swaps would take more time than images. A clock that was set back,
    and so knows nothing of that time, keeps no checkpoint.
    """
    return 0 <= now - loaded_at < STAY * swap_seconds


def plan(jobs: Iterable[Job], *, cost: Cost, now: float, age_seconds: float, loaded: str | None = None) -> Forecast:
    """All jobs in the order in which `next_job` takes them, with what that costs.

    Jobs asked for later than ``now`` come up in their time. A checkpoint is left early: by the longest job and a swap
    for each checkpoint with jobs, so that all of them can still be begun within the bound.
    """
    coming, order = sorted(jobs, key=_age, reverse=True), list[Job]()
    waiting: list[Job] = []
    longest = max(map(cost.of, coming), default=0.0)
    clock, here = now, loaded
    while waiting or coming:
        clock = clock if waiting else max(clock, coming[-1].asked_at)
        while coming and coming[-1].asked_at <= clock:
            waiting.append(coming.pop())
        ahead = longest + cost.swap_seconds * len({job.checkpoint for job in waiting})
        job = next_job(waiting, here, clock, max(0.0, age_seconds - ahead), order[-1].group if order else None)
        waiting.remove(job)
        order.append(job)
        clock += cost.of(job) + cost.swap_seconds * (job.checkpoint != here)
        here = job.checkpoint
    return forecast(order, cost=cost, now=now, loaded=loaded)


def forecast(order: Iterable[Job], *, cost: Cost, now: float, loaded: str | None = None) -> Forecast:
    """What doing jobs in this very order costs; first come, first served is ``forecast(sorted by asked_at)``."""
    steps, clock, here = [], now, loaded
    for job in order:
        swaps = job.checkpoint != here
        begins = max(clock, job.asked_at) + cost.swap_seconds * swaps
        clock, here = begins + cost.of(job), job.checkpoint
        steps.append(Step(job, begins, clock, swaps))
    waits = [step.begins - step.job.asked_at for step in steps]
    return Forecast(tuple(steps), sum(step.swaps for step in steps), clock - now, max(waits, default=0.0))


def runs(steps: Iterable[Step]) -> list[tuple[Step, ...]]:
    """Steps that follow each other on one checkpoint, together."""
    return [tuple(group) for _, group in groupby(steps, key=lambda step: step.job.checkpoint)]


def _age(job: Job) -> tuple[float, str]:
    return job.asked_at, job.key
