"""Which matchups to ask for next, by what an answer tells a second; what planning spares (docs/planning.md)."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import fmean, median
from typing import Any

import numpy as np
from django.db.models import Sum
from django.utils import timezone

from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Contestant, Sample
from arena.leaderboard.log import Slice, counted_votes
from arena.leaderboard.models import MatchupPlan
from arena.polls.models import Enrolment, Poll
from arena.votes.models import Vote
from rating.covariance import clustered_covariance
from rating.errors import StateError
from rating.joint import JointFit, fit_joint
from rating.matchmaking import Choice, Costs, Posterior, Question, choose
from rating.saving import PRIOR_SD, savings
from rating.votes import Votes

COUNT = 10
# Without any measurement: a duel takes a person some seconds, an image a GPU about as long.
VOTER_SECONDS, GPU_SECONDS = 6.0, 6.0
RECENT = 1000
# The experiment: contestants and votes at most, and worlds.
MOST_CONTESTANTS, MOST_VOTES, LEAST_VOTES, WORLDS = 20, 2000, 50, 6


@dataclass(frozen=True)
class Next:
    """A matchup to ask for: its contestants, how likely this plan was to choose them, and what an answer is worth.

    `cells` of prompt and seed hold an image of everybody; where there are none, `missing` images have to be rendered.
    `value` is the decrease of the weighted variance of all differences, in nat.
    """

    contestants: list[int]
    names: list[str]
    probability: float
    value: float
    voter_seconds: float
    gpu_seconds: float
    cells: int
    missing: int
    per_second: float
    per_voter_second: float
    per_gpu_second: float | None


def make_plan(kind: str, *, seed: int = 0, count: int = COUNT) -> MatchupPlan:
    """Plan the next matchups of a poll by all counted votes of people in it, and keep the plan."""
    votes = counted_votes(Slice(kind))
    body = asdict_all(next_matchups(kind, votes, seed=seed, count=count))
    return _keep(kind, votes, {"matchups": body, "made_at": timezone.now()})


def make_experiment(kind: str, *, progress: Callable[[int], None] | None = None) -> MatchupPlan:
    """Measure on the strengths of the poll's own log what planning spares against balanced random, and keep it."""
    votes = counted_votes(Slice(kind))
    found = experiment(kind, votes, progress=progress)
    return _keep(kind, votes, {"savings": found, "savings_votes": len(votes)})


def _keep(kind: str, votes: Votes, fields: dict[str, Any]) -> MatchupPlan:
    plan, _ = MatchupPlan.objects.update_or_create(poll=kind, defaults=fields | {"votes": len(votes)})
    return plan


def asdict_all(rows: list[Next]) -> list[dict[str, Any]]:
    """As JSON has them."""
    return [asdict(row) for row in rows]


def next_matchups(kind: str, votes: Votes, *, seed: int = 0, count: int = COUNT) -> list[Next]:
    """The next matchups, the most valuable per second first; none where too few contestants take part.

    Those with images for everybody cost the voter alone, so they come first unless another tells more for its price.
    """
    poll = Poll.objects.filter(kind=kind).first()
    enrolled = Enrolment.objects.filter(poll__kind=kind, withdrawn_at=None).order_by("contestant_id")
    keys = list(enrolled.values_list("contestant_id", flat=True))
    if poll is None or len(keys) < poll.seat_count:
        return []
    cells = cells_of(poll, keys)
    cached = frozenset(at for at, key in enumerate(keys) if cells.get(key))
    voter, gpu = seconds_of(kind)
    question = question_of(poll, votes)
    posterior = posterior_of(votes, keys)
    exposure = dict(enrolled.values_list("contestant_id", "appearances"))
    choices = choose(
        posterior,
        question,
        count=count,
        costs=Costs(gpu, voter, cached),
        exposure=np.array([exposure[key] for key in keys]),
        exploration=0.0,
        rng=np.random.default_rng(seed),
    )
    names = {pk: str(one) for pk, one in Contestant.objects.select_related("checkpoint", "lora").in_bulk(keys).items()}
    rows = [_next(choice, keys, names, cells, (voter, gpu)) for choice in choices]
    return sorted(rows, key=lambda row: (row.missing, -row.per_second))


