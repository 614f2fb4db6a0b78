"""What every page of the built site must keep, as seen by a real browser.

Each rule takes a :class:`Visit`, one page loaded in one mode, and returns its complaints;
an empty list means that the page keeps the rule. :data:`RULES` says which rules are asked
in which mode, and :func:`complaints` asks them.
"""

import functools
import os
import shutil
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import yaml
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Error as BrowserError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--no-proxy-server",
    # No other host is ever reached, so a page that asks for one fails in the same way everywhere.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
SERIOUS = ("serious", "critical")


@dataclass(frozen=True)
class Mode:
    """How a page is looked at: color mode and window size in CSS pixels."""

    theme: str
    width: int
    height: int = 900


MODES = {"light": Mode("light", 1280), "dark": Mode("dark", 1280), "phone": Mode("light", 360, 740)}


@dataclass(frozen=True)
class Site:
    """A built site, the folder its sources stand in, and where it is served."""

    html: Path
    root: Path
    origin: str
    repository: str
    branch: str

    def file(self, url):
        """Return the file that the server would answer `url` with."""
        path = self.html / unquote(urlsplit(url).path).lstrip("/")
        return path / "index.html" if path.is_dir() else path


@dataclass
class Visit:
    """One page in one mode, with everything the browser reported while loading it."""

    site: Site
    path: str
    mode: Mode
    page: object
    requests: list = field(default_factory=list)
    failures: list = field(default_factory=list)
    errors: list = field(default_factory=list)


def site_pages(html):
    """Return every page of a built site; templates in ``_static`` are no pages."""
    found = (path.relative_to(html) for path in html.rglob("*.html"))
    # The index only sends readers on to the home page; a test of its own looks at it.
    pages = {path.as_posix() for path in found if not path.parts[0].startswith("_")}
    return sorted(pages - {"index.html"})


def repository(root):
    """Return the address and the branch that ``_config.yml`` names."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"].rstrip("/"), config["repository"]["branch"]


def find_browser(own=None, environ=os.environ):
    """Return the browser to use: named in RUNPROOF_BROWSER, the system's, or Playwright's own."""
    if named := environ.get("RUNPROOF_BROWSER"):
        if path := shutil.which(named, path=environ.get("PATH")):
            return path
        raise FileNotFoundError(f"RUNPROOF_BROWSER names {named!r}, which is no program")
    for name in BROWSERS:
        if path := shutil.which(name, path=environ.get("PATH")):
            return path
    return own if own and Path(own).is_file() else None


@contextmanager
def serve(html, root, repository, branch):
    """Serve a folder on loopback for the length of a ``with`` block."""
    handler = functools.partial(_QuietHandler, directory=str(html))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            origin = f"http://127.0.0.1:{server.server_port}"
            yield Site(Path(html), Path(root), origin, repository, branch)
        finally:
            server.shutdown()
            thread.join()


class _QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


def new_context(browser, mode):
    """Return a browser window in one mode, with the theme's own switch set before any load."""
    context = browser.new_context(
        viewport={"width": mode.width, "height": mode.height},
        color_scheme=mode.theme,
        reduced_motion="reduce",
    )
    context.set_default_timeout(20_000)
    context.add_init_script(
        f"for (const key of ['mode', 'theme']) localStorage.setItem(key, '{mode.theme}')"
    )
    return context


@contextmanager
def visit(context, site, path, mode):
    """Load a page, wait until its fonts and formulas are there, and unfold what is folded."""
    page = context.new_page()
    seen = Visit(site, path, mode, page)
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("requestfailed", lambda request: _note_failure(seen, request))
    page.on("response", lambda response: _note_response(seen, response))
    page.on("pageerror", lambda error: seen.errors.append(str(error)))
    page.on("console", lambda message: _note_console(seen, message))
    try:
        page.goto(f"{site.origin}/{path}")
        page.evaluate(SETTLE)
        yield seen
    finally:
        page.close()


def _note_failure(seen, request):
    # A player stops loading when it knows enough of a film; one that is missing answers 404.
    if (request.resource_type, request.failure) != ("media", "net::ERR_ABORTED"):
        seen.failures.append(f"{request.url}: {request.failure}")


def _note_response(seen, response):
    if response.status >= 400:
        seen.failures.append(f"{response.url}: {response.status}")


def _note_console(seen, message):
    # A file that does not load is reported by the rules about requests.
    if message.type == "error" and not message.text.startswith("Failed to load resource"):
        seen.errors.append(message.text)


SETTLE = """async () => {
    await document.fonts.ready;
    if (window.MathJax?.startup?.promise) await MathJax.startup.promise;
    // Rules look into folded solutions too, when they have faded in.
    document.querySelectorAll("details").forEach(details => { details.open = true; });
    await new Promise(requestAnimationFrame);
    document.getAnimations().forEach(animation => animation.finish());
    // Two frames: what scripts do on load is drawn, and what they ask for is requested.
    for (let i = 0; i < 2; i++) await new Promise(requestAnimationFrame);
}"""


def no_error_in_the_console(seen):
    """No script fails, and nothing is reported as an error."""
    return list(seen.errors)


