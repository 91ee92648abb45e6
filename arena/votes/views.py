"""The booth: choosing a poll, one blind matchup at a time, the answer, the reveal."""

import logging
import random
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from arena.polls.models import Poll, Seat
from arena.polls.pairing import can_be_shown, ready_contestants
from arena.votes.agreement import agreement, best_seat
from arena.votes.blinding import seat_image
from arena.votes.casting import SKIP_REASONS, cast, find_ticket, issue_ticket, seated_contestants
from arena.votes.free_prompts import UNFINISHED, accepts
from arena.votes.hygiene import MAX_CHARACTERS
from arena.votes.keys import Binding, keys_of, seat_keys
from arena.votes.limits import limit_tickets, limit_votes
from arena.votes.models import Ticket, Voter
from arena.votes.pages import answers_in, find_poll, progress_of, refusing, wants_json
from arena.votes.refusals import WrongAnswer
from arena.votes.undoing import booth_of, is_undone
from arena.votes.undoing import reveal as reveal_names
from arena.votes.undoing import undo as take_back
from arena.votes.voters import current_voter, known_voter, remember
from rating.outcomes import parse_outcome

SIDES = {1: gettext_lazy("Left"), 2: gettext_lazy("Right")}

logger = logging.getLogger(__name__)


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Choose a poll."""
    voter = current_voter(request)
    polls = {poll.kind: poll for poll in Poll.objects.select_related("prompt_set")}
    cards = [
        {
            "poll": poll,
            "can_be_shown": can_be_shown(poll),
            "ready": ready_contestants(poll),
            "votes": answers_in(poll).filter(ticket__voter__population=Voter.Population.PEOPLE).count(),
            "progress": progress_of(poll, voter),
        }
        for poll in (polls[kind] for kind in Poll.Kind if kind in polls)
    ]
    # The page looks again by itself until there is something to vote on.
    waiting = not any(card["can_be_shown"] for card in cards)
    return render(request, "votes/home.html", {"section": "vote", "cards": cards, "waiting": waiting})


@require_safe
def privacy(request: HttpRequest) -> HttpResponse:
    """What is kept about a volunteer."""
    return render(request, "votes/privacy.html")


@never_cache
@require_GET
@refusing
def booth(request: HttpRequest, kind: str) -> HttpResponse:
    """Show the voter's open matchup, or a new one; without one, say what everybody waits for."""
    poll = find_poll(kind)
    limit_tickets(request, f"/polls/{poll.kind}/")
    voter = current_voter(request)
    if voter is None and can_be_shown(poll):
        voter = Voter.objects.create()
    ticket = issue_ticket(poll, voter, random.SystemRandom(), preload=is_preload(request)) if voter else None
    context = poll_context(poll, voter)
    if ticket:
        response = render(request, "votes/booth.html", context | matchup_context(ticket, context["keys"]))
    else:
        response = render(request, "votes/waiting.html", context | {"ready": ready_contestants(poll)})
    if voter:
        remember(response, voter)
    return response


def is_preload(request: HttpRequest) -> bool:
    """Whether the page is fetched before anybody looks at it."""
    return "prefetch" in request.headers.get("Sec-Purpose", request.headers.get("Purpose", ""))


def poll_context(poll: Poll, voter: Voter | None) -> dict[str, Any]:
    """What every page of a poll shows."""
    return {
        "section": "vote",
        "poll": poll,
        "progress": progress_of(poll, voter),
        "skip_reasons": SKIP_REASONS,
        "takes_prompts": accepts(poll),
        "max_characters": MAX_CHARACTERS,
        "keys": keys_of(voter),
        "free_prompt": voter.free_prompts.filter(state__in=UNFINISHED).first() if voter else None,
    }


def matchup_context(ticket: Ticket, keys: Mapping[str, Binding] | None = None) -> dict[str, Any]:
    """What the voter sees of a matchup: prompt, character, and images under names that say nothing."""
    seats = ticket.matchup.seats.order_by("position").values_list("position", "image_key")
    sides = SIDES if len(seats) == 2 else {}
    character = ticket.matchup.prompt.character
    return {
        "ticket": ticket,
        "prompt": ticket.matchup.prompt.text,
        "character": character,
        "references": range(1, min(len(character.references), 5) + 1) if character else (),
        "seats": [
            {
                "position": position,
                "image_key": image_key,
                "name": sides.get(position, _("Image %(number)d") % {"number": position}),
                "keys": seat_keys(keys, position, len(seats)) if keys else (),
            }
            for position, image_key in seats
        ],
    }


@never_cache
@require_POST
@refusing
def vote(request: HttpRequest, kind: str) -> HttpResponse:
    """Take an answer, and lead to the page that says so; an answered ticket leads there again."""
    poll = find_poll(kind)
    voter = known_voter(request, f"/polls/{poll.kind}/")
    token = request.POST.get("ticket", "")
    limit_votes(voter, token, f"/polls/{poll.kind}/")
    answer = request.POST.get("outcome", "")
    if answer == "rank":
        answer = ranking(poll, request.POST.dict())
    cast_vote = cast(token, answer, voter, request.POST.get("reason", ""))
    if voter.settings.get("always_reveal") and not is_undone(cast_vote):
        reveal_names(token, voter)
    page = f"/votes/{token}/"
    if wants_json(request):
        links = {"page": page, "reveal": f"{page}reveal", "undo": f"{page}undo"}
        return JsonResponse({"vote": cast_vote.number, "outcome": cast_vote.outcome, **links})
    return see_other(page)