def _next(
    choice: Choice,
    keys: list[int],
    names: dict[int, str],
    cells: dict[int, set[tuple[int, int]]],
    seconds: tuple[float, float],
) -> Next:
    voter, gpu = seconds
    seated = [keys[code] for code in sorted(choice.seats)]
    missing = lacking([cells.get(key, set()) for key in seated])
    seconds_of_it = voter + gpu * missing
    return Next(
        contestants=seated,
        names=[names[key] for key in seated],
        probability=choice.probability,
        value=choice.value,
        voter_seconds=voter,
        gpu_seconds=gpu * missing,
        cells=len(set.intersection(*(cells.get(key, set()) for key in seated))),
        missing=missing,
        per_second=choice.value / seconds_of_it,
        per_voter_second=choice.value / voter,
        per_gpu_second=choice.value / (gpu * missing) if missing and gpu else None,
    )


def lacking(cells: list[set[tuple[int, int]]]) -> int:
    """How many images have to be rendered until some prompt and seed has one of everybody."""
    held = Counter(cell for own in cells for cell in own)
    return len(cells) - max(held.values(), default=0)


def cells_of(poll: Poll, keys: list[int]) -> dict[int, set[tuple[int, int]]]:
    """Prompts and seeds of the poll that a contestant has an image of."""
    found: dict[int, set[tuple[int, int]]] = {}
    samples = Sample.objects.filter(contestant__in=keys, prompt__prompt_set=poll.prompt_set_id).order_by()
    for contestant, prompt, seed in samples.values_list("contestant_id", "prompt_id", "seed"):
        found.setdefault(contestant, set()).add((prompt, seed))
    return found


def seconds_of(kind: str) -> tuple[float, float]:
    """Seconds that an answer takes people (median of the last ones), and that an image takes the device (mean)."""
    recent = Vote.objects.filter(
        ticket__matchup__poll__kind=kind, answered_after_ms__gt=0, exclusion=None, ticket__voter__population="people"
    ).order_by("-number")
    taken = list(recent.values_list("answered_after_ms", flat=True)[:RECENT])
    spent = EvaluationRun.objects.filter(gpu_seconds__gt=0, done__gt=0).aggregate(
        all=Sum("gpu_seconds"), images=Sum("done")
    )
    gpu = spent["all"] / spent["images"] if spent["images"] else GPU_SECONDS
    return (median(taken) / 1000 if taken else VOTER_SECONDS), gpu


def question_of(poll: Poll, votes: Votes) -> Question:
    """What the poll asks: four to pick from, two, or two with draws as often as so far."""
    if poll.seat_count > 2:
        return Question(poll.seat_count, "pick")
    if not poll.allows_draw or not votes.counted.any():
        return Question()
    fit = fit_joint(votes, ridge=PRIOR_SD)
    ties = [math.exp(fit.estimate[place]) for name, place in fit.terms.items() if name.startswith("tie:")]
    return Question(2, "draws", fmean(ties)) if ties else Question()


def posterior_of(votes: Votes, keys: list[int]) -> Posterior:
    """What the votes say of these contestants, in nat; by the prior alone of those without any."""
    mean, covariance = np.zeros(len(keys)), np.eye(len(keys)) * PRIOR_SD**2
    fit = _fitted(votes)
    if fit is None:
        return Posterior(mean, covariance)
    matrix = clustered_covariance(fit, votes).matrix
    place = {name: at for at, name in enumerate(fit.contestants) if fit.took_part[at]}
    known = [at for at, key in enumerate(keys) if str(key) in place]
    theirs = [place[str(keys[at])] for at in known]
    mean[known] = fit.estimate[theirs]
    covariance[np.ix_(known, known)] = matrix[np.ix_(theirs, theirs)]
    return Posterior(mean, covariance)


def _fitted(votes: Votes) -> JointFit | None:
    try:
        return fit_joint(votes, ridge=PRIOR_SD)
    except StateError:
        return None


def experiment(kind: str, votes: Votes, *, progress: Callable[[int], None] | None = None) -> list[dict[str, Any]]:
    """What planning spares where the log's fitted strengths are the truth: for as many votes as it has, and four times.

    Empty where the votes tell no strengths, or three contestants at least did not take part. Of many contestants those
    with the most votes are taken.
    """
    fit, poll = _fitted(votes), Poll(kind=kind)
    if fit is None or fit.took_part.sum() < max(3, poll.seat_count):
        return []
    seats = votes.seats[votes.counted]
    taken = np.bincount(seats[seats >= 0], minlength=len(fit.contestants))
    chosen = np.argsort(-taken, kind="stable")[: min(MOST_CONTESTANTS, int(fit.took_part.sum()))]
    own = min(max(len(votes), LEAST_VOTES), MOST_VOTES // 4)
    question = Question(poll.seat_count, "pick") if poll.seat_count > 2 else Question()
    found = savings(fit.estimate[np.sort(chosen)], question, [own, 4 * own], worlds=WORLDS, progress=progress)
    return [asdict(one) for one in found]