def no_other_host(seen):
    """Everything comes from the site itself."""
    own = (seen.site.origin + "/", "data:", "blob:")
    return [f"asks another host: {url}" for url in seen.requests if not url.startswith(own)]


def nothing_missing(seen):
    """Every file of its own that the page asks for is there."""
    return [what for what in seen.failures if what.startswith(seen.site.origin)]


def color_mode(seen):
    """The page shows the color mode that its reader chose."""
    shown = seen.page.evaluate("document.documentElement.dataset.theme")
    return [] if shown == seen.mode.theme else [f"shows {shown!r}, not {seen.mode.theme!r}"]


def head(seen):
    """Language, title and exactly one heading of the first rank."""
    found = seen.page.evaluate(HEAD)
    wrong = []
    if not found["lang"]:
        wrong.append("<html> has no lang attribute")
    if not found["title"].strip() or "<no title>" in found["title"]:
        wrong.append("no <title>")
    if len(found["h1"]) != 1:
        wrong.append(f"{len(found['h1'])} headings of rank 1: {found['h1']}")
    return wrong


# The theme repeats the heading in a block that only printers show.
HEAD = """() => ({
    lang: document.documentElement.lang,
    title: document.title,
    h1: [...document.querySelectorAll("h1")].filter(h => h.checkVisibility()).map(h => h.innerText),
})"""


def math_typeset(seen):
    """Every formula is typeset, and no raw TeX or MyST markup is left in the text."""
    return seen.page.evaluate(MATH)


MATH = r"""() => {
    const wrong = [];
    for (const math of document.querySelectorAll(".math")) {
        const set = math.querySelector("mjx-container mjx-math");
        const size = set?.getBoundingClientRect();
        if (!set) wrong.push("formula not typeset: " + math.textContent.trim().slice(0, 60));
        else if (math.checkVisibility() && !(size.width && size.height))
            wrong.push("formula without size: " + math.textContent.trim().slice(0, 60));
    }
    for (const error of document.querySelectorAll("mjx-merror"))
        wrong.push("formula with an error: " + error.textContent.slice(0, 60));
    const tex = /\\\(|\\\[|\$\$|\$[^$\n]*[\\^_][^$\n]*\$|\\begin\{/;
    const myst = /\{(cite|ref|doc|math|include|grid)[^}]*\}|^:::/m;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        if (node.parentElement.closest("pre, code, script, style, .math")) continue;
        if (tex.test(node.data) || myst.test(node.data))
            wrong.push("raw markup: " + node.data.trim().slice(0, 60));
    }
    return wrong;
}"""


def accessible(seen):
    """axe finds nothing serious or critical."""
    return _axe(seen, structure=True)


def contrast(seen):
    """axe finds enough contrast; the structure is that of the light page of this width."""
    return _axe(seen, structure=False)


def _axe(seen, structure):
    seen.page.evaluate(AXE_SCRIPT)
    return [
        f"{rule['id']} ({rule['impact']}): {node['html'][:120]} {_first_message(node)}"
        for rule in seen.page.evaluate(AXE, structure)
        if rule["impact"] in SERIOUS
        for node in rule["nodes"]
    ]


# The contrast of a text depends on its color, size, weight and background, so one text of each
# look is enough. What is inside a formula, and bare spans that repeat a look (words of code and
# of signatures), are taken out first: axe would spend a minute on them.
AXE = """async (structure) => {
    const behind = e => {
        const {backgroundColor: color, backgroundImage: image, opacity} = getComputedStyle(e);
        const opaque = color.startsWith("rgb(") && opacity === "1";
        return `${color} ${image} ${opacity};` +
            (opaque || !e.parentElement ? "" : behind(e.parentElement));
    };
    const bare = e => e.tagName === "SPAN" && !e.children.length &&
        e.getAttributeNames().every(name => name === "class");
    document.querySelectorAll("mjx-container").forEach(e => e.replaceChildren());
    const looks = new Map(), repeated = [];
    for (const e of document.querySelectorAll("body *")) {
        if (!e.checkVisibility()) continue;
        if (bare(e) && !e.textContent.trim()) repeated.push(e);
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const {color, fontSize, fontWeight} = getComputedStyle(e);
        const look = [color, fontSize, fontWeight, behind(e)].join();
        if (!looks.has(look)) looks.set(look, e);
        else if (bare(e)) repeated.push(e);
    }
    repeated.forEach(e => e.replaceWith(e.textContent));
    const parts = await axe.run([...looks.values()], {runOnly: ["color-contrast"]});
    if (!structure) return parts.violations;
    const whole = await axe.run(document, {rules: {"color-contrast": {enabled: false}}});
    return [...whole.violations, ...parts.violations];
}"""


def _first_message(node):
    return next((check["message"] for check in node["any"] + node["all"] + node["none"]), "")


def no_sideways_scroll(seen):
    """The page fits the window; only a box of its own may be wider than the window."""
    return seen.page.evaluate(SIDEWAYS)


