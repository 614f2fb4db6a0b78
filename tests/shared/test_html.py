"""Tables as HTML: named for everybody, escaped, scrolling in a box of their own."""

from html.parser import HTMLParser

from runproof.html import header, table


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_a_table_is_named_and_scrolls():
    made = Reader(table("prices", 'Prices & "taxes"', header(["<item>"]), "<tr><td>tea</td></tr>"))
    tag, box = made.tags[0]
    assert tag == "div"
    assert box == {
        "class": "prices",
        "style": "overflow-x:auto",
        "tabindex": "0",
        "role": "region",
        "aria-label": 'Prices & "taxes"',
    }
    assert [tag for tag, _ in made.tags[1:]] == [
        *("table", "caption", "thead", "tr", "th", "tbody", "tr", "td")
    ]
    assert made.text == ['Prices & "taxes"', "<item>", "tea"]


def test_a_box_may_have_another_name_than_its_caption():
    made = Reader(table("x", "A long caption", "", "", label="Short", kind="table"))
    assert made.tags[0][1]["aria-label"] == "Short"
    assert made.tags[1] == ("table", {"class": "table"})
    assert made.text == ["A long caption"]


def test_a_header_names_its_columns():
    assert Reader(header(["a", "b"])).tags == [
        ("tr", {}),
        ("th", {"scope": "col"}),
        ("th", {"scope": "col"}),
    ]
