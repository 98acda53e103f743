"""A run on disk: ``runs/<id>/`` with run.json, cases.jsonl and the reports beside them.

Cases are appended one line at a time and flushed, so that an interrupted run goes on where it
stopped. All but the times (`Run.started`, `Response.seconds`) is the same bytes for the same input.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from eval.schema import Case, CaseScore, GivenCitation, GivenClaim, Nugget, Response, Run, Span
from eval.summary import Row
from rag.errors import InputError

LAYOUT = 1
_HEADER = "run.json"
_CASES = "cases.jsonl"
_SAME = ("id", "answerer", "settings", "versions", "hashes")


def as_json(score: CaseScore) -> str:
    """One line of JSON, without the newline: keys sorted, ASCII only.

    ASCII, because an answer may hold a lone surrogate, which no UTF-8 file can.

    Raises:
        ValueError: A value is not a finite number; NaN is no measurement.
    """
    return json.dumps(asdict(score), sort_keys=True, allow_nan=False)


def from_json(line: str) -> CaseScore:
    """What `as_json` was given.

    Raises:
        KeyError, TypeError, ValueError: The line is not one of `as_json`.
    """
    data = json.loads(line)
    return CaseScore(
        _case(data["case"]), _response(data["response"]), data["values"], data["tiers"]
    )


def _case(data: dict[str, Any]) -> Case:
    data["history"] = tuple((said, text) for said, text in data["history"])
    data["evidence"] = tuple(Span(**span) for span in data["evidence"])
    data["nuggets"] = tuple(Nugget(tuple(n["any"]), n["vital"]) for n in data["nuggets"])
    for name in ("gold_papers", "must_not_claim", "papers_checked"):
        data[name] = tuple(data[name])
    return Case(**data)


def _response(data: dict[str, Any]) -> Response:
    data["retrieved"] = tuple(data["retrieved"])
    data["claims"] = tuple(
        GivenClaim(
            claim["text"],
            tuple(GivenCitation(**citation) for citation in claim["citations"]),
            claim["status"],
            claim["check"],
        )
        for claim in data["claims"]
    )
    return Response(**data)


def without_times(run: Run) -> Run:
    """The run with every time set to nothing: equal for two runs of the same input."""
    scores = tuple(
        replace(score, response=replace(score.response, seconds=0.0)) for score in run.scores
    )
    return replace(run, started="", scores=scores)


def load_run(directory: Path) -> Run:
    """The run of a directory, finished or not; its scores in order of their cases' ids.

    A half-written last line, as an interruption leaves it, is dropped.

    Raises:
        InputError: There is no run, or its files are not ones that `RunWriter` wrote.
    """
    header = _read_header(directory)
    scores = sorted(_read_scores(directory / _CASES), key=lambda score: score.case.id)
    try:
        return Run(**{name: header[name] for name in (*_SAME, "started")}, scores=tuple(scores))
    except KeyError as missing:
        raise InputError(f"{directory / _HEADER} lacks {missing}: it is not a run") from None


def _read_header(directory: Path) -> dict[str, Any]:
    path = directory / _HEADER
    try:
        header = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        message = f"no run at {directory}: {error.strerror or error}; runs are made by 'eval run'"
        raise InputError(message) from None
    except ValueError as error:
        raise InputError(f"{path} cannot be read as JSON: {error}") from None
    layout = header.get("layout") if isinstance(header, dict) else None
    if layout != LAYOUT:
        raise InputError(f"{path} has layout {layout!r}, expected {LAYOUT}: run the cases again")
    return dict(header)


def _read_scores(path: Path) -> list[CaseScore]:
    if not path.exists():
        return []
    *lines, _half_written = path.read_bytes().split(b"\n")
    scores: dict[str, CaseScore] = {}
    for number, line in enumerate(lines, start=1):
        try:
            score = from_json(line.decode("ascii"))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InputError(f"{path}, line {number} is not a scored case: {error!r}") from None
        if score.case.id in scores:
            raise InputError(f"{path}, line {number}: case {score.case.id!r} stands there twice")
        scores[score.case.id] = score
    return list(scores.values())


class RunWriter:
    """Writes a run; opened on a directory that holds one of the same settings, goes on with it.

    ``done`` are the ids of the cases that are already there. Those that failed are dropped, to be
    tried again.
    """

    def __init__(self, directory: Path, header: Run) -> None:
        """Start or go on; ``header`` is the run, whose own scores are not looked at.

        Raises:
            InputError: The directory holds a run of other settings.
        """
        self.directory = directory
        self._cases = directory / _CASES
        directory.mkdir(parents=True, exist_ok=True)
        self._header = _header_of(header)
        if (directory / _HEADER).exists():
            self._go_on()
        else:
            self._write_header()
        scores = [score for score in _read_scores(self._cases) if score.response.error is None]
        self._write_scores(scores)  # cuts off a half-written line
        self.done = {score.case.id for score in scores}

    def append(self, score: CaseScore) -> None:
        """Write one case; it is on disk when this returns.

        Raises:
            ValueError: The case is already there, or a value is not a finite number.
        """
        if score.case.id in self.done:
            raise ValueError(f"case {score.case.id!r} is already in {self._cases}")
        with self._cases.open("ab") as file:
            file.write(as_json(score).encode("ascii") + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self.done.add(score.case.id)

    def finish(self, summary: Sequence[Row] = ()) -> Run:
        """Put the cases in order of their ids and the summary into run.json; returns the run."""
        self._write_scores(_read_scores(self._cases))
        self._header["summary"] = [asdict(row) for row in summary]
        self._header["finished"] = True
        self._write_header()
        return load_run(self.directory)

    def _go_on(self) -> None:
        held = _read_header(self.directory)
        differing = [name for name in _SAME if held.get(name) != self._header[name]]
        if differing:
            raise InputError(
                f"{self.directory} holds another run: {_difference(held, self._header, differing)}"
                "; give this one another id"
            )
        self._header = held

    def _write_header(self) -> None:
        text = json.dumps(self._header, indent=2, sort_keys=True, allow_nan=False) + "\n"
        _replace(self.directory / _HEADER, text)

    def _write_scores(self, scores: Sequence[CaseScore]) -> None:
        ordered = sorted(scores, key=lambda score: score.case.id)
        _replace(self._cases, "".join(as_json(score) + "\n" for score in ordered))


def _header_of(run: Run) -> dict[str, Any]:
    header = {name: getattr(run, name) for name in (*_SAME, "started")}
    made = {**header, "layout": LAYOUT, "finished": False, "summary": []}
    copied: dict[str, Any] = json.loads(json.dumps(made, default=dict, allow_nan=False))
    return copied


def _difference(held: Mapping[str, Any], wanted: Mapping[str, Any], names: Sequence[str]) -> str:
    return "; ".join(f"{name} {held.get(name)!r}, not {wanted[name]!r}" for name in names)


def _replace(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="ascii", newline="\n")
    part.replace(path)
