"""A volunteer's own prompt: taken, rendered by the worker within a time budget, shown as a matchup of its own.

The FreePrompt row is the job; every change of its state is one conditional update, so cancelling, running out of time
and a second worker can meet at any moment and only one of them wins. docs/votes.md draws the states.
"""

import logging
import random
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext, gettext_noop

from arena.gallery.models import Contestant, Prompt, Sample
from arena.gallery.rendering import LOADED, render_missing
from arena.polls.models import Poll
from arena.polls.pairing import exposure_order
from arena.votes.casting import check_welcome, show
from arena.votes.hygiene import clean
from arena.votes.models import FreePrompt, Voter
from arena.votes.refusals import NoPromptsHere, StillRendering, TooMany
from generation.errors import Cancelled, RenderError
from generation.recipe import Recipe

RULE = "free-prompt/2"
KINDS = (Poll.Kind.DUEL, Poll.Kind.FFA)
# Of what a contestant renders under, all that can differ between two on one worker besides the recipe.
CONDITIONS = ("checkpoint__manifest__pad_mask", "checkpoint__manifest__zero_snr")
UNFINISHED = (FreePrompt.State.QUEUED, FreePrompt.State.RENDERING)
OUT_OF_TIME = gettext_noop("The images were not ready within the time budget.")
RENDERER_FAILED = gettext_noop("The images could not be rendered; the reason is in the server's log.")
SEED_BITS = 32
DAY = timedelta(days=1)

logger = logging.getLogger(__name__)


def take(poll: Poll, voter: Voter, text: str, rng: random.Random) -> FreePrompt:
    """Queue a prompt for the contestants shown least often; the caller sends the worker its token.

    The seed is fresh, so the matchup is new to everybody. The prompt joins the poll's pool.

    Raises:
        PromptRefused: the text (see `hygiene.clean`).
        NoPromptsHere: the poll takes no prompts, is closed, or has too few contestants.
        StillRendering: the voter's earlier prompt is unfinished; `link` leads to it.
        TooMany: the voter typed as many in 24 hours as are taken.
        RevokedVoter: see there.
    """
    text = clean(text, poll)
    check_welcome(voter)
    if poll.kind not in KINDS:
        raise NoPromptsHere(gettext("The poll “%(poll)s” asks its own prompts only.") % {"poll": poll})
    if not accepts(poll):
        text = gettext("The poll “%(poll)s” is closed or has too few contestants.")
        raise NoPromptsHere(text % {"poll": poll})
    expire()
    with transaction.atomic():
        Voter.objects.select_for_update(no_key=True).get(pk=voter.pk)
        earlier = voter.free_prompts.filter(state__in=UNFINISHED).first()
        if earlier:
            raise StillRendering(still_rendering(earlier), f"/prompts/{earlier.token}/")
        check_daily_limit(voter, f"/polls/{poll.kind}/")
        prompt, _ = Prompt.objects.get_or_create(
            prompt_set=poll.prompt_set, text=text, defaults={"origin": Prompt.Origin.VOLUNTEER}
        )
        free = FreePrompt.objects.create(voter=voter, poll=poll, prompt=prompt, seed=rng.getrandbits(SEED_BITS))
        free.contestants.set(alike(poll, rng))
    return free


def accepts(poll: Poll) -> bool:
    """Whether the poll takes prompts: a free one, open, with enough contestants that render alike taking part."""
    return poll.is_open and poll.kind in KINDS and bool(alike(poll, random.Random(0)))


def alike(poll: Poll, rng: random.Random) -> list[int]:
    """Ids of contestants for all seats, the least shown of those that render under equal conditions; or none.

    Imported ones cannot render. The first group that fills the seats in the order of exposure is taken.
    """
    order = exposure_order(poll, rng)
    rendering = Contestant.objects.filter(pk__in=order, checkpoint__imported=False).order_by()
    rows = rendering.values_list("pk", "recipe", *CONDITIONS)
    conditions = {pk: (Recipe.from_dict(recipe), *rest) for pk, recipe, *rest in rows}
    groups: dict[tuple[object, ...], list[int]] = {}
    for contestant in filter(conditions.__contains__, order):
        group = groups.setdefault(conditions[contestant], [])
        group.append(contestant)
        if len(group) == poll.seat_count:
            return group
    return []


def check_daily_limit(voter: Voter, link: str) -> None:
    """Raises TooMany, with the wait, for a voter whose prompts of the last 24 hours are as many as are taken."""
    most, now = settings.ARENA_PROMPTS_A_DAY, timezone.now()
    recent = list(voter.free_prompts.filter(created_at__gt=now - DAY).order_by("created_at"))
    if len(recent) >= most:
        wait = DAY if not recent else recent[0].created_at + DAY - now
        text = gettext("You have typed %(most)d prompts in 24 hours.") % {"most": most}
        raise TooMany(text, link, max(1, round(wait.total_seconds())))


def still_rendering(free: FreePrompt) -> str:
    """A sentence that names the wait."""
    left = settings.ARENA_FREE_PROMPT_BUDGET_SECONDS - round((timezone.now() - free.created_at).total_seconds())
    names = {"prompt": free.prompt.text, "seconds": max(left, 1)}
    return gettext("Your prompt “%(prompt)s” is still being rendered; it takes at most %(seconds)d s more.") % names


