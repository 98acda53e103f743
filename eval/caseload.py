"""Reads cases from JSON Lines and YAML files, strictly: a misspelt field is an error, not a gap.

A folder is read file by file in the order of their names; ``paraphrases`` and ``injections`` in
it are no cases and have readers of their own. Every fault of every file is reported at once,
each with its file and line.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import yaml

from eval.casefields import (
    DERIVED,
    Injection,
    ParaphraseGroup,
    case_from,
    injection_from,
    paraphrases_from,
)
from eval.schema import Case
from rag.errors import InputError
from rag.schema import Place

CASES = Path(__file__).parent / "cases"
"""The bundled cases, on the sample collection."""
SPLITS = ("dev", "test")

_NO_CASES = ("paraphrases", "injections")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a file holds that cannot be read, and where."""

    place: Place
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class CaseError(InputError):
    """Files of cases cannot be read; ``faults`` says all that is wrong with them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(map(str, faults)))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Cases, and where each of them stands: ``places[i]`` is that of ``cases[i]``."""

    cases: tuple[Case, ...]
    places: tuple[Place, ...]


def load_cases(path: Path = CASES, split: str | None = None) -> tuple[Case, ...]:
    """The cases of a file or folder, in order; with ``split``, only those of ``dev`` or ``test``.

    Raises:
        CaseError: there is nothing to read, or something in it is no case.
    """
    return read_cases(path, split).cases


def read_cases(path: Path = CASES, split: str | None = None) -> Loaded:
    """As `load_cases`, with the place of every case.

    Raises:
        CaseError: there is nothing to read, or something in it is no case.
    """
    if split is not None and split not in SPLITS:
        raise InputError(f"there is no split {split!r}; expected one of: {', '.join(SPLITS)}")
    found = _read(_files(path), case_from)
    kept = [(place, case) for place, case in found if split in (None, case.split)]
    return Loaded(tuple(case for _, case in kept), tuple(place for place, _ in kept))


def load_paraphrases(path: Path = CASES / "paraphrases.jsonl") -> tuple[ParaphraseGroup, ...]:
    """The groups of paraphrases of a file.

    Raises:
        CaseError: the file cannot be read, or something in it is no such group.
    """
    return tuple(group for _, group in _read([path], paraphrases_from))


def load_injections(path: Path = CASES / "injections.jsonl") -> tuple[Injection, ...]:
    """The injections of a file.

    Raises:
        CaseError: the file cannot be read, or something in it is no injection.
    """
    return tuple(injection for _, injection in _read([path], injection_from))


def paraphrase_cases(
    cases: Iterable[Case], groups: Iterable[ParaphraseGroup] | None = None
) -> tuple[Case, ...]:
    """A case for every paraphrase of one of these cases, like its base but for the question.

    ``groups`` are by default the bundled ones; those whose base is not among the cases are
    passed over.
    """
    bases = {case.id: case for case in cases}
    return tuple(
        replace(
            bases[group.base_id],
            id=f"{group.base_id}+paraphrase-{number}",
            question=question,
            variant="paraphrase",
        )
        for group in (load_paraphrases() if groups is None else groups)
        if group.base_id in bases
        for number, question in enumerate(group.paraphrases, start=1)
    )


def cases_hash(cases: Iterable[Case]) -> str:
    """A SHA-256 sum (hex) over all that the cases say but their notes, whatever their order."""
    lines = []
    for case in cases:
        record = asdict(case)
        del record["note"]
        lines.append(json.dumps(record, sort_keys=True))
    return sha256("\n".join(sorted(lines)).encode()).hexdigest()


def append_case(path: Path, case: Case) -> None:
    """Add a base case to a file of JSON Lines, which is whole at every moment."""
    record = {name: value for name, value in asdict(case).items() if name not in DERIVED}
    line = json.dumps(record, ensure_ascii=False)
    old = path.read_text("utf-8") if path.exists() else ""
    old = old if not old or old.endswith("\n") else f"{old}\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as out:
        temporary = Path(out.name)
        try:
            out.write(f"{old}{line}\n")
            out.flush()
            os.fsync(out.fileno())
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    if path.exists():
        temporary.chmod(path.stat().st_mode)
    temporary.replace(path)


# -- files


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = sorted(
        file
        for file in path.iterdir()
        if file.suffix in {".jsonl", ".yaml", ".yml"}
        and file.stem not in _NO_CASES
        and not file.name.startswith(".")
    )
    if not found:
        message = "holds no cases: expected files that end in .jsonl, .yaml or .yml"
        raise CaseError([Fault(Place(str(path)), message)])
    return found


def _read(files: Iterable[Path], parse: Callable[[object], _T]) -> list[tuple[Place, _T]]:
    """What the files hold, parsed, with the place of each; all faults are gathered first."""
    good: list[tuple[Place, _T]] = []
    faults: list[Fault] = []
    for file in files:
        for line, row in _rows(file):
            place = Place(str(file), line)
            try:
                if isinstance(row, ValueError):
                    raise row
                good.append((place, parse(row)))
            except ValueError as error:
                faults.append(Fault(place, str(error)))
    if faults:
        raise CaseError(faults)
    return good


def _rows(file: Path) -> Iterator[tuple[int | None, object]]:
    """Each record with its line, from 1; a `ValueError` in its place where it is not readable."""
    readers = {".jsonl": _json_rows, ".yaml": _yaml_rows, ".yml": _yaml_rows}
    if file.suffix not in readers:
        ending = file.suffix or "nothing"
        yield None, ValueError(f"ends in {ending}, expected .jsonl, .yaml or .yml: rename it")
        return
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        yield None, ValueError(f"cannot be read ({error.strerror}): check the path")
    except UnicodeDecodeError as error:
        yield None, ValueError(f"is not UTF-8 (byte {error.start}): save it as UTF-8")
    else:
        yield from readers[file.suffix](text)


def _json_rows(text: str) -> Iterator[tuple[int, object]]:
    # Not splitlines(): JSON strings may hold U+2028, which is no end of a line here.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield number, json.loads(line, object_pairs_hook=_unrepeated)
        except json.JSONDecodeError as error:
            message = f"not valid JSON: {error.msg} at column {error.colno}; expected one object"
            yield number, ValueError(message)
        except (ValueError, RecursionError) as error:
            yield number, ValueError(str(error))


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise ValueError(f"field {twice!r} is given twice: keep one")
    return dict(pairs)


def _yaml_rows(text: str) -> Iterator[tuple[int | None, object]]:
    loader = yaml.SafeLoader(text)
    try:
        root = loader.get_single_node()
        if not isinstance(root, yaml.SequenceNode):
            message = "expected a YAML list of cases, each beginning with '- id: …'"
            yield 1, ValueError(message)
            return
        for node in root.value:
            yield node.start_mark.line + 1, _yaml_row(loader, node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        yield (mark.line + 1 if mark else None), ValueError(f"not valid YAML: {problem}")
    except RecursionError:
        yield None, ValueError("not valid YAML: nested too deeply")
    finally:
        loader.dispose()


def _yaml_row(loader: yaml.SafeLoader, node: yaml.Node) -> object:
    if isinstance(node, yaml.MappingNode):
        names = [name.value for name, _ in node.value]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            return ValueError(f"field {twice!r} is given twice: keep one")
    row: object = loader.construct_document(node)
    return row
