"""Picture every page of the built site, to look at it as readers see it.

``python -m tools.screenshots [FOLDER [PART_OF_NAME ...]]`` writes one full-page PNG for each
page, window width and color mode into FOLDER (default ``_build/screenshots``).
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.site_rules import (
    FLAGS,
    Mode,
    find_browser,
    new_context,
    repository,
    serve,
    site_pages,
    visit,
)

ROOT = Path(__file__).resolve().parents[1]
MODES = [Mode(theme, width) for width in (1280, 390, 360) for theme in ("light", "dark")]


def main():
    """Write the pictures and name the folder they lie in."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    html = ROOT / "_build" / "html"
    wanted = [page for page in site_pages(html) if any(p in page for p in sys.argv[2:] or [""])]
    with sync_playwright() as playwright, serve(html, ROOT, *repository(ROOT)) as site:
        path = find_browser(playwright.chromium.executable_path)
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        for mode in MODES:
            context = new_context(browser, mode)
            for page in wanted:
                name = page.removesuffix(".html").replace("/", "-")
                with visit(context, site, page, mode) as seen:
                    seen.page.wait_for_timeout(600)  # menus that slide into place
                    target = folder / f"{name}-{mode.width}-{mode.theme}.png"
                    seen.page.screenshot(path=target, full_page=True)
            context.close()
        browser.close()
    print(f"{len(wanted) * len(MODES)} pictures in {folder}")


if __name__ == "__main__":
    main()
