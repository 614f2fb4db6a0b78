"""Picture every page of the built site, to look at it as readers see it."""

from pathlib import Path

from playwright.sync_api import sync_playwright

from tools.book import ROOT
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

MODES = [Mode(theme, width) for width in (1280, 390, 360) for theme in ("light", "dark")]


def take(folder=None, parts=()):
    """Write one full-page PNG for each page, window width and color mode.

    Parameters
    ----------
    folder : str, optional
        Where to; by default ``_build/screenshots``.
    parts : sequence of str
        Only pages whose names hold one of these; by default all.

    Returns
    -------
    str
        How many pictures lie where.
    """
    folder = Path(folder or ROOT / "_build" / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    html = ROOT / "_build" / "html"
    wanted = [page for page in site_pages(html) if any(p in page for p in parts or [""])]
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
    return f"{len(wanted) * len(MODES)} pictures in {folder}"
