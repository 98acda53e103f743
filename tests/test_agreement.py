"""Agreement of a check with labels, against figures worked out by hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from eval.agreement import Pair, agreement, best_threshold, load_pairs, report, run, word_overlap
from rag.errors import FileError, InputError
from rag.schema import Status, Verdict


def pair(claim: str, *, supported: bool, kind: str = "") -> Pair:
    return Pair(claim, ("Evidence.",), (), supported, kind)


YES, NO, UNKNOWN = Status.SUPPORTED, Status.UNSUPPORTED, Status.UNCHECKED
PAIRS = [
    pair("yes", supported=True),
    pair("yes", supported=True),
    pair("no", supported=True),
    pair("unknown", supported=True),
    pair("no", supported=False, kind="number"),
    pair("yes", supported=False, kind="number"),
    pair("no", supported=False, kind="negation"),
    pair("unknown", supported=False, kind="negation"),
]


def by_claim(given: Pair) -> Status:
    return {"yes": YES, "no": NO, "unknown": UNKNOWN}[given.claim]


def test_figures_of_a_check_that_leaves_some_unscored() -> None:
    one = agreement(by_claim, PAIRS)
    # kept 2 of 3, caught 2 of 3; observed 4/6, chance (3*3 + 3*3)/36 = 1/2
    assert (one.n, one.unscored) == (8, 2)
    assert one.sensitivity is not None
    assert one.specificity is not None
    assert one.sensitivity.value == pytest.approx(2 / 3)
    assert one.specificity.value == pytest.approx(2 / 3)
    assert (one.sensitivity.n, one.specificity.n) == (3, 3)
    assert one.balanced == pytest.approx(2 / 3)
    assert one.kappa == pytest.approx(1 / 3)
    assert {kind: (value.value, value.n) for kind, value in one.kinds.items()} == {
        "negation": (1.0, 1),
        "number": (0.5, 2),
    }


def test_of_a_tier_that_only_vetoes_not_vetoed_counts_as_supported() -> None:
    one = agreement(by_claim, PAIRS, vetoes=True)
    assert one.unscored == 0
    assert one.sensitivity is not None
    assert one.specificity is not None
    assert one.sensitivity.value == 3 / 4
    assert one.specificity.value == 2 / 4
    assert one.kinds["negation"].value == 1 / 2


def test_wilson_gives_the_interval() -> None:
    one = agreement(lambda given: YES, [pair("yes", supported=True)] * 20)
    assert one.sensitivity is not None
    assert one.sensitivity.low == pytest.approx(0.839, abs=0.001)  # 20 of 20
    assert one.specificity is None
    assert one.balanced is None
    assert one.kappa is None


def test_nothing_scored_gives_no_figures() -> None:
    one = agreement(lambda given: UNKNOWN, PAIRS)
    assert (one.unscored, one.sensitivity, one.kappa) == (8, None, None)


def test_a_checker_can_be_measured_as_it_is() -> None:
    class Sceptic:
        multilingual = True
        name = "T2 sceptic"

        def check(self, claim: str, evidence: Sequence[str], title: str = "") -> Verdict:
            return Verdict(Status.UNSUPPORTED, self.name, "always")

    one = agreement(Sceptic(), PAIRS)
    assert one.specificity is not None
    assert one.specificity.value == 1.0


def test_the_best_threshold_keeps_the_supported_and_cuts_the_rest() -> None:
    pairs = [pair("a", supported=value) for value in (True, True, False, False)]
    assert best_threshold([0.9, 0.6, 0.5, 0.1], pairs) == 0.6
    assert best_threshold([], []) == float("inf")


def test_word_overlap_is_the_share_of_content_words() -> None:
    given = Pair("Pruning saves memory.", ("Pruning saves the energy.",), (), supported=True)
    assert word_overlap(given) == pytest.approx(2 / 3)


ROW = {
    "title": "Trees",
    "sentences": ["We grow trees.", "They are tall."],
    "claims": [
        {"c": "Trees are tall.", "label": "supported", "sents": [1]},
        {"c": "Trees are short.", "label": "unsupported", "sents": [1], "edit": "direction"},
    ],
}


def write(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_pairs_cite_sentences_or_the_whole_abstract(tmp_path: Path) -> None:
    path = write(tmp_path / "dev.jsonl", ROW)
    first, second = load_pairs(path)
    assert first.evidence == ("They are tall.",)
    assert first.context == ("Trees", "We grow trees.", "They are tall.")
    assert (first.supported, second.supported, second.kind) == (True, False, "direction")
    assert load_pairs(path, whole=True)[0].evidence == first.context


def test_grounding_pairs_are_cut_into_sentences_and_kept_by_split(tmp_path: Path) -> None:
    row = {"claim": "Trees grow.", "evidence": "Trees. We grow trees here.", "label": "supported",
           "label_orig": "SUPPORT", "split": "dev"}  # fmt: skip
    path = tmp_path / "pairs.jsonl.gz"
    other = row | {"split": "train"}
    path.write_bytes(gzip.compress(f"{json.dumps(row)}\n{json.dumps(other)}\n".encode()))
    (only,) = load_pairs(path, split="dev")
    assert only.evidence == ("Trees.", "We grow trees here.")


def test_a_bad_line_or_a_missing_file_is_named(tmp_path: Path) -> None:
    claim = {"c": "Trees.", "label": "perhaps", "sents": [0]}
    path = write(tmp_path / "dev.jsonl", ROW, ROW | {"claims": [claim]})
    with pytest.raises(FileError, match=r"dev\.jsonl:2 .*perhaps"):
        load_pairs(path)
    with pytest.raises(FileError, match=r"none\.jsonl.*--data"):
        load_pairs(tmp_path / "none.jsonl")


def test_an_unknown_tier_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'T9'"):
        run(tmp_path, ["T9"])


def test_the_report_shows_each_check_and_each_kind() -> None:
    text = report([agreement(by_claim, PAIRS, name="T1 rules", data="dev", vetoes=True)])
    assert "T1 rules*" in text
    assert "0.750 [0.301, 0.954]" in text
    assert "number" in text
    assert "only veto" in text


def test_the_tables_of_all_tiers_and_baselines(tmp_path: Path) -> None:
    (tmp_path / "reader-data").mkdir()
    for split in ("dev", "test"):
        write(tmp_path / "reader-data" / f"{split}.jsonl", ROW)
    folder = tmp_path / "bench" / "grounding"
    folder.mkdir(parents=True)
    (folder / "scifact.jsonl.gz").write_bytes(gzip.compress(b""))
    text = run(tmp_path, ["T0", "T1", "T2"])
    for name in ("T0 exact", "T0+T1*", "T0+T1+T2", "T1 names*", "word overlap ≥", "cosine ≥"):
        assert name in text
