"""Semantic Scholar: papers as its API gives them, and the records of its data sets."""

from __future__ import annotations

from collections.abc import Mapping

from rag.ingest.formats.json_format import at, json_format, names

# What a paper stands in: lists of references, of citations.
_WRAPPERS = ("citedPaper", "citingPaper")


def fields(paper: Mapping[str, object]) -> Mapping[str, object]:
    """The fields of a paper under their usual names; data sets write them in small letters."""
    paper = next((p for n in _WRAPPERS if isinstance(p := paper.get(n), Mapping)), paper)
    ids = paper.get("externalIds") or paper.get("externalids")
    ids = ids or at(paper, "openaccessinfo", "externalids")
    known = dict(paper)
    known.pop("description", None)  # of a data set
    known["doi"] = at(ids, "DOI") or paper.get("doi")
    known["arxiv_id"] = at(ids, "ArXiv") or paper.get("arxivId")
    known["venue"] = (
        paper.get("venue") or at(paper, "publicationVenue", "name") or at(paper, "journal", "name")
    )
    known["url"] = paper.get("url") or at(paper, "openAccessPdf", "url")
    return known


FORMAT = json_format(
    "Semantic Scholar (papers as JSON or JSON lines)",
    names("paperId", "corpusId", "corpusid", "authorId", "externalIds", "externalids"),
    fields,
)
