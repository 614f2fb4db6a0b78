"""A browser and the built site, for the tests that look at pages as readers do."""

import os

import pytest
from playwright.sync_api import sync_playwright

from tools import site_rules
from tools.book import ROOT
from tools.site_rules import MODES, find_browser, new_context, serve

HTML = ROOT / "_build" / "html"


# Playwright keeps an event loop running; it must be gone before the next module's tests.
@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        path = find_browser(playwright.chromium.executable_path)
        if path is None:
            no_browser(os.environ)
        browser = playwright.chromium.launch(executable_path=path, args=site_rules.FLAGS)
        yield browser
        browser.close()


def no_browser(environ):
    """Skip on a laptop, fail where nobody would see that the tests were skipped."""
    reason = (
        "NO BROWSER: the site was not looked at. Install Chromium or Chrome, or run "
        "`.venv/bin/playwright install chromium`, or name a browser in RUNPROOF_BROWSER"
    )
    (pytest.fail if environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="module")
def contexts(browser):
    return {name: new_context(browser, mode) for name, mode in MODES.items()}


@pytest.fixture(scope="module")
def site():
    with serve(built(HTML), ROOT, *site_rules.repository(ROOT)) as served:
        yield served


def built(html):
    """Return the folder of the site, or say how to make it."""
    if not (html / "index.html").is_file():
        pytest.fail(f"{html} holds no site: run `make book` first", pytrace=False)
    return html
