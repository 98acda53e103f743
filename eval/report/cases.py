"""One case of a run as HTML: closed it is a line, open it shows all there is to judge it by.

Every text of a case, a response or a paper is a stranger's: all of it is escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape

from eval.report.failures import failures
from eval.report.highlight import highlighted, place
from eval.schema import Case, CaseScore, GivenClaim, Response

Papers = Mapping[str, tuple[str, str]]
"""Title and abstract of papers, by id."""

_PASSED = '<span class="badge good">passed</span>'
_GOLD = ' <span class="badge good">gold</span>'


def case_html(score: CaseScore, papers: Papers) -> str:
    """A ``<details>`` that filters find by its ``data-`` attributes; outcomes are several."""
    case = score.case
    failed = failures(score)
    kinds = " ".join(failure.kind for failure in failed) or "passed"
    badges = "".join(f'<span class="badge bad">{escape(f.kind.label)}</span>' for f in failed)
    why = "".join(f'<p class="bad">{escape(failure.why)}</p>' for failure in failed)
    return (
        f'<details class="case" data-category="{escape(case.category)}"'
        f' data-split="{escape(case.split)}" data-variant="{escape(case.variant)}"'
        f' data-outcome="{escape(kinds)}">\n'
        f"<summary>{badges or _PASSED}{escape(case.question)}"
        f'<span class="where">{escape(_where(case))}</span></summary>\n'
        f'<div class="inside">{why}{_asked(case)}{_answered(score.response, papers)}'
        f"{_wanted(case, papers)}{_retrieved(score, papers)}{_abstracts(score, papers)}"
        f"{_values(score)}</div>\n</details>"
    )


def _where(case: Case) -> str:
    return " · ".join(
        (case.id, case.category, case.split, *([case.variant] if case.variant != "base" else []))
    )


def _asked(case: Case) -> str:
    if not case.history and not case.note:
        return ""
    turns = "".join(f"<p><b>{escape(who)}:</b> {escape(said)}</p>" for who, said in case.history)
    note = f'<p class="quiet">{escape(case.note)}</p>' if case.note else ""
    return (f"<h4>Said before</h4>{turns}" if turns else "") + note


def _answered(response: Response, papers: Papers) -> str:
    head = "<h4>Answer</h4>"
    if response.error is not None:
        return f'{head}<p class="bad">Error: {escape(response.error)}</p>'
    if response.declined is not None:
        text = f"<p>{escape(response.text)}</p>" if response.text else ""
        return f"{head}<p>Declined: {escape(_words(response.declined))}</p>{text}"
    if not response.claims:
        return f"{head}<p>{escape(response.text) or 'Empty.'}</p>"
    return head + "".join(_claim(claim, papers) for claim in response.claims)


def _claim(claim: GivenClaim, papers: Papers) -> str:
    quotes = "".join(
        f"<blockquote>{escape(c.quote)}<br>"
        f'<span class="quiet">{escape(_title(c.paper, papers))}</span></blockquote>'
        for c in claim.citations
    )
    verdict = " ".join(word for word in (claim.status, claim.check) if word)
    shown = f' <span class="quiet">({escape(verdict)})</span>' if verdict else ""
    return f'<div class="claim"><p>{escape(claim.text)}{shown}</p>{quotes}</div>'


def _wanted(case: Case, papers: Papers) -> str:
    parts = ["<h4>A right answer</h4>"]
    if not case.answerable:
        reason = _words(case.unanswerable_reason or "")
        parts.append(f"<p>Declines{': ' + escape(reason) if reason else ''}.</p>")
    for nugget in case.nuggets:
        wordings = " / ".join(nugget.any)
        parts.append(f"<p>{'Says' if nugget.vital else 'May say'}: {escape(wordings)}</p>")
    parts.extend(f"<p>Does not say: {escape(claim)}</p>" for claim in case.must_not_claim)
    if case.canary is not None:
        parts.append(f"<p>Does not show the canary: {escape(case.canary)}</p>")
    parts.extend(
        f"<blockquote>{escape(span.quote)}<br>"
        f'<span class="quiet">{escape(_title(span.paper, papers))}</span></blockquote>'
        for span in case.evidence
    )
    return "".join(parts)


def _retrieved(score: CaseScore, papers: Papers) -> str:
    if not score.response.retrieved:
        return ""
    gold = set(score.case.gold_papers)
    items = "".join(
        f"<li>{escape(_title(paper, papers))}{_GOLD if paper in gold else ''}</li>"
        for paper in score.response.retrieved
    )
    return f'<h4>Retrieved</h4><ol class="papers">{items}</ol>'


def _abstracts(score: CaseScore, papers: Papers) -> str:
    case, cited = score.case, [c for claim in score.response.claims for c in claim.citations]
    shown = dict.fromkeys([*case.gold_papers, *(citation.paper for citation in cited)])
    parts = []
    for paper in shown:
        if paper not in papers:
            continue
        title, abstract = papers[paper]
        gold = [place(abstract, s.quote, s.start, s.end) for s in case.evidence if s.paper == paper]
        used = [place(abstract, c.quote, c.start, c.end) for c in cited if c.paper == paper]
        text = highlighted(abstract, _known(gold), _known(used))
        badge = _GOLD if paper in case.gold_papers else ""
        parts.append(f'<h4>{escape(title)}{badge}</h4><div class="abstract">{text}</div>')
    return "".join(parts)


def _values(score: CaseScore) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{value:.3g}{_tier(score, name)}</dd>"
        for name, value in score.values.items()
        if value is not None
    )
    cost = (
        f"<dt>cost</dt><dd>{score.response.seconds:.3f} s, {score.response.calls} calls, "
        f"{score.response.tokens} tokens</dd>"
    )
    return f"<details><summary>Measures</summary><dl>{rows}{cost}</dl></details>"


def _tier(score: CaseScore, name: str) -> str:
    return f" ({escape(score.tiers[name])})" if name in score.tiers else ""


def _title(paper: str, papers: Papers) -> str:
    return f"{papers[paper][0]} ({paper})" if paper in papers else paper


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _known(spans: Iterable[tuple[int, int] | None]) -> list[tuple[int, int]]:
    return [span for span in spans if span is not None]
