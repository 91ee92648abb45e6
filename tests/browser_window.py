"""A real Chromium, started as the machine's own."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

# What a page takes on a busy machine; five seconds, the usual patience of an expectation, are not enough there.
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str:
    """Where Chromium is; AssertionError with the remedy when there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    assert path, "no Chromium: apt-get install chromium, or set CHROMIUM=/path/to/chrome"
    return path


@contextlib.contextmanager
def browser_page(*, width: int = 1280, height: int = 800, dark: bool = False, script: bool = True) -> Iterator[Page]:
    """A fresh browser with one page and no history."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=FLAGS)
        try:
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
                java_script_enabled=script,
            )
            context.set_default_timeout(PATIENCE_MS)
            yield context.new_page()
        finally:
            browser.close()


def screenshot(page: Page, folder: Path, name: str) -> None:
    """Keep a picture of the whole page as an artefact."""
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(folder / f"{name}.png"), full_page=True)
