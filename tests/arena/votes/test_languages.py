"""Pages in Japanese and Korean hold no English sentence that somebody forgot to put up for translation."""

import re
from html.parser import HTMLParser

import pytest
from django.test import Client

from arena.polls.models import Poll
from tests.arena.votes.building import RUN, ready_poll

pytestmark = pytest.mark.django_db
VOID = {"img", "input", "link", "meta", "br", "line", "circle", "path", "progress"}
SPOKEN = {"alt", "aria-label", "title", "placeholder"}
# Names, not sentences; the placeholder is a prompt, and prompts are in English.
NAMES = re.compile(
    rf"Illustration Arena|{RUN}[\w-]*( epoch \d+)?|1girl, solo[\w, ]*|fixed, duel, ffa|TrueSkill|Elo|CFG|μ|σ|W|L|D",
    re.I,
)
ENGLISH = re.compile(r"[A-Za-z]{2,}[ ,:]+[A-Za-z]{2,}")


class Words(HTMLParser):
    """What people read or hear of a page, without code, keys, and what says that it is in English."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        quiet = tag in {"script", "style", "code", "kbd"} or given.get("lang") == "en" or any(self.open)
        if not quiet:
            self.found += [value or "" for name, value in attrs if name in SPOKEN]
        if tag not in VOID:
            self.open.append(quiet)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if not any(self.open):
            self.found.append(data)


def english(page: str) -> list[str]:
    words = Words()
    words.feed(page)
    return [text.strip() for text in words.found if ENGLISH.search(NAMES.sub("", text))]


def answered(browser: Client, kind: str) -> str:
    """The address of what was recorded."""
    page = browser.get(f"/polls/{kind}/").content.decode()
    fields = dict(re.findall(r'name="(csrfmiddlewaretoken|ticket)" value="([^"]+)"', page))
    return browser.post(f"/polls/{kind}/vote", fields | {"outcome": "1"})["Location"]


def test_the_search_finds_english() -> None:
    assert english("<p>投票 <b>Vote now</b></p><p lang='en'>this one not</p><img alt='Left image'>") == [
        "Vote now",
        "Left image",
    ]


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_no_page_holds_an_english_sentence(language: str) -> None:
    for kind in ("fixed", "duel", "ffa"):
        ready_poll(kind, contestants=5)
        Poll.objects.filter(kind=kind).update(question="Which image do you prefer?", goal=2)
    browser = Client(headers={"accept-language": language})
    recorded = [answered(browser, "duel"), answered(browser, "duel"), answered(browser, "ffa")]
    browser.post(f"{recorded[1]}reveal")
    browser.post(f"{recorded[2]}reveal")
    Poll.objects.filter(kind="fixed").update(is_open=False)
    pages = ["/", "/polls/duel/", "/polls/ffa/", "/polls/fixed/", "/polls/none/", "/settings/", "/me/", "/privacy/"]
    pages += ["/account/", "/account/in", "/account/new"]
    pages += ["/status/", "/boards/trueskill/", "/boards/elo/duel/", "/boards/none/", "/nowhere/", *recorded]
    for path in pages:
        page = browser.get(path).content.decode()
        assert f'<html lang="{language}"' in page, path
        assert english(page) == [], path
