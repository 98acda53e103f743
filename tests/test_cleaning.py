"""Cleaning quotes for display."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.cleaning import accented, display
from rag.ingest.reading import read_papers
from rag.ingest.sentences import split_sentences
from rag.schema import Record

SAMPLE = Path(__file__).parents[1] / "data" / "daily_papers"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (r"over 80\% relative", "over 80% relative"),
        (r"R\&D of item\_1 costs \$5", "R&D of item_1 costs $5"),
        (
            "fine-tuning of $textbf{specialist} and textbf{generalist}$ models",
            "fine-tuning of specialist and generalist models",
        ),
        (r"a \textbf{bold} and \emph{strong} claim", "a bold and strong claim"),
        (r"a \textbf{very \emph{deep} nest}", "a very deep nest"),
        (r"only $\sim$0.01\% of parameters", "only ~0.01% of parameters"),
        ("parameters (sim0.01% of model", "parameters (~0.01% of model"),
        ("while being sim60x smaller", "while being ~60x smaller"),
        (r"(LLMs, e.g., \textgreater 13B)", "(LLMs, e.g., > 13B)"),
        ("(SLMs, e.g., leq 7B)", "(SLMs, e.g., ≤ 7B)"),
        ("GPT-3.5 (ge 175B) to T5 (le 11B)", "GPT-3.5 (≥ 175B) to T5 (≤ 11B)"),
        (r"a 3$\times$ speed-up for $\alpha$", "a 3× speed-up for α"),
        (r"at \url{https://github.com/x/y}, and", "at https://github.com/x/y, and"),
        ("available at {https://github.com/x}.", "available at https://github.com/x."),
        (
            r"for most problems.\footnote{The code is public.}",
            "for most problems. (The code is public.)",
        ),
        (
            r"for most problems.\footnote{The code is public.",
            "for most problems. The code is public.",
        ),
        ("blue{The codes are available.", "The codes are available."),
        ("including teal{Tool-use}, orange{Planning}", "including Tool-use, Planning"),
        (r"\textcolor{blue}{Blue} text", "Blue text"),
        ("1)~a relabeler, Fig.~3, but ~4% and (~5M)", "1) a relabeler, Fig. 3, but ~4% and (~5M)"),
        (
            "task-specific ``skills,'' but ''Grokking tickets''",
            "task-specific “skills,” but “Grokking tickets”",
        ),
        ("the **Q-Instruct** consistently", "the Q-Instruct consistently"),
        ("in- and out-of- domain settings", "in- and out-of-domain settings"),
        ("Q&amp;A with p &lt; 0.05 &amp;amp; more", "Q&A with p < 0.05 & more"),
        (r"G\"odel, Erd\H{o}s and Andr\'e", "Gödel, Erdős and André"),
        (r"{\em global} and {\it i.e.,} and \it this", "global and i.e., and this"),
        (r"of $O(\sqrt{n})$ and $\tilde{O}(\sqrt{\log T})$", "of O(√n) and Õ(√(log T))"),
        (r"$\frac{1}{n}$ or \frac12 or $\frac{a+b}{2}$", "1/n or 1/2 or (a+b)/2"),
        (r"twisted by $46.5^{\circ}$", "twisted by 46.5°"),
        (r"$f\colon\mathbb{R}^n\to\mathbb R$", "f:R^n→R"),
        (r"within $1^{+1.39}_{-0.59}$ and $x^{k+1}$", "within 1^+1.39_-0.59 and x^(k+1)"),
        (r"for $2 \le k \leq n^{o(1)}$ it", "for 2 ≤ k ≤ n^(o(1)) it"),
        (r"a task \(T\) over \{1, 2\} and \left(x\right)", "a task T over {1, 2} and (x)"),
        (r"answers \cite{smith2017}", "answers [smith2017]"),
        ("CO<sub>2</sub> at 10<sup>5</sup> <i>in vivo</i>", "CO2 at 10^5 in vivo"),
        ("<h3>Aim</h3> To see.<br/>Seen.", "Aim To see. Seen."),
        (r"about 24~{\rm GHz}", "about 24 GHz"),
        ("a line\n  wrapped   twice", "a line wrapped twice"),
        ("soft\u00adhyphen", "softhyphen"),
    ],
)
def test_a_remnant_is_cleaned(stored: str, shown: str) -> None:
    assert display(stored) == shown


@pytest.mark.parametrize(
    "text",
    [
        "short- or long-term options",
        "class- and domain-incremental",
        "pre- and post-training",
        "in- and out-domain tests",
        "a 2.88 times improvement",
        "the A* search of ToolChain* is fast",
        "it costs $5 or $10",
        "What happened {time}{place}?",
        "the growth is like N^k",
        "AT&T and Q&A",
        "similar simulation results",
        "C:\\path\\file",
        "a 5 < 6 and 7 > 6 case",
        "fewer than <100 and >95%",
        "sequence-to-sequence x_1",
        "a sim2real gap",
        "2.6~3.1 at a time",
        "the <think> token and the <p> token",
        r"the dimension \pdim of \Doubler",
        "from $5 = €4 and $10 to $20",
    ],
)
def test_what_is_not_certain_stays(text: str) -> None:
    assert display(text) == text


PIECES = st.sampled_from(
    ["\\frac{", "\\sqrt{", "\\tilde{", "{\\em ", "\\left", "\\circ", "^{", "_{", "<i>", "</i>",
     "<sup>", "</sup>", "\\(", "\\]", "\\in", "\\mathbb ", "\\c ", "\\i", "≤",
     "\\", "{", "}", "$", "$$", "&", "amp;", "&amp;", "&lt;", "&#36;", "&#92;", "textbf{",
     "\\textbf{", "\\emph", "\\%", "sim", "leq ", "(le ", "0", "5", "times", "~", "``", "''", "'",
     '"', "**", "*", "blue{", "\\footnote{", "\\url{", "https://a.b", "- ", "-", "a", "domain",
     "out-of", " ", "\n", "\u00ad", "\u200b", "\\'", "e", "\\,", "\\alpha", "\\href{",
     "color{red}{"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
@settings(max_examples=500, deadline=None)
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = display(text)
    assert display(once) == once


@given(st.one_of(st.text(), st.lists(PIECES, max_size=30).map("".join)))
@settings(deadline=None)
def test_a_text_never_becomes_blank_or_more_than_a_line(text: str) -> None:
    shown = display(text)
    assert bool(shown.strip()) == bool(text.strip())
    assert "\n" not in shown


@pytest.mark.parametrize(
    "text", ["&" + "amp;" * 20_000, "textbf{" * 10_000 + "}" * 10_000, "$" * 50_000]
)
def test_hostile_nesting_is_left_alone_in_time(text: str) -> None:
    assert display(text)


@pytest.mark.parametrize(
    ("text", "meant"),
    [(r"Erd\H{o}s and G{\"o}del", "Erdős and Gödel"),
     (r"Mar{\'\i}a, Mar\'{\i}a, Mar\'\i a", "María, María, María"),
     (r"{\c c} \c{c} \c c", "ç ç ç"), (r"\O rsted, {\O}rsted, \L{}ukasz", "Ørsted, Ørsted, Łukasz"),
     (r"on $\alpha$ and \LaTeX", r"on $\alpha$ and \LaTeX"), ("plain", "plain")],
)  # fmt: skip
def test_accents_of_names_become_characters(text: str, meant: str) -> None:
    assert accented(text) == meant


def test_no_sample_sentence_shows_a_remnant() -> None:
    for record in read_papers(SAMPLE):
        assert isinstance(record, Record)
        for start, end in split_sentences(record.abstract):
            shown = display(record.abstract[start:end])
            assert not any(remnant in shown for remnant in ("\\", "``", "textbf", "&amp;", "sim0"))
            assert display(shown) == shown