def see_other(path: str) -> HttpResponse:
    """Lead a form's sender to a page that may be reloaded."""
    return HttpResponse(status=303, headers={"Location": path})


def ranking(poll: Poll, fields: dict[str, str]) -> str:
    """The outcome text of the fields rank_1, rank_2…: 1 is best, equal numbers tie. Raises WrongAnswer."""
    places = [str(place) for place in range(1, poll.seat_count + 1)]
    ranks = {seat: fields.get(f"rank_{seat}", "") for seat in places}
    for seat, rank in ranks.items():
        if rank not in places:
            names = {"number": seat, "last": poll.seat_count}
            raise WrongAnswer(_("Image %(number)s has no rank from 1 to %(last)d.") % names, f"/polls/{poll.kind}/")
    tiers = ("=".join(seat for seat in ranks if ranks[seat] == rank) for rank in sorted(set(ranks.values())))
    return ">".join(tiers)


@never_cache
@require_safe
@refusing
def answered(request: HttpRequest, token: str) -> HttpResponse:
    """What was recorded, without names until the voter asks for them; without a standing answer, back to the booth."""
    voter = current_voter(request)
    ticket = find_ticket(token, voter)
    poll = ticket.matchup.poll
    if not hasattr(ticket, "vote") or is_undone(ticket.vote):
        return redirect(booth_of(ticket))
    if wants_json(request):
        return JsonResponse(answer_as_json(ticket))
    context = poll_context(poll, voter) | matchup_context(ticket) | answer_context(ticket)
    if ticket.revealed_at is None:
        return render(request, "votes/recorded.html", context)
    return render(request, "votes/reveal.html", context | names_context(ticket, context["seats"]))


@never_cache
@require_POST
@refusing
def reveal(request: HttpRequest, token: str) -> HttpResponse:
    """Tell the voter who it was; the same again when told already."""
    reveal_names(token, current_voter(request))
    if wants_json(request):
        return JsonResponse(answer_as_json(find_ticket(token, current_voter(request))))
    return see_other(f"/votes/{token}/")


@never_cache
@require_POST
@refusing
def undo(request: HttpRequest, token: str) -> HttpResponse:
    """Take the answer back, and show the matchup again."""
    ticket = take_back(token, current_voter(request))
    if wants_json(request):
        return JsonResponse({"undone": True, "ticket": ticket.token, "booth": booth_of(ticket)})
    return see_other(booth_of(ticket))


def answer_context(ticket: Ticket) -> dict[str, Any]:
    """The voter's own answer, seat by seat, and nothing else."""
    seats = matchup_context(ticket)["seats"]
    outcome = parse_outcome(ticket.vote.outcome, len(seats))
    ranks = outcome.ranks or (None,) * len(seats)
    return {
        "outcome": outcome,
        "best": best_seat(outcome),
        "seats": [seat | {"rank": None if rank is None else rank + 1} for seat, rank in zip(seats, ranks, strict=True)],
    }


def names_context(ticket: Ticket, seats: list[dict[str, Any]]) -> dict[str, Any]:
    """The names behind the seats, and how others answered."""
    contestants = seated_contestants(ticket)
    named = [seat | {"contestant": contestant} for seat, contestant in zip(seats, contestants, strict=True)]
    return {"agreement": agreement(ticket.vote), "seats": named}


def answer_as_json(ticket: Ticket) -> dict[str, Any]:
    """The answer; with names and agreement only after the reveal."""
    facts = {"vote": ticket.vote.number, "outcome": ticket.vote.outcome, "revealed": ticket.revealed_at is not None}
    if ticket.revealed_at is None:
        return facts
    others = agreement(ticket.vote)
    shown = [
        {"seat": seat, "contestant": str(who), "run": who.checkpoint.run.name, "epoch": who.checkpoint.epoch}
        for seat, who in enumerate(seated_contestants(ticket), 1)
    ]
    return facts | {"seats": shown, "agreement": {"same": others.same, "total": others.total} if others else None}


@require_safe
def image(request: HttpRequest, key: str) -> HttpResponse:
    """One seat's image, with the same headers for every seat: nothing tells when or by whom it was rendered."""
    seat = get_object_or_404(Seat.objects.select_related("sample", "matchup"), image_key=key)
    try:
        content = seat_image(seat)
    except OSError:
        logger.exception("the image of seat %s is missing", seat.pk)
        return HttpResponse(_("This image cannot be read just now."), status=503, content_type="text/plain")
    return HttpResponse(content, content_type="image/png", headers={"Cache-Control": "private, max-age=3600"})
