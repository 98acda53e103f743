"""Claims on their way to the reader: in order, numbered, and held back behind one that fails."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from rag.answering.verifying import Checked
from rag.events import Event, Pending, Told
from rag.schema import Citation, Claim

_TABLE_RULE = re.compile(r"\n[ \t]*\|?[ \t]*:?-[-:| \t]*(?=\n)")


class Telling:
    """Tells claims as they are checked; from the first that fails on, they wait for `settle`.

    A heading that fails is left out at once, without waiting. Of what is left out only the layout
    before it stays: its line break and bullet, for a claim on the same line.

    Args:
        numbers: footnote numbers that papers (by id) have already.
    """

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._given = dict(numbers)
        self.begin()

    def begin(self) -> None:
        """Begin, or begin anew with everything told so far forgotten."""
        self.claims: list[Claim] = []
        self.waiting: list[Checked] = []
        self._numbers = dict(self._given)
        self._unsaid = ""
        self._lead = ""

    @property
    def has_shown(self) -> bool:
        """Whether the reader has seen anything."""
        return bool(self.claims or self.waiting or self._unsaid)

    @property
    def failing(self) -> list[Checked]:
        """The claims that wait because they fail, and are shown even so."""
        return [item for item in self.waiting if item.fails and not item.is_left_out]

    def write(self, text: str) -> Pending:
        """More text of the claim that is being written."""
        self._unsaid += text
        return self._pending()

    def take(self, checked: Checked) -> Iterator[Event]:
        """A claim that is complete."""
        self._unsaid = ""
        if checked.is_left_out and not self.waiting:
            self._lead = _longer(self._lead, checked.draft.lead)
            yield self._pending()
        elif self.waiting or checked.fails:
            self.waiting.append(checked)
            yield self._pending()
        else:
            yield self._tell(checked)

    def settle(self, final: Sequence[Checked | None]) -> Iterator[Event]:
        """Tell the waiting claims as they are in the end; None: dropped."""
        waiting, self.waiting = self.waiting, []
        for item, settled in zip(waiting, final, strict=True):
            if settled is None or settled.is_left_out:
                self._lead = _longer(self._lead, item.draft.lead)
            else:
                yield self._tell(settled)

    def _pending(self) -> Pending:
        shown = (item.draft for item in self.waiting if not item.is_left_out)
        held = "".join(f"{draft.lead}{draft.text}" for draft in shown)
        return Pending(held + self._unsaid)

    def _tell(self, checked: Checked) -> Told:
        citations = tuple(
            Citation(
                self._number(entry.paper.id), entry.paper, entry.sentence, entry.start, entry.end
            )
            for entry in checked.evidence
        )
        lead = _longer(self._lead, checked.draft.lead)
        lead = lead if self.claims else lead.lstrip()
        claim = Claim(checked.draft.text, citations, checked.verdict, lead)
        self._lead = ""
        self.claims.append(claim)
        return Told(claim)

    def _number(self, paper_id: str) -> int:
        return self._numbers.setdefault(paper_id, max(self._numbers.values(), default=0) + 1)


def _longer(dropped: str, lead: str) -> str:
    """The lead after a dropped claim: its line break and bullet, if the next has none.

    Where the first row of a table was dropped, its rule goes too.
    """
    lead = _TABLE_RULE.sub("", lead, count=1) if "|" in dropped else lead
    return dropped if "\n" in dropped and "\n" not in lead else lead
