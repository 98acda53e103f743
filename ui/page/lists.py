"""The lists of the page as HTML: papers, conversations, what an add did.

Pure functions, escaping as in `ui.page.evidence`.
"""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from rag.adding import AddReport, Stage
from rag.schema import Paper
from rag.store.history import ConversationSummary
from ui.page.exports import PAPER_FORMATS
from ui.page.shelf import Shelf
from ui.page.uploading import Step

SHOWN_SKIPS = 50
_SHOWN_SOURCES = 12

_SHELF = Markup(
    '<p class="figures"><b>{papers}</b> {noun}{last}</p>'
    '<details class="sources"><summary>{count} {sources}</summary><ul>{items}</ul></details>'
)
_SOURCE = Markup("<li><bdi>{source}</bdi> <span>{papers}</span></li>")
_PAPER = Markup(
    '<li class="paper"><details><summary dir="auto">{title}{known}</summary>'
    '<p class="abstract" dir="auto">{abstract}</p><p class="leads">{link}'
    '<span class="source">from <bdi>{sources}</bdi></span>{remove}</p></details></li>'
)
_REMOVE = Markup(
    '<button type="button" class="danger" data-do="remove" data-id="{id}" '
    'data-confirm="Remove it for good?">Remove</button>'
)
_LINK = Markup('<a href="{0}" target="_blank" rel="noopener noreferrer">{0}</a>')
_KNOWN = Markup(' <span class="known">{}</span>')
_MORE = Markup('<button type="button" data-do="more">Show more</button>')
_TALK = Markup(
    '<li class="talk"><button type="button" class="open" data-do="open" data-id="{id}" dir="auto">'
    '{title}</button><span class="known">{when} · {answers}</span>'
    '<span class="leads">{exports}<button type="button" class="danger" data-do="forget" '
    'data-id="{id}" data-confirm="Delete it for good?">Delete</button></span></li>'
)
_EXPORT = Markup('<a href="/api/conversations/{id}?format={format}" download>{text}</a>')
_STEP = Markup(
    '<p class="step" role="status">{text}</p><progress {value} max="{max}" '
    'aria-label="Progress"></progress>'
)
_REPORT = Markup('<p class="step" role="status"><b>{}</b></p>{}')
_SKIPPED = Markup(
    '<details class="skipped" open><summary>{count} skipped, and why</summary><ul>{items}</ul>'
    "</details>"
)
_ITEM = Markup('<li dir="auto">{}</li>')
_PLAIN = Markup('<p class="known">{}</p>')


def figures(shelf: Shelf) -> Markup:
    """What a collection holds: how many papers, from where, when the last came."""
    items = [
        _SOURCE.format(source=name, papers=f"{papers:,}")
        for name, papers in shelf.sources[:_SHOWN_SOURCES]
    ]
    if len(shelf.sources) > _SHOWN_SOURCES:
        items.append(_ITEM.format(f"and {len(shelf.sources) - _SHOWN_SOURCES:,} more"))
    return _SHELF.format(
        papers=f"{shelf.papers:,}",
        noun="paper" if shelf.papers == 1 else "papers",
        last=f", the last one added on {shelf.last_added[:10]}" if shelf.last_added else "",
        count=f"{len(shelf.sources):,}",
        sources="source" if len(shelf.sources) == 1 else "sources",
        items=Markup("").join(items),
    )


def papers(found: Sequence[Paper], *, more: bool, removable: bool) -> Markup:
    """Papers to look into; ``more`` says that the list goes on."""
    if not found:
        return _PLAIN.format("No paper fits.")
    items = Markup("").join(_paper(paper, removable=removable) for paper in found)
    return Markup('<ul class="papers">{}</ul>{}').format(items, _MORE if more else "")


def _paper(paper: Paper, *, removable: bool) -> Markup:
    known = [str(part) for part in (", ".join(paper.authors), paper.venue, paper.year) if part]
    return _PAPER.format(
        title=paper.title,
        known=_KNOWN.format(" · ".join(known)) if known else "",
        abstract=paper.abstract,
        link=_LINK.format(paper.link) if paper.link else "",
        sources=", ".join(paper.sources),
        remove=_REMOVE.format(id=paper.id) if removable else "",
    )


def conversations(listed: Sequence[ConversationSummary]) -> Markup:
    """The conversations of a browser, to be opened, taken away or deleted."""
    if not listed:
        return _PLAIN.format("None yet. Conversations of this browser are listed here.")
    formats = (("markdown", "Markdown"), *PAPER_FORMATS, ("json", "JSON"))
    items = [
        _TALK.format(
            id=talk.id,
            title=talk.title,
            when=f"{talk.last[:10]} {talk.last[11:16]} UTC",
            answers="1 answer" if talk.answers == 1 else f"{talk.answers} answers",
            exports=Markup("").join(
                _EXPORT.format(id=talk.id, format=name, text=text) for name, text in formats
            ),
        )
        for talk in listed
    ]
    return Markup('<ul class="talks">{}</ul>').format(Markup("").join(items))


def step(now: Step) -> Markup:
    """How far an add is."""
    if now.report is not None:
        return report(now.report)
    if now.cancelled:
        return _REPORT.format("Cancelled. What was added before stays.", "")
    doing = {
        None: "Beginning",
        Stage.READING: "Reading papers",
        Stage.EMBEDDING: "Embedding papers",
    }
    of = f" of {now.total:,}" if now.total else ""
    return _STEP.format(
        text=f"{doing.get(now.stage, 'Indexing')}: {now.done:,}{of}",
        value=Markup('value="{}"').format(now.done) if now.total else "",
        max=now.total or 1,
    )


def report(of: AddReport) -> Markup:
    """What an add did, and every record that it skipped with the reason."""
    items = [_ITEM.format(str(bad)) for bad in of.skipped[:SHOWN_SKIPS]]
    if len(of.skipped) > SHOWN_SKIPS:
        items.append(_ITEM.format(f"and {len(of.skipped) - SHOWN_SKIPS:,} more"))
    skipped = (
        _SKIPPED.format(count=f"{len(of.skipped):,}", items=Markup("").join(items)) if items else ""
    )
    return _REPORT.format(str(of), skipped)


def removed(paper: Paper) -> Markup:
    """That a paper was removed."""
    return _REPORT.format(f"Removed: {paper.title}", "")
