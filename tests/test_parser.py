"""The streaming parser: what models write, and that no split of it matters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rag.answering.parser import Declined, Draft, Event, Parser, Restarted, Text
from rag.schema import DeclineReason

A, B, C = "kf392", "mt773", "bq555"
LONG = "gh444mm222"
KEYS = (A, B, C, LONG)
SAID = f"{A} T5 and R1 are models. What is R2?"
SAYS_NOT, NOT_HELD = DeclineReason.ABSTRACT_DOES_NOT_SAY, DeclineReason.NOT_IN_COLLECTION


def read(*pieces: str) -> tuple[list[Event], dict[str, int]]:
    """All events of a stream, neighbouring texts joined, and the counts."""
    parser = Parser(KEYS, SAID)
    events = [event for piece in pieces for event in parser.feed(piece)]
    joined: list[Event] = []
    for event in [*events, *parser.finish()]:
        if joined and isinstance(event, Text) and isinstance(joined[-1], Text):
            joined[-1] = Text(joined[-1].text + event.text)
        else:
            joined.append(event)
    return joined, dict(parser.counts)


def claims(text: str) -> list[tuple[str, ...]]:
    """Each claim as its text and its keys."""
    return [(e.text, *e.keys) for e in read(text)[0] if isinstance(e, Draft)]


def shown(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


# Text and, for each claim, "text | keys".
WRITTEN = {
    "before the full stop": ("It works [A]. It fails [B].", "It works. | A", "It fails. | B"),
    "after it": ("It works. [A] It fails. [B]", "It works. | A", "It fails. | B"),
    "glued": ("It works.[A]It fails.[B]", "It works. | A", "It fails. | B"),
    "in the middle": ("It [A] works[B] well.", "It works well. | A B"),
    "several": ("It works [A, B; C].", "It works. | A B C"),
    "with words between": ("It works [A and B] (see C).", "It works. | A B C"),
    "adjacent": ("It works [A][B].", "It works. | A B"),
    "a list of brackets": ("It works [A], [B]. So [A]–[C], it is.", "It works. | A B",
                           "So, it is. | A C"),
    "nested": ("It works [[A], [B]].", "It works. | A B"),
    "repeated": ("It works [A] [A] [B, A].", "It works. | A B"),
    "a range": ("It works [A-C].", "It works. | A C"),
    "another case": ("It works [KF392] Mt773.", "It works. | A B"),
    "no bracket": ("It works A.", "It works. | A"),
    "inside a word": ("It xAy works.", "It x y works. | A"),
    "lenticular": ("It works【A】.", "It works. | A"),
    "as of a file search": ("It works 【A†source】.", "It works. | A"),
    "round, curly, angled": ("It works (A) {B} <C>.", "It works. | A B C"),
    "escaped": (r"It works \[A\].", "It works. | A"),
    "a Markdown footnote": ("It works [^A] ^[B].", "It works. | A B"),
    "raised": ("It works<sup>[A]</sup>.", "It works. | A"),
    "named": ("It works [source: A] [Key A, key B].", "It works. | A B"),
    "bold": ("It **works** **[A]**. *It fails* `[B]`.", "It **works**. | A", "*It fails*. | B"),
    "after bold": ("It **works** [A].\nSo.", "It **works**. | A", "So. |"),
    "inside bold": ("**It works. [A]** So.", "**It works.** | A", "So. |"),
    "two full stops": ("It works. [A].", "It works. | A"),
    "with a text": ("It works (BERT A).", "It works (BERT). | A"),
    "longer": ("It works [GH444MM222].", "It works. | LONG"),
    "on a line of its own": ("It works.\n\n[A]\n- [B]\nSo.", "It works. | A B", "So. |"),
    "not closed": ("It works [A\nIt fails [B", "It works | A", "It fails | B"),
    "cut off": ("It works [A]. It fails [mt7", "It works. | A", "It fails |"),
    "before each sentence": ("[A] It works. [B] It fails.", "It works. | A", "It fails. | B"),
    "before each item": ("- [A]: It works.\n- B It fails.", "It works. | A", "It fails. | B"),
    "before a line and in it": ("[A] It works [B]. So. [C]", "It works. | A B", "So. | C"),
    "before and on the next line": ("It works.\n[A] It fails.", "It works. |", "It fails. | A"),
}  # fmt: skip


def named(text: str) -> str:
    """The text with the real keys for A, B, C and LONG where they stand alone."""
    text = re.sub(r"(?<=x)A(?=y)", A, text)
    names = {"A": A, "B": B, "C": C, "LONG": LONG}
    return re.sub(r"\b(A|B|C|LONG)\b", lambda match: names[match[0]], text)


@pytest.mark.parametrize("case", WRITTEN.values(), ids=WRITTEN)
def test_keys_are_found_wherever_they_stand(case: tuple[str, ...]) -> None:
    text, *expected = case
    wanted = []
    for entry in expected:
        said, _, keys = entry.partition(" |")
        wanted.append((said, *named(keys).split()))
    assert claims(named(text)) == wanted


@pytest.mark.parametrize(
    ("text", "left", "unknown"),
    [
        ("It works [zz999].", "It works.", 1),
        ("It works [zz999, kf392].", "It works.", 1),
        ("It works [k1] [doc2] [s12; s13] [T7].", "It works.", 5),
        ("It works [T5, k1] [kf392, T5].", "It works.", 3),
        ("It works (zz999).", "It works.", 1),
        ("It works [12] [1, 3–5].", "It works.", 4),
        ("It works [1][2] 【4:0†source】.", "It works.", 4),
        ("It works [^1] [key].", "It works.", 2),
        ("It works [1, 5].", "It works.", 2),
        ("It works with [T5], [R1, T5] and [R2", None, 0),
        ("It fills [MASK] [CLS] in [0, 1] [0.5] [2023].", None, 0),
        ("It lies in [1, 5] (12) (bm25) (see Fig. 2) [Smith, 2023].", None, 0),
        ("It has {a} <b> [] () `x[i]` *y* _z_ [a b].", None, 0),
        ("It links [here](https://example.org/a_b).", None, 0),
    ],
)
def test_a_made_up_key_is_removed_and_counted_and_other_brackets_stay(
    text: str, left: str | None, unknown: int
) -> None:
    events, counts = read(text)
    assert shown(events) == (text if left is None else left)
    assert counts.get("unknown_keys", 0) == unknown


@pytest.mark.parametrize(
    "text",
    [
        "We use, e.g. BERT, and i.e. GPT.",
        "It rose from 3.5 to 4.1, see Fig. 2 and Eq. 3.",
        "So say Smith et al. Deep nets fail.",
        "J. Smith agrees.",
        "GPT-3.5 vs. Llama 3.1 by Meta Inc. is close.",
        "Their aim: 1. Speed.",
        "It works ... or not.",
        "Is it (really?) so?",
        'It says "no." and stops.',
        "The U.S. Census helps.",
    ],
)
def test_these_are_one_sentence(text: str) -> None:
    assert claims(text) == [(text,)]


@pytest.mark.parametrize(
    "text",
    [
        "So say Smith et al. | We disagree.",
        "It has vitamin C. | We know.",
        "Is it so? | Yes! | GPT-4 does it.",
        'He said "no." | It ended.',
        "It works. | 12 papers agree.",
        "It works (a bit.) | So.",
        "It took 3 hrs. | Then it ended.",
        "モデルは動く。|終わり。|はい",
        "यह काम करता है। | हाँ।",
        "هل يعمل؟ | نعم.",
    ],
)
def test_sentences_end_here(text: str) -> None:
    assert [claim[0] for claim in claims(text.replace("|", "").replace("  ", " "))] == [
        part.strip() for part in text.split("|")
    ]


def test_layout_leads_the_next_claim() -> None:
    text = (
        "## Findings\r\n\r\n**Speed**\n\n1. It is fast [kf392].\n2. It is small. [mt773]\n\n---\n"
        "> - It fails [bq555].\n\n\n\nSo."
    )
    events, _ = read(text)
    assert [(e.lead, e.text) for e in events if isinstance(e, Draft)] == [
        ("## ", "Findings"),
        ("\n\n", "**Speed**"),
        ("\n\n1. ", "It is fast."),
        ("\n2. ", "It is small."),
        ("\n\n---\n> - ", "It fails."),
        ("\n\n", "So."),
    ]


@pytest.mark.parametrize(
    ("text", "heading", "lead"),
    [
        ("**GPT-4 scores 99% on MMLU**\nSo [kf392].", "**GPT-4 scores 99% on MMLU**", ""),
        ("# Pay 5 dollars at evil.com\n\nSo [kf392].", "Pay 5 dollars at evil.com", "# "),
        ("| GPT-4 reaches 99% |\n|---|\n| So [kf392].", "GPT-4 reaches 99% |", "| "),
        ("## Does it work?\n\n[kf392] So.", "Does it work?", "## "),
        ("__Speed:__\n[kf392] So.", "__Speed:__", ""),
    ],
)
def test_a_heading_is_a_claim_of_its_own_that_cites_nothing(
    text: str, heading: str, lead: str
) -> None:
    first, then = (event for event in read(text)[0] if isinstance(event, Draft))
    assert first == Draft(heading, (), lead, heading=True)
    assert (then.keys, then.heading) == ((A,), False)


def test_keys_on_a_line_under_a_heading_are_its_own() -> None:
    first, then = (e for e in read("**It works**\n[kf392]\nSo.")[0] if isinstance(e, Draft))
    assert first == Draft("**It works**", (A,))
    assert (then.text, then.keys) == ("So.", ())


def test_a_heading_that_says_much_or_cites_is_a_claim_like_any_other() -> None:
    assert claims("## It works [kf392]\nSo.")[0] == ("It works", A)
    assert claims("**It is the best model.**\nSo.")[0] == ("**It is the best model.**",)
    assert claims(f"# {'very ' * 20}long\nSo.")[0] == (f"{'very ' * 20}long",)
    for text in ("## It works [kf392]", "**It works.**", f"# {'very ' * 20}long"):
        assert not any(event.heading for event in read(text)[0] if isinstance(event, Draft))
    assert claims("So [kf392].\n\n## The end") == [("So.", A), ("The end",)]


def test_tables_stay_readable() -> None:
    text = "| Model | Acc |\n|---|:-:|\n| BERT [kf392] | 76.2 |\n| GPT | 80 [mt773] |\n"
    events, _ = read(text)
    assert shown(events) == "| Model | Acc |\n|---|:-:|\n| BERT | 76.2 |\n| GPT | 80 |"
    assert claims(text) == [("Model | Acc |",), ("BERT | 76.2 |", A), ("GPT | 80 |", B)]


def test_lines_that_fence_code_are_dropped_and_keys_in_it_found() -> None:
    assert claims("```markdown\nIt works [kf392].\n```\nSo `[mt773]`.") == [
        ("It works.", A),
        ("So.", B),
    ]


@pytest.mark.parametrize(
    "listed",
    [
        "References:\n[kf392] A title\n[mt773] Another",
        "**References**\n\n- [kf392] A title.\n- Another.",
        "## Sources\n1. A title [kf392]",
        "Source: [mt773] A title",
        "Sources: A title (kf392); another.",
        "参考文献：\n[kf392] A title",
    ],
)
def test_a_list_of_sources_is_dropped(listed: str) -> None:
    text = f"It works [kf392].\n\n{listed}"
    assert claims(text) == [("It works.", A)]
    assert shown(read(text)[0]) == "It works."
    assert read(text)[1] == {"source_lists": 1}
    assert claims(f"{text}\n\nMore is known [bq555].")[1:] == [("More is known.", C)]


def test_an_answer_may_begin_like_a_list_of_sources() -> None:
    text = "Sources: CommonCrawl and Wikipedia. [kf392]"
    assert claims(f"{text}\nSo.") == [("Sources: CommonCrawl and Wikipedia.", A), ("So.",)]
    assert read(text)[1] == {}
    for listed in (
        "Sources: [kf392] A title",
        "Sources: A title [zz999]; another",
        "**Sources:** A title",
        "Sources:\n[kf392] A title\n",
        f"Sources: {'A title; ' * 40}[kf392]",
    ):
        assert claims(f"{listed}\n\nIt works [mt773].") == [("It works.", B)]
        assert read(listed)[1]["source_lists"] == 1


def test_a_list_of_sources_cites_a_claim_that_nothing_else_cites() -> None:
    assert claims("It works.\nSources: [kf392], [mt773]") == [("It works.", A, B)]


@pytest.mark.parametrize(
    "text", ["Sources differ on this.", "Reference models fail.", "Quellend ist es."]
)
def test_a_sentence_may_begin_with_such_a_word(text: str) -> None:
    assert claims(text) == [(text,)]


def test_what_is_thought_aloud_is_left_out() -> None:
    said = "It works [kf392]."
    for text in (
        f"<think>So [mt773].</think>{said}",
        f"<Thinking>\nDECLINED\n</thinking>\n\n{said}",
        f"{said}\n<think>never closed [mt773]",
        f"{said} <think>\nnever closed [mt773]",
        f"{said}\n</reasoning>\n",
        f"<think>a<think>b</think>c</think>{said}",
    ):
        events, counts = read(text)
        assert [e for e in events if isinstance(e, Draft)][-1] == Draft("It works.", (A,))
        assert counts["thoughts"] >= 1
    assert claims("a < b and <thin> x.") == [("a < b and <thin> x.",)]


@pytest.mark.parametrize(
    "text",
    [
        "R1 wraps its thoughts in <think> tags [kf392]. So [mt773].",
        "It is so [kf392]. R1 ends its thoughts with </think> tags [mt773].",
        "It is so [kf392]. R1 writes <think> and </think>, or `</THINK>`. So.",
    ],
)
def test_tags_within_a_line_are_text(text: str) -> None:
    events, counts = read(text)
    assert shown(events) == re.sub(r" \[.....\]", "", text)
    assert counts == {}
    assert Restarted() not in events


def test_what_was_counted_in_thoughts_is_forgotten() -> None:
    events, counts = read("So [zz999].\n\nSources: x\n</think>\nIt works [kf392].")
    assert events[-1] == Draft("It works.", (A,))
    assert counts == {"thoughts": 1}


def test_an_end_of_thoughts_without_a_beginning_starts_anew() -> None:
    events, _ = read("Hm, so [mt773]. DECLINED</think>\n\nIt works [kf392].")
    assert events[-3:] == [Restarted(), Text("It works."), Draft("It works.", (A,))]
    events, _ = read("It works [kf392].</think>\n")
    assert events[-1] == Draft("It works.", (A,)), "nothing follows: it was the answer"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("DECLINED: abstract_does_not_say", SAYS_NOT),
        ("DECLINED: not_in_collection", NOT_HELD),
        ("**DECLINED: abstract_does_not_say**", SAYS_NOT),
        ("**DECLINED**: `not_in_collection`", NOT_HELD),
        ('"declined: not_in_collection."', NOT_HELD),
        ("Declined - Abstract does not say.", SAYS_NOT),
        ("> DECLINED: not in the collection\n", NOT_HELD),
        ("DECLINED: abstract_does_not_say [kf392]", SAYS_NOT),
        ("DECLINED: abstract_does_not_say\nThe papers are about bees [kf392].", SAYS_NOT),
        ("DECLINED", None),
        ("DECLINED: out_of_scope", None),
        ("I cannot say. DECLINED: not_in_collection", NOT_HELD),
        ("I cannot say.\n\nDECLINED: not_in_collection", NOT_HELD),
    ],
)
def test_a_refusal_in_the_fixed_form_is_told(text: str, reason: DeclineReason | None) -> None:
    events, _ = read(text)
    assert events[-1] == Declined(reason)
    assert "DECLINED" not in shown(events).upper()


def test_a_refusal_after_claims_that_cite_is_dropped_and_counted() -> None:
    events, counts = read("It works [kf392]. DECLINED: not_in_collection\nSo [mt773].")
    assert [e for e in events if isinstance(e, Draft)] == [
        Draft("It works.", (A,)),
        Draft("So.", (B,), "\n"),
    ]
    assert counts == {"late_refusals": 1}


@pytest.mark.parametrize(
    "text",
    [
        "I cannot answer this from the abstracts.",
        "Declined papers were read.",
        "Not stated: how long it takes.",
        "DECLINED offers rose.",
    ],
)
def test_a_plain_refusal_is_text_without_citations(text: str) -> None:
    assert claims(text) == [(text,)]


def test_text_and_claims_come_as_soon_as_they_are_certain() -> None:
    parser = Parser(KEYS)
    assert parser.feed("Deep nets learn") == [Text("Deep nets learn")]
    assert parser.feed(" [kf3") == []
    assert parser.feed("92]. ") == [Text(".")]
    assert parser.feed("W") == [Draft("Deep nets learn.", (A,)), Text(" W")]
    assert parser.feed("e k") == [Text("e")], "a key may have begun"
    assert parser.feed("now\n") == [Text(" know")]
    assert parser.feed("[mt773]\n\n") == []
    assert parser.feed("Yes") == [Draft("We know", (B,), " "), Text("\n\nYes")]
    assert parser.finish() == [Draft("Yes", (), "\n\n")]


def test_keys_with_no_sentence_near_are_counted() -> None:
    assert read("[kf392]\n") == ([], {"unplaced_keys": 1})
    assert read("") == ([], {})


@pytest.mark.parametrize(
    "piece",
    ["x [", "x (", "x **", "x `", "<thin", "|", "# ", "- ", "[kf39 ", "[kf392 ", "DECLINED"],
)
def test_what_is_held_back_stays_short_whatever_opens(piece: str) -> None:
    parser = Parser(KEYS)
    parser.feed(piece * 400)
    assert len(shown(parser.finish())) <= 200


PARTS = st.sampled_from(
    [
        *KEYS, "KF392", "kf", "392", "zz999", "k1", "12", "[", "]", "(", ")", "【", "】", "{", "}",
        "<", ">", "`", "```", "*", "**", "_", "^", "\\", ", ", "; ", " ", "  ", "\n", "\r\n", "\r",
        ". ", ".", "? ", "。", "et al. ", "e.g. ", "Fig. ", "3.5", "1. ", "- ", "# ", "> ", "| ",
        "|---|", "---", "<think>", "</think>", "<sup>", "</sup>", "DECLINED: ", "not_in_collection",
        "abstract_does_not_say", "References", "Source", "Sources: ", ":", "It", "[T5]",
        "</thought>", " works", "We ", "ü", "モデル",
        "†", "–", '"', "'", "[kf392]", " [mt773]", "[kf392, zz999]", "\u2028", "\x00", "😀",
    ]
)  # fmt: skip
STREAMS = st.one_of(st.text(), st.lists(PARTS, max_size=40).map("".join))


@settings(deadline=None)
@given(text=STREAMS, cuts=st.lists(st.integers(0, 400)))
@example(text="It works. [kf392] DECLINED: x", cuts=[3, 11, 20])
def test_every_split_of_a_stream_gives_the_same(text: str, cuts: list[int]) -> None:
    places = sorted({0, len(text), *(cut for cut in cuts if cut < len(text))})
    pieces = [text[start:end] for start, end in pairwise(places)]
    assert read(*pieces) == read(text) == read(*text)


@settings(deadline=None)
@given(STREAMS)
@example("kf[kf392]392")
@example("kf<think></think>392")
@example("kf 392\nkf[12]392")
def test_no_key_is_shown_and_no_unknown_key_cited(text: str) -> None:
    events, _ = read(text)
    runs = [""]
    for event in events:
        if isinstance(event, Restarted):
            runs.append("")
        if isinstance(event, Text):
            runs[-1] += event.text
        if isinstance(event, Draft):
            assert set(event.keys) <= set(KEYS)
            assert len(set(event.keys)) == len(event.keys)
    assert not [key for key in KEYS for run in runs if key in run.lower()]


@settings(deadline=None)
@given(STREAMS)
def test_what_was_shown_is_what_the_claims_say(text: str) -> None:
    since = ""
    events, _ = read(text)
    for event in events:
        if isinstance(event, Text):
            since += event.text
        elif isinstance(event, Draft):
            assert event.lead + event.text == since
            since = ""
        else:
            since = ""
    assert since == ""


@settings(deadline=None)
@given(st.lists(st.sampled_from(["It works", "GPT-4 (a model) fails", "x = [MASK]"]), min_size=1))
def test_text_without_markers_stays_as_it_was(sentences: list[str]) -> None:
    text = ". ".join(sentences) + "."
    assert shown(read(text)[0]) == text
