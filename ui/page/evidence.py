"""Evidence as HTML: cards of papers with what was quoted marked, footnotes, verdicts.

Pure functions. Everything that is shown may come from a stranger's file: `Markup.format` escapes
every value, and nothing is put together in another way.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence

from markupsafe import Markup

from rag.schema import Answer, Citation, Claim, Paper, Status, Verdict

_CARD = Markup(
    '<section class="card" data-card="{card}" aria-label="{label}" tabindex="-1">'
    '<h3 dir="auto">{badge}{title}</h3>{known}<p class="abstract" dir="auto">{abstract}</p>'
    '<p class="leads">{leads}</p></section>'
)
_BADGE = Markup('<span class="badge">{}</span> ')
_KNOWN = Markup('<p class="known" dir="auto">{}</p>')
_MARK = Markup('<mark data-quotes="{quotes}">{text}</mark>')
_LINK = Markup('<a href="{href}" target="_blank" rel="noopener noreferrer">{text}</a>')
_SOURCE = Markup('<span class="source">from <bdi>{}</bdi></span>')
_FOOTNOTE = Markup(
    '<a class="cite" href="#{card}" data-card="{card}" data-quotes="{quotes}" '
    'aria-label="Footnote {number}: {title}">{number}</a>'
)
_CITES = Markup('<sup class="cites">{}</sup>')
_VERDICT = Markup(
    '<details class="verdict" data-status="{status}"><summary aria-label="{label}: why">'
    '<span aria-hidden="true">{mark}</span>{word}</summary>'
    '<span class="why"><b>{label}.</b> {reason} <span class="check">{check}</span></span></details>'
)
_MARKS = {Status.SUPPORTED: "✓", Status.UNSUPPORTED: "✗", Status.UNCHECKED: "?"}
_WORD = Markup("\N{NO-BREAK SPACE}{}")


def quote_name(citation: Citation) -> str:
    """The name under which a citation's quote is marked on its card."""
    return f"{citation.number}-{citation.start}-{citation.end}"


def card_name(turn: int, number: int | str) -> str:
    """The name of a paper's card among those of a turn."""
    return f"card-{turn}-{number}"


def cards(answer: Answer, turn: int) -> Markup:
    """The cards of what an answer cites, in order of number, or of what it suggests."""
    cited = {c.number: c.paper for c in answer.citations}
    made = [
        card(paper, card_name(turn, number), number=number, citations=_of(answer, number))
        for number, paper in sorted(cited.items())
    ]
    made += [
        card(paper, card_name(turn, f"s{place}"))
        for place, paper in enumerate(answer.suggestions, start=1)
    ]
    return Markup("").join(made)


def _of(answer: Answer, number: int) -> list[Citation]:
    return [c for c in answer.citations if c.number == number]


def card(
    paper: Paper, name: str, *, number: int | None = None, citations: Sequence[Citation] = ()
) -> Markup:
    """A paper with its abstract; what the citations quote is marked, exactly."""
    known = [str(part) for part in (", ".join(paper.authors), paper.venue, paper.year) if part]
    leads = [_LINK.format(href=href, text=text) for text, href in _addresses(paper)]
    leads += [_SOURCE.format(", ".join(paper.sources))] if paper.sources else []
    return _CARD.format(
        card=name,
        label=f"Paper {number}: {paper.title}" if number else paper.title,
        badge=_BADGE.format(number) if number else "",
        title=paper.title,
        known=_KNOWN.format(" · ".join(known)) if known else "",
        abstract=marked(paper.abstract, citations),
        leads=Markup(" ").join(leads),
    )


def _addresses(paper: Paper) -> Iterable[tuple[str, str]]:
    """Where the paper is to be had: texts and http(s) addresses, best first."""
    if paper.arxiv_id:
        yield f"arXiv:{paper.arxiv_id}", Paper("", "", "", arxiv_id=paper.arxiv_id).link or ""
    if paper.doi:
        yield f"doi:{paper.doi}", Paper("", "", "", doi=paper.doi).link or ""
    page = Paper("", "", "", url=paper.url).link
    if page:
        yield "Page of the paper", page


def marked(abstract: str, citations: Iterable[Citation]) -> Markup:
    """The abstract with what is quoted in ``mark`` elements, which name their quotes.

    The text of the marks of one quote, joined, is the quote. Quotes may overlap.
    """
    spans = {(c.start, c.end): quote_name(c) for c in citations}
    edges = sorted({0, len(abstract), *(edge for span in spans for edge in span)})
    parts = []
    for start, end in itertools.pairwise(edges):
        names = [name for (s, e), name in spans.items() if s <= start and end <= e]
        text = abstract[start:end]
        parts.append(
            _MARK.format(quotes=" ".join(names), text=text) if names else Markup.escape(text)
        )
    return Markup("").join(parts)


def footnotes(claim: Claim, turn: int) -> Markup:
    """The footnotes of a claim, one for each paper; each opens its card and names its quotes."""
    made = []
    for number in claim.numbers:
        ours = [c for c in claim.citations if c.number == number]
        made.append(
            _FOOTNOTE.format(
                card=card_name(turn, number),
                quotes=" ".join(dict.fromkeys(map(quote_name, ours))),
                number=number,
                title=ours[0].paper.title,
            )
        )
    return _CITES.format(Markup("").join(made)) if made else Markup("")


def verdict(given: Verdict) -> Markup:
    """A verdict as a sign, a word unless all is well, and the reason on demand."""
    label = given.status.capitalize()
    return _VERDICT.format(
        status=given.status,
        label=label,
        mark=_MARKS[given.status],
        word="" if given.status is Status.SUPPORTED else _WORD.format(given.status),
        reason=_sentence(given.reason),
        check=given.check,
    )


def _sentence(text: str) -> str:
    said = text[:1].upper() + text[1:]
    return said if said.endswith((".", "!", "?")) or not said else f"{said}."
