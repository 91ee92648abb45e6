"""A real web server whose database, queue or store is away: pages say so and may be tried again."""

import json
import urllib.error
import urllib.parse
import urllib.request
from contextlib import closing
from pathlib import Path

from tests.arena.votes.voting_site import Browser, voting_site
from tests.site import Site, free_port, wait_for


def fetch(site: Site, path: str, accept: str = "text/html") -> tuple[int, dict[str, str], str]:
    """Status, headers and text of a page, whatever the status."""
    request = urllib.request.Request(site.url + path, headers={"Accept": accept})
    try:
        answer = urllib.request.urlopen(request, timeout=60)
    except urllib.error.HTTPError as error:
        answer = error
    with closing(answer):
        return answer.status, dict(answer.headers), answer.read().decode()


def test_without_its_database_the_site_says_so_and_logs_the_id(tmp_path: Path) -> None:
    site = Site(tmp_path, DATABASE_URL=f"postgres://arena:geheim@127.0.0.1:{free_port()}/arena")
    with site.process("web", "gunicorn", "arena.wsgi", "--bind", f"127.0.0.1:{site.port}"):
        wait_for("the first answer", lambda: answers(site))
        status, headers, page = fetch(site, "/")
        assert (status, "does not answer" in page) == (503, True)
        assert int(headers["Retry-After"]) > 0
        assert headers["X-Request-ID"] in page
        assert "geheim" not in page
        assert fetch(site, "/static/arena/base.css")[0] == 200
        status, _, text = fetch(site, "/status.json", accept="application/json")
        assert (status, json.loads(text)["status"]) == (503, 503)
        status, _, text = fetch(site, "/healthz")
        assert (status, json.loads(text)["status"]) == (503, "failing")
        assert "geheim" not in text
    log = (tmp_path / "web.log").read_text()
    assert f"[{headers['X-Request-ID']}] arena.errors OperationalError" in log
    assert "geheim" not in log


def answers(site: Site) -> bool:
    try:
        return fetch(site, "/healthz")[0] > 0
    except (urllib.error.URLError, ConnectionError):
        return False


def test_without_a_worker_voting_goes_on_and_a_prompt_is_turned_down_at_once(tmp_path: Path) -> None:
    with voting_site(Site(tmp_path)) as site:
        browser = Browser(site)
        browser.open_booth()
        status, answer = browser.post("/polls/duel/vote", outcome="1")
        assert status == 200, answer
        status, problem = browser.post("/polls/duel/prompt", prompt="1girl, smile")
        assert (status, problem["status"]) == (503, 503)
        assert "Voting goes on" in problem["detail"]
