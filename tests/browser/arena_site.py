"""One served arena with all three polls, and windows of one real Chromium on it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.browser_window import FLAGS, PATIENCE_MS, chromium_path
from tests.site import Site, wait_for

GOAL = 4
SEED = f"""
import random
import django
django.setup()
from django.conf import settings
from django.core import signing
from django.utils import timezone
from arena.evaluations.models import EvaluationRun
from arena.gallery.models import Character, Contestant
from arena.leaderboard.external import import_votes
from arena.polls.models import Poll
from arena.votes.casting import cast, issue_ticket
from arena.votes.models import Ticket, Voter
from arena.votes.voters import COOKIE, SALT
from tests.arena.votes.building import make_poll, ready_poll
for kind, contestants in (("fixed", 3), ("duel", 3), ("ffa", 5)):
    ready_poll(kind, contestants=contestants, prompts=20)
Character.objects.create(name="mei lin", tags=["1girl"])
Poll.objects.update(goal={GOAL})
EvaluationRun.objects.create(contestant=Contestant.objects.first(), state="running", done=3, total=9, gpu_seconds=8.1)
battles = settings.HOME / "battles.csv"
battles.write_text("model_a,model_b,winner\\n" + "anna,bert,model_a\\nbert,anna,model_a\\n" * 6)
import_votes(battles, "other-arena", source="https://example.org")
voter = Voter.objects.create()
poll = Poll.objects.get(kind="duel")
for number in range(32):
    ticket = issue_ticket(poll, voter, random.Random(number))
    cast(ticket.token, "12"[number % 2], voter)
Ticket.objects.filter(voter=voter).update(revealed_at=timezone.now())
print(signing.get_cookie_signer(salt=COOKIE + SALT).sign(voter.key))
"""


VOTES_OF = """
SELECT vote.outcome, exclusion.rule FROM votes_vote vote
JOIN votes_ticket ticket ON ticket.id = vote.ticket_id JOIN votes_voter voter ON voter.id = ticket.voter_id
LEFT JOIN votes_voteexclusion exclusion ON exclusion.vote_id = vote.id
WHERE voter.key = ? ORDER BY vote.number
"""


@dataclass
class Arena:
    """A served site, the cookie of a voter with 32 revealed votes, and the browser."""

    site: Site
    veteran: str
    browser: Browser

    @contextlib.contextmanager
    def window(
        self, *, veteran: bool = False, script: bool = True, touch: bool = False, **options: Any
    ) -> Iterator[Page]:
        """A page of a browser without history; what its scripts complain about ends the test."""
        size = {"width": 360, "height": 740} if touch else {"width": 1280, "height": 800}
        settings = {"viewport": size, "has_touch": touch, "is_mobile": touch, "locale": "en-GB"} | options
        context = self.browser.new_context(base_url=self.site.url, java_script_enabled=script, **settings)
        context.set_default_timeout(PATIENCE_MS)
        if veteran:
            context.add_cookies([{"name": "arena_voter", "value": self.veteran, "url": self.site.url}])
        page = context.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if breaks_policy(message) else None)
        try:
            yield page
            assert complaints == []
        finally:
            context.close()

    def votes(self, page: Page) -> list[str]:
        """The outcomes in the log of this window's voter, oldest first; those taken back are marked."""
        cookie = next(c["value"] for c in page.context.cookies() if c["name"] == "arena_voter")
        found = self.site.rows(VOTES_OF, cookie.split(":", 1)[0])
        return [outcome + f" {rule}" * (rule is not None) for outcome, rule in found]


def breaks_policy(message: ConsoleMessage) -> bool:
    """Whether the browser refused something; its own page around a bare image does not count."""
    return "Content Security Policy" in message.text and not message.location["url"].endswith(".png")


@contextlib.contextmanager
def serving(site: Site) -> Iterator[str]:
    """Fill the arena and serve it by gunicorn; the cookie of the veteran."""
    site.home.mkdir(parents=True, exist_ok=True)
    site.manage("migrate", "-v0")
    veteran = site.command("-c", SEED).strip()
    with site.process("web", "gunicorn", "arena.wsgi", "--bind", f"127.0.0.1:{site.port}", "--threads", "4"):
        wait_for("the first answer of the web server", site.healthy)
        yield veteran


@contextlib.contextmanager
def chromium() -> Iterator[Browser]:
    """A real Chromium without windows."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def serious(page: Page, *rules: str) -> list[str]:
    """What axe-core finds serious or critical on the page as it is now, by rule and element."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    only = {"runOnly": {"type": "rule", "values": list(rules)}} if rules else {}
    found = page.evaluate("options => axe.run(options)", {"resultTypes": ["violations"]} | only)
    return [
        f"{violation['id']}: {node['target']} {node['failureSummary']}"
        for violation in found["violations"]
        if violation["impact"] in {"serious", "critical"}
        for node in violation["nodes"]
    ]
