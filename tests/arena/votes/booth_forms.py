"""What a browser without JavaScript does in the booth."""

import re

from django.test import Client

from arena.polls.models import Poll

HIDDEN = re.compile(r'name="(csrfmiddlewaretoken|ticket)" value="([^"]+)"')


def hidden_fields(page: str) -> dict[str, str]:
    """What a browser without JavaScript sends along with a button."""
    return dict(HIDDEN.findall(page))


def answer(browser: Client, poll: Poll, **fields: str):
    """Open the booth and press a button."""
    page = browser.get(f"/polls/{poll.kind}/").content.decode()
    return browser.post(f"/polls/{poll.kind}/vote", hidden_fields(page) | fields)


def reveal(browser: Client, path: str) -> str:
    """Press Reveal on the page of a recorded answer; the page that follows."""
    response = browser.post(f"{path}reveal", hidden_fields(browser.get(path).content.decode()))
    assert (response.status_code, response["Location"]) == (303, path)
    return browser.get(path).content.decode()
