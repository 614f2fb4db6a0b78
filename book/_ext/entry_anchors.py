"""Sphinx extension: let links find the permanent anchors of interview entries.

An entry opens with ``<a id="slug"></a>``, which Jupyter and Colab understand too. MyST knows
only anchors that it made itself; this tells it of ours, so that a link to a missing entry is a
warning, as any other missing target is.
"""

import re

from docutils import nodes

ANCHOR = re.compile(r'<a id="([\w-]+)">')


def register(app, doctree):
    """Add the page's raw anchors to the table in which MyST looks links up."""
    slugs = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for raw in doctree.findall(nodes.raw):
        for slug in ANCHOR.findall(raw.astext()):
            slugs[slug] = (raw.line or 0, slug, slug)


def setup(app):
    """Register the extension."""
    app.connect("doctree-read", register)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
