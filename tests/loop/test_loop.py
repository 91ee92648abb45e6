"""The whole loop on real parts: data set, one short epoch, HTTP, worker, a browser that votes and ranks, the boards."""

import json
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser_window import browser_page, screenshot
from tests.site import ROOT, Site, wait_for

pytestmark = [pytest.mark.loop, pytest.mark.browser, pytest.mark.timeout(1800)]
PICTURES = ROOT / "var" / "screenshots"
POLLS = {"fixed": "ArrowLeft", "duel": "ArrowRight", "ffa": "3"}


def train_one_short_epoch(site: Site, prepared: Path) -> None:
    site.command(
        "-m", "training", "train", "named-adventurers",
        "--data", str(prepared), "--base", str(site.home / "base" / "base"), "--out", str(site.home / "runs"),
        "--arena", site.url, "--epochs", "1", "--steps-per-epoch", "6", "--threads", "1",
    )  # fmt: skip


def vote_by_keyboard(page: Page, site: Site, kind: str, key: str) -> None:
    """Answer one matchup with one key, land on what was recorded, and reveal it with another key."""
    seats = 4 if kind == "ffa" else 2
    page.goto(f"{site.url}/polls/{kind}/")
    images = page.locator("main img[src^='/images/']")
    expect(images).to_have_count(seats)
    for image in images.all():
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") >= 64
    screenshot(page, PICTURES, f"vote-{kind}")
    assert "epoch" not in page.content().lower().replace("1 epoch", ""), "nothing names the checkpoints before the vote"
    page.keyboard.press(key)
    page.wait_for_url("**/votes/**")
    names = page.locator("main figcaption a[href^='/checkpoints/']")
    expect(names).to_have_count(0)
    screenshot(page, PICTURES, f"recorded-{kind}")
    page.keyboard.press("Enter")
    expect(names).to_have_count(seats)
    screenshot(page, PICTURES, f"reveal-{kind}")


def votable(site: Site, page: Page, kind: str) -> bool:
    page.goto(f"{site.url}/polls/{kind}/")
    return page.locator("main img[src^='/images/']").count() > 0


def rank_by_keyboard(page: Page, site: Site, order: str) -> None:
    """Rank all four images with keys alone, best first."""
    page.goto(f"{site.url}/polls/ffa/")
    page.keyboard.press("r")
    for key in order:
        page.keyboard.press(key)
    screenshot(page, PICTURES, "rank-ffa")
    page.keyboard.press("Enter")
    page.wait_for_url("**/votes/**")
    expect(page.get_by_role("heading", name="your ranking")).to_be_visible()


def board_rows(site: Site) -> list[dict[str, Any]]:
    return list(site.get("/api/leaderboard?metric=trueskill")["rows"])


def is_the_epoch(row: dict[str, Any]) -> bool:
    return str(row["run"]).startswith("named-adventurers") and row["epoch"] == 1


def test_the_loop_turns(tmp_path: Path) -> None:
    # Playwright answers sooner than a person can, which screening would set aside.
    site = Site(tmp_path, ARENA_MIN_ANSWER_MS="0")
    dataset = tmp_path / "dataset"
    site.command(
        "-m",
        "training",
        "dataset",
        "demo",
        "--out",
        str(dataset),
        "--seed",
        "1",
        "--images",
        "48",
        "--named-per-character",
        "8",
    )
    prepared = tmp_path / "prepared"
    site.command("-m", "training", "prepare", str(dataset), "--out", str(prepared), "--config", "demo")
    site.command("-m", "training", "base", "unpack", "--out", str(tmp_path / "base"))
    site.manage("migrate", "--verbosity", "0")
    site.manage("seed_polls", "--dataset", str(dataset))
    with site.serving(), site.worker():
        for folder in sorted(path for path in (tmp_path / "base").iterdir() if path.is_dir()):
            site.manage("register_checkpoint", str(folder))
        train_one_short_epoch(site, prepared)
        with browser_page() as page:
            for kind, key in POLLS.items():
                wait_for(f"a matchup of {kind}", lambda kind=kind: votable(site, page, kind), 180)
                vote_by_keyboard(page, site, kind, key)
            rank_by_keyboard(page, site, "3142")
            page.goto(f"{site.url}/boards/trueskill/")
            screenshot(page, PICTURES, "board")
            page.goto(f"{site.url}/status/")
            screenshot(page, PICTURES, "status")
            wait_for("the epoch among the contestants", lambda: any(is_the_epoch(row) for row in board_rows(site)), 240)
            site.manage("simulate_voters", "--count", "6", "--votes", "12")
            page.goto(f"{site.url}/boards/trueskill/?population=simulated")
            screenshot(page, PICTURES, "board-simulated")

    rows = json.loads(site.manage("leaderboard", "--metric", "trueskill", "--format", "json"))
    assert sum(row["votes"] for row in rows) == 2 + 2 + 4 + 4, "one vote with two seats, another, and two with four"
    assert sum(row["wins"] for row in rows) >= 3
    assert any(is_the_epoch(row) for row in rows)
    simulated = json.loads(site.manage("leaderboard", "--population", "simulated", "--format", "json"))
    assert sum(row["votes"] for row in simulated) > 12, "simulated votes have their own boards"
    for kind in POLLS:
        elo = json.loads(site.manage("leaderboard", "--metric", "elo", "--poll", kind, "--format", "json"))
        rated = [row["value"] for row in elo if row["votes"]]
        assert sum(rated) == pytest.approx(1500 * len(rated)), "Elo only moves points around"