SIDEWAYS = """() => {
    const root = document.scrollingElement, width = root.clientWidth, wrong = [];
    const scrolls = e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
    const boxed = e => e && e !== root && (scrolls(e) || boxed(e.parentElement));
    if (root.scrollWidth > width) wrong.push(`page is ${root.scrollWidth} px wide, not ${width}`);
    // What is cut off at the edge cannot be scrolled to either. MathJax hides a copy for readers.
    for (const e of document.querySelectorAll("main *")) {
        if (e.closest("mjx-assistive-mml") || !e.checkVisibility({visibilityProperty: true}))
            continue;
        const right = e.getBoundingClientRect().right;
        if (right > width + 1 && !boxed(e.parentElement))
            wrong.push(`ends at ${Math.round(right)} px: ${e.cloneNode().outerHTML.slice(0, 90)}`);
    }
    return wrong.slice(0, 8);
}"""


def images(seen):
    """Every image loads and says in words what it shows."""
    return seen.page.evaluate(IMAGES)


IMAGES = r"""async () => {
    const wrong = [];
    for (const img of document.images) {
        img.loading = "eager";
        await img.decode().catch(() => {});
        const alt = (img.getAttribute("alt") ?? "").trim(), name = img.src.slice(-60);
        if (!img.naturalWidth) wrong.push("does not load: " + name);
        if (!alt) wrong.push("no alt text: " + name);
        if (/[\w-]+\.(png|svg|jpe?g|gif|webp)$|^[\w.-]*\/\S*$/i.test(alt))
            wrong.push("alt text is a file: " + alt);
    }
    return wrong;
}"""


def links(seen):
    """Every link within the site leads to a page that is there, and to an anchor on it."""
    hrefs = seen.page.evaluate("[...document.querySelectorAll('a[href]')].map(a => a.href)")
    base = f"{seen.site.origin}/{seen.path}"
    return [what for href in sorted(set(hrefs)) if (what := _dead(seen.site, urljoin(base, href)))]


def _dead(site, url):
    if not url.startswith(f"{site.origin}/"):
        return None
    target, fragment = site.file(url), unquote(urlsplit(url).fragment)
    if not target.is_file():
        return f"leads nowhere: {url}"
    if fragment and fragment not in anchors(target, target.stat().st_mtime_ns):
        return f"no such anchor: {url}"
    return None


@functools.cache
def anchors(path, changed):
    """Return the ids of a page; `changed` keeps the answer fresh."""
    parser = _Anchors()
    parser.feed(path.read_text(encoding="utf-8"))
    return parser.found


class _Anchors(HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = {"top"}

    def handle_starttag(self, tag, attrs):
        self.found |= {value for name, value in attrs if name in ("id", "name") and value}


def copy_buttons(seen):
    """Code can be copied with a button; what code printed needs none."""
    return seen.page.evaluate(COPY)


COPY = """() => [...document.querySelectorAll("div.highlight > pre")]
    .filter(pre => !pre.closest(".cell_output"))
    .filter(pre => !pre.parentElement.querySelector("button.copybtn"))
    .map(pre => "no copy button: " + pre.innerText.slice(0, 60))"""


def launch_buttons(seen):
    """A chapter opens in Colab and Binder, and its notebook downloads as it was committed."""
    if not seen.path.startswith("notebooks/"):
        return []
    notebook = str(Path(seen.path).with_suffix(".ipynb"))
    owner_name = urlsplit(seen.site.repository).path.strip("/")
    wanted = {
        "Colab": f"https://colab.research.google.com/github/{owner_name}/blob/{seen.site.branch}/{notebook}",
        "Binder": f"https://mybinder.org/v2/gh/{owner_name}/{seen.site.branch}?urlpath=lab/tree/{notebook}",
    }
    found = seen.page.evaluate(BUTTONS)
    wrong = [f"no {name} button for {url}" for name, url in wanted.items() if url not in found]
    return wrong + _wrong_download(seen, notebook, [url for url in found if url.endswith(".ipynb")])


BUTTONS = "[...document.querySelectorAll('.article-header-buttons a[href]')].map(a => a.href)"


def _wrong_download(seen, notebook, urls):
    committed = seen.site.root / notebook
    files = [seen.site.file(url) for url in urls if url.startswith(seen.site.origin)]
    if not files:
        return [f"no download button for {notebook}"]
    if not all(f.is_file() and f.read_bytes() == committed.read_bytes() for f in files):
        return [f"the download is not the committed {notebook}"]
    return []


EVERYWHERE = (no_error_in_the_console, no_other_host, nothing_missing, color_mode, math_typeset)
RULES = {
    "light": (*EVERYWHERE, head, images, links, copy_buttons, launch_buttons, accessible),
    "dark": (*EVERYWHERE, contrast),
    "phone": (*EVERYWHERE, no_sideways_scroll, accessible),
}


def complaints(context, site, path, name):
    """Load a page in the mode called `name`; return what each broken rule complains about."""
    try:
        with visit(context, site, path, MODES[name]) as seen:
            asked = {rule.__name__: rule(seen) for rule in RULES[name]}
    except BrowserError as error:
        return {"load": [str(error)]}
    return {rule: wrong for rule, wrong in asked.items() if wrong}
