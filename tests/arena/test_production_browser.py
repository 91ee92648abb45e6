"""A real browser under the Content-Security-Policy: no page of the site or of its admin runs into it."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.arena.votes.voting_site import voting_site
from tests.browser_window import browser_page
from tests.site import Site

pytestmark = pytest.mark.browser
PAGES = ("/", "/polls/duel/", "/boards/", "/status/", "/privacy/", "/nowhere")
ADMIN = (
    "import django; django.setup();"
    "from django.contrib.auth.models import User; User.objects.create_superuser('admin', password='only-of-this-test')"
)


def test_no_page_breaks_its_own_policy(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with voting_site(site), browser_page() as page:
        site.command("-c", ADMIN)
        refused: list[str] = []

        def listen(message: ConsoleMessage) -> None:
            if "Content Security Policy" in message.text:
                refused.append(f"{page.url}: {message.text}")

        page.on("console", listen)
        for path in PAGES:
            page.goto(site.url + path, wait_until="load")
        assert refused == []
        walk_admin(page, site)
        assert refused == []


def walk_admin(page: Page, site: Site) -> None:
    """Sign in, open every list, every form for something new, and of every list its first row."""
    page.goto(f"{site.url}/admin/login/")
    page.fill("#id_username", "admin")
    page.fill("#id_password", "only-of-this-test")
    page.click("input[type=submit]")
    expect(page).to_have_title(re.compile("^Site administration"))
    lists = addresses(page, "#content .module th a")
    assert len(lists) > 8
    for address in lists:
        page.goto(address)
        assert page.locator("#changelist").count() == 1, address
        further = [*addresses(page, ".object-tools a")[:1], *addresses(page, "#result_list th a")[:1]]
        for form in further:
            answer = page.goto(form)
            assert answer is not None
            assert answer.status == 200, form
            # The admin's scripts have run under the policy: its filter boxes and date pickers are theirs.
            assert page.evaluate("typeof window.django") == "object", form


def addresses(page: Page, selector: str) -> list[str]:
    return [str(link.evaluate("link => link.href")) for link in page.locator(selector).all()]


def test_the_policy_stops_a_script_and_a_style_in_the_page(tmp_path: Path) -> None:
    """The listener above would hear it."""
    site = Site(tmp_path)
    with voting_site(site), browser_page() as page:
        page.goto(f"{site.url}/privacy/")
        with page.expect_console_message(refusal("script-src")), page.expect_console_message(refusal("style-src")):
            page.evaluate(
                "() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
                " document.body.append(script);"
                " document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\">'); }"
            )
        assert page.evaluate("window.ran") is None


def refusal(rule: str) -> Callable[[ConsoleMessage], bool]:
    """Tells the browser's complaint about this part of the policy from other messages."""
    return lambda message: "Content Security Policy" in message.text and rule in message.text
