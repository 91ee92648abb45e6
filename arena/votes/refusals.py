"""Why a request of a volunteer is turned down: a sentence for people, an HTTP status, and what to do instead."""

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Refusal(Exception):
    """Base of everything that the booth refuses on purpose.

    The message may be shown to anybody; `link` is the page where the remedy begins.
    """

    status = 400
    remedy: str | Promise = _("Go back and try again.")

    def __init__(self, message: str, link: str = "/") -> None:
        super().__init__(message)
        self.link = link


class UnknownPoll(Refusal):
    """No poll of that kind."""

    status = 404
    remedy = _("Choose one of the polls on the first page.")


class UnknownTicket(Refusal):
    """No such ticket was ever handed out."""

    status = 404
    remedy = _("Open the poll again: you get a fresh matchup.")


class ForeignTicket(Refusal):
    """The ticket was handed to somebody else."""

    status = 403
    remedy = _("Answer in the browser that showed the matchup, with its cookie kept; or open the poll for a fresh one.")


class NoCookie(Refusal):
    """The request came without the voter's cookie."""

    status = 403
    remedy = _("Allow this site's cookies and open the poll again.")


class BrokenCookie(Refusal):
    """The cookie is damaged, forged, outdated, or from another arena."""

    remedy = _("Open the poll again: you go on as a new voter.")


class ExpiredTicket(Refusal):
    """The ticket was handed out too long ago."""

    status = 410
    remedy = _("Open the poll again: you get a fresh matchup.")


class RevokedVoter(Refusal):
    """An admin has taken this voter's votes off the boards; no more are taken."""

    status = 403
    remedy = _("If you think that this is a mistake, tell the people who run this arena.")


class NothingToUndo(Refusal):
    """The ticket has no answer yet."""

    status = 409
    remedy = _("Answer the matchup first.")


class AlreadyRevealed(Refusal):
    """An answer cannot be taken back once the names are known: it would no longer be blind."""

    status = 409
    remedy = _("The vote stays as it is. Go on with the next matchup.")


class AlreadyUndone(Refusal):
    """The answer was taken back, and the matchup answered again."""

    status = 409
    remedy = _("Take back the later answer instead, if it is not revealed yet.")


class PollClosed(Refusal):
    """The matchup could not be answered again."""

    status = 409
    remedy = _("The vote stays as it is.")


class TooMany(Refusal):
    """More requests than a person makes; `seconds` says when to come back."""

    status = 429
    remedy = _("Wait a moment, then go on: nothing is lost.")

    def __init__(self, message: str, link: str, seconds: int) -> None:
        super().__init__(message, link)
        self.seconds = seconds


class WrongAnswer(Refusal):
    """The outcome is malformed, or this poll does not ask for it."""

    remedy = _("Go back to the matchup and answer with one of its buttons.")


class PromptRefused(Refusal):
    """A typed prompt that is not rendered."""

    remedy = _("Write 1 to 300 characters of tags, such as “1girl, solo, pink hair, smile, white background”.")


class NoPromptsHere(Refusal):
    """The poll asks its own prompts only, is closed, or has too few contestants."""

    status = 409
    remedy = _("Type your prompt in the free-prompt duel or the free for all, once contestants are ready.")


class StillRendering(Refusal):
    """The voter's earlier prompt is not finished."""

    status = 429
    remedy = _("Wait until it is ready, or cancel it; then type the next one.")


class UnknownPrompt(Refusal):
    """No such typed prompt, or somebody else's."""

    status = 404
    remedy = _("Type the prompt again in a poll with free prompts.")


class QueueDown(Refusal):
    """The worker's queue cannot be reached; voting goes on without it."""

    status = 503
    remedy = _("Vote on the matchups that are there already, and try your own prompt again in a few minutes.")