def expire() -> int:
    """Fail every unfinished prompt whose time budget is spent; how many."""
    oldest = timezone.now() - timedelta(seconds=settings.ARENA_FREE_PROMPT_BUDGET_SECONDS)
    overdue = FreePrompt.objects.filter(state__in=UNFINISHED, created_at__lt=oldest)
    return overdue.update(state=FreePrompt.State.FAILED, error=OUT_OF_TIME, updated_at=timezone.now())


def cancel(free: FreePrompt) -> bool:
    """Stop an unfinished prompt; the worker notices between two steps. False when it was finished already."""
    return move(free, FreePrompt.State.CANCELLED)


def move(free: FreePrompt, state: FreePrompt.State, error: str = "") -> bool:
    """Change the state of an unfinished prompt; False when it is finished already."""
    unfinished = FreePrompt.objects.filter(pk=free.pk, state__in=UNFINISHED)
    return bool(unfinished.update(state=state, error=error, updated_at=timezone.now()))


def resume_unfinished() -> list[str]:
    """Tokens of the prompts that a stopped worker left behind and that are still within their budget."""
    expire()
    return list(FreePrompt.objects.filter(state__in=UNFINISHED).values_list("token", flat=True))


def render(token: str, rng: random.Random) -> None:
    """Render a queued prompt and prepare its ticket; runs in the worker.

    Finished prompts are left alone and images that exist are not rendered again, so the same message twice, or a
    worker killed half-way, does no harm. Failures end in the row's state and in the log.
    """
    expire()
    free = FreePrompt.objects.filter(token=token).select_related("prompt", "poll", "voter").first()
    if free is None or not move(free, FreePrompt.State.RENDERING):
        return
    try:
        while contestant := next_contestant(free):
            render_together(contestant, free, rng)
        prepare_ticket(free, rng)
    except Cancelled:
        expire()
    except Exception:
        logger.exception("typed prompt %s could not be rendered", free.pk)
        move(free, FreePrompt.State.FAILED, RENDERER_FAILED)


def next_contestant(free: FreePrompt) -> Contestant | None:
    """Of those that have not rendered the prompt yet the one whose checkpoint is loaded, else any; None when all have.

    The planner's rule (docs/render-queue.md) for images that were all asked for at one time.
    """
    rendered = Sample.objects.filter(prompt=free.prompt_id, seed=free.seed).values("contestant")
    waiting = free.contestants.exclude(pk__in=rendered).select_related("checkpoint", "lora").order_by("pk")
    return min(waiting, key=lambda one: one.weights != LOADED.weights, default=None)


def render_together(contestant: Contestant, free: FreePrompt, rng: random.Random) -> None:
    """Render the prompt, and with it what others typed and wait for of this contestant, as far as one batch goes.

    A batch costs the same however full it is, so they cost nothing, and each spares a change of checkpoint later. What
    is complete thereby gets its ticket at once. Should one of them be refused, this one is rendered alone.
    """
    queued = FreePrompt.objects.filter(state=FreePrompt.State.QUEUED, contestants=contestant).exclude(pk=free.pk)
    others = queued.select_related("prompt", "poll", "voter")[: contestant.frozen_recipe().batch - 1]
    together = [free, *others]
    try:
        _render(contestant, together)
    except RenderError:
        together = [free]
        _render(contestant, together)
    for one in together:
        rendered = Sample.objects.filter(prompt=one.prompt_id, seed=one.seed, contestant__in=one.contestants.all())
        FreePrompt.objects.filter(pk=one.pk).update(rendered=rendered.count(), updated_at=timezone.now())
    for one in together[1:]:
        if next_contestant(one) is None and move(one, FreePrompt.State.RENDERING):
            prepare_ticket(one, rng)


def _render(contestant: Contestant, together: list[FreePrompt]) -> None:
    jobs = [(one.prompt, one.seed) for one in together]
    render_missing(contestant, jobs, should_stop=lambda: not any(wanted(one) for one in together))


def wanted(free: FreePrompt) -> bool:
    """Whether somebody still waits: neither cancelled nor out of time."""
    return not free.expired and FreePrompt.objects.filter(pk=free.pk, state__in=UNFINISHED).exists()


def prepare_ticket(free: FreePrompt, rng: random.Random) -> None:
    """Seat the rendered samples, shuffled, for the one who typed the prompt; nothing if it was cancelled meanwhile."""
    with transaction.atomic():
        locked = FreePrompt.objects.select_for_update(no_key=True).get(pk=free.pk)
        if locked.state != FreePrompt.State.RENDERING:
            return
        rendered = Sample.objects.filter(prompt=free.prompt, seed=free.seed, contestant__in=free.contestants.all())
        samples = list(rendered.select_related("prompt").order_by("id"))
        rng.shuffle(samples)
        locked.ticket = show(free.poll, free.voter, samples, RULE)
        locked.state = FreePrompt.State.READY
        locked.save(update_fields=["ticket", "state", "updated_at"])
