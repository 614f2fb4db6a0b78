"""Tables as HTML that everybody can read: named, and scrolling in a box of their own."""

from html import escape


def table(name, caption, head, body, *, label=None, kind=None):
    """Return an accessible table.

    Parameters
    ----------
    name : str
        CSS class of the box.
    caption : str
        The table's caption, plain text.
    head, body : str
        HTML of the rows.
    label : str, optional
        What a screen reader says of the box; by default the caption.
    kind : str, optional
        CSS class of the table itself.

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> from runproof.html import header, table
    >>> made = table("prices", "Prices", header(["item"]), "<tr><td>tea</td></tr>")
    >>> made[made.index("<thead>") : made.index("<tbody>")]
    '<thead><tr><th scope="col">item</th></tr></thead>'
    """
    opened = f'<table class="{kind}">' if kind else "<table>"
    return (
        f'<div class="{name}" style="overflow-x:auto" tabindex="0" role="region" '
        f'aria-label="{escape(label or caption)}">{opened}<caption>{escape(caption)}</caption>'
        f"<thead>{head}</thead><tbody>{body}</tbody></table></div>"
    )


def header(names):
    """Return one row of column names.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    str
        HTML.

    Examples
    --------
    >>> from runproof.html import header
    >>> header(["x"])
    '<tr><th scope="col">x</th></tr>'
    """
    return "<tr>" + "".join(f'<th scope="col">{escape(name)}</th>' for name in names) + "</tr>"
