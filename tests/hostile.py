"""Texts that try to become more than text on a page, and what a page may be made of."""

from __future__ import annotations

from html.parser import HTMLParser

from rag.schema import Paper

HOSTILE = (
    "<script>window.pwned = 1</script>",
    "<img src=x onerror='window.pwned = 1'>",
    '"><svg onload=window.pwned=1>',
    "'><body onload=window.pwned=1>",
    "</template><script>window.pwned = 1</script>",
    "</textarea><script>window.pwned = 1</script>",
    "</style><script>window.pwned = 1</script>",
    "<iframe srcdoc='<script>parent.pwned = 1</script>'></iframe>",
    "<a href='javascript:window.pwned=1'>here</a>",
    "[here](javascript:window.pwned=1)",
    "![remote](https://evil.example/x.png)",
    "<img src=https://evil.example/x.png>",
    "<form action=https://evil.example><button>OK</button></form>",
    "<div style='position:fixed;inset:0'>overlay</div>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example'>",
    "<base href=https://evil.example/>",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned = 1}",
    "{{#each value}}<img src=x onerror=window.pwned=1>{{/each}}",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=window.pwned=1>",
    "\u202e<script>window.pwned=1</script>\u202c",
    "<scr\x00ipt>window.pwned=1</scr\x00ipt>",
    "&lt;script&gt;window.pwned=1&lt;/script&gt;",
    "<button data-do='remove' data-id='1'>Remove</button>",
    "<p id='current'>fake</p>",
)

_TAGS = {
    *("a", "article", "aside", "b", "bdi", "button", "details", "div", "h2", "h3", "label", "li"),
    *("mark", "p", "progress", "section", "span", "summary", "sup", "template", "textarea", "ul"),
}
_ATTRIBUTES = {
    *("class", "dir", "hidden", "href", "role", "rows", "tabindex", "target", "rel", "title"),
    *("type", "download", "max", "maxlength", "open", "value", "id"),
}


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _TAGS:
            self.wrong.append(f"<{tag}>")
        for name, value in attrs:
            if name not in _ATTRIBUTES and not name.startswith(("data-", "aria-")):
                self.wrong.append(f"{tag} {name}")
            if name == "href" and not (value or "").startswith(
                ("#card-", "/api/", "http://", "https://")
            ):
                self.wrong.append(f"href {value}")

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def handle_comment(self, data: str) -> None:
        self.wrong.append("comment")

    def handle_decl(self, decl: str) -> None:
        self.wrong.append("declaration")


def read(html: str) -> tuple[list[str], str]:
    """What stands in the HTML that a page is not made of, and its text."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.wrong, "".join(reader.text)


def hostile_paper(text: str) -> Paper:
    """A paper of which every field is the hostile text."""
    return Paper(
        "p" * 16,
        text,
        f"{text} First sentence. {text} Second sentence.",
        (text, text),
        2024,
        text,
        text,
        text,
        text,
        (text,),
    )
