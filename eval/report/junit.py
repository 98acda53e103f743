"""A run as JUnit XML, which build servers know how to show: a case is a test."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from eval.gates import GateResult
from eval.report.failures import Kind, failures
from eval.schema import CaseScore, Run

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold, not even escaped."""


def junit_xml(run: Run, gates: Sequence[GateResult] = ()) -> str:
    """A suite a category, and one of the gates; ``time`` is that of the response, in seconds."""
    root = ET.Element("testsuites", name=_safe(run.id))
    by_category: dict[str, list[CaseScore]] = defaultdict(list)
    for score in run.scores:
        by_category[score.case.category].append(score)
    for category, scores in by_category.items():
        suite = ET.SubElement(root, "testsuite", name=_safe(category))
        for score in scores:
            _add_case(suite, score)
        _count(suite)
    if gates:
        suite = ET.SubElement(root, "testsuite", name="gates")
        for gate in gates:
            _add_gate(suite, gate)
        _count(suite)
    _count(root)
    ET.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return declaration + ET.tostring(root, encoding="unicode") + "\n"


def _add_case(suite: ET.Element, score: CaseScore) -> None:
    case = ET.SubElement(
        suite,
        "testcase",
        classname=_safe(f"{score.case.category}.{score.case.variant}"),
        name=_safe(f"{score.case.id} {score.case.question}"),
        time=f"{score.response.seconds:.3f}",
    )
    found = failures(score)
    if not found:
        return
    tag = "error" if found[0].kind is Kind.ERROR else "failure"
    message = "; ".join(failure.why for failure in found)
    child = ET.SubElement(case, tag, type=found[0].kind.value, message=_safe(message))
    child.text = _safe(score.response.text)


def _add_gate(suite: ET.Element, result: GateResult) -> None:
    gate = ET.SubElement(suite, "testcase", classname="gates", name=_safe(str(result.gate)))
    if not result.passed:
        ET.SubElement(gate, "failure", type="gate", message=_safe(result.why))


def _count(element: ET.Element) -> None:
    element.set("tests", str(len(list(element.iter("testcase")))))
    element.set("failures", str(len(list(element.iter("failure")))))
    element.set("errors", str(len(list(element.iter("error")))))


def _safe(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
