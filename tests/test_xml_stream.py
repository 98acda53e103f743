"""XML read record by record: past damage, within limits, and never fooled into more."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.errors import FileError
from rag.ingest.formats.xml_stream import (
    ELEMENT_CHARS,
    MAX_DAMAGES,
    MAX_RECORD_CHARS,
    MAX_TOKEN_CHARS,
    Damage,
    elements,
    root_name,
)
from rag.ingest.formats.xml_text import inline_text, sections_text

RECORD = frozenset(("r",))


def found(text: str, size: int = 50_000, skipped: frozenset[str] = frozenset()) -> list[str]:
    """What is found, as "line: text" and "line! reason", reading ``size`` characters at a time."""
    chunks = (text[at : at + size] for at in range(0, len(text), size))
    return [
        f"{item.line}! {item.reason}"
        if isinstance(item, Damage)
        else f"{item.line}: {''.join(item.element.itertext())}"
        for item in elements(chunks, RECORD, skipped)
    ]


def inline(markup: str) -> str:
    return inline_text(ET.fromstring(f"<x>{markup}</x>"))


# What is found


def test_records_come_with_their_lines_under_any_prefix() -> None:
    assert found("<s>\n<r>a</r>\n\n<x:r xmlns:x='y'>b\n</x:r><rr>c</rr></s>") == ["2: a", "4: b\n"]


def test_a_record_may_be_the_root_and_several_documents_may_follow_each_other() -> None:
    assert found("<r>a</r>\n<r>b</r>\n") == ["1: a", "2: b"]
    one = "<?xml version='1.0'?>\n<!DOCTYPE s SYSTEM 's.dtd'>\n<s><r>{}</r></s>\n"
    assert found(one.format("a") + one.format("b") + one.format("c")) == ["3: a", "6: b", "9: c"]


def test_white_space_before_the_declaration_is_passed_over() -> None:
    assert found(" \n\n<?xml version='1.0'?>\n<s><r>a</r></s>") == ["4: a"]


def test_the_declared_encoding_is_ignored_for_the_text_is_decoded() -> None:
    for encoding in ("utf-16", "latin-1", "klingon"):
        assert found(f"<?xml version='1.0' encoding='{encoding}'?><r>é</r>") == ["1: é"]


def test_a_document_type_elsewhere_is_read_past_and_entities_of_html_are_known() -> None:
    dtd = "<!DOCTYPE s PUBLIC '-//NLM//DTD X//EN' 'http://127.0.0.1:9/x.dtd'>"
    assert found(f"{dtd}<s><r>&alpha;&nbsp;&amp;&mystery;</r></s>") == ["1: α\xa0&&mystery;"]
    assert found("<s><r>&eacute;</r></s>") == ["1: é"]


def test_characters_that_xml_cannot_hold_are_spaces() -> None:
    assert found("<s><r>a\x00b\x1bc\ufffed\ud800e</r></s>") == ["1: a b c d e"]


def test_skipped_elements_leave_no_text_and_do_not_swallow_what_follows() -> None:
    text = "<s><r>a<k>x<k>y</k></k>b</r><r><k/>c</r></s>"
    assert found(text, skipped=frozenset("k")) == ["1: ab", "1: c"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("<?xml version='1.0'?>\n<!-- <no> -- > -->\n<a:feed>", "feed"),
        ("<!DOCTYPE  article [ <!ENTITY", "article"),
        ("  <article-set/>", "article-set"),
        ("{", None),
        ("", None),
        ("<!--", None),
        ("<? <a>", None),
        ("5 < 6", None),
    ],
)
def test_the_root_is_found_behind_what_stands_before_it(head: str, name: str | None) -> None:
    assert root_name(head) == name


# Damage


@pytest.mark.parametrize(
    "broken",
    [
        "<r>a & b</r>",
        "<r>p <0.05</r>",
        "<r>a <b y</r>",
        "<r>a <b>c</r>",
        "<r>&#1;</r>",
        "<r x=1>a</r>",
        "<r x='1' x='2'>a</r>",
        "<r>a</q></r>",
        "<r>a",
    ],
)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_a_damaged_record_costs_itself_alone(broken: str, size: int) -> None:
    text = f"<t>\n<s><r>1</r>\n<u/>\n{broken}\n<r>2</r></s>\n<s><r>3</r></s></t>\n"
    first, damage, *rest = found(text, size)
    assert (first, rest) == ("2: 1", ["5: 2", "6: 3"])
    assert damage.startswith("4! ")


def test_a_record_that_does_not_end_is_told_from_the_next() -> None:
    assert found("<s>\n<r>a\n<r>b</r></s>") == [
        "2! the record does not end before the next one begins",
        "3: b",
    ]


def test_the_line_of_a_damage_is_named_where_it_is_not_that_of_the_record() -> None:
    assert found("<s>\n<r>a\nb & c</r></s>") == [
        "2! not valid XML: not well-formed (invalid token) (line 3)"
    ]


def test_damage_around_records_is_told_once_and_costs_none() -> None:
    assert found("<s><r>1</r>\n& x\n<r>2</r></s>") == [
        "1: 1",
        "2! not valid XML: not well-formed (invalid token)",
        "3: 2",
    ]


def test_a_text_that_is_cut_off_says_so() -> None:
    assert found("<s><r>1</r>\n<r>2") == ["1: 1", "2! the XML ends within this record"]
    assert found("<s><r>1</r>\n") == ["1: 1", "2! the XML is cut off here"]
    assert found("<s><r>1</r></s>\nbye") == ["1: 1", "2! text after the end of the XML"]


@given(st.data())
@settings(max_examples=60)
def test_a_file_cut_anywhere_gives_the_records_before_the_cut(data: st.DataObject) -> None:
    text = "<s>" + "".join(f"\n<r a='{n}'>text &amp; <i>{n}</i></r>" for n in range(5)) + "\n</s>"
    cut = data.draw(st.integers(0, len(text) - 1))
    whole = [item for item in found(text[:cut]) if "!" not in item]
    assert whole == found(text)[: text[:cut].count("</r>")]
    assert len(found(text[:cut])) == len(whole) + 1


PARTS = st.lists(
    st.sampled_from(
        ["<r>", "</r>", "<r/>", "<s>", "</s>", "text ", "\n", "&amp;", "&", "<", ">", "<!--",
         "-->", "<![CDATA[", "]]>", "<?x", "?>", "<!DOCTYPE s>", "'", "<a b='", "x" * 3000]
    ),
    max_size=30,
)  # fmt: skip


@given(PARTS, st.integers(1, 5000))
@settings(max_examples=300, deadline=None)
def test_any_split_of_a_text_reads_the_same_and_nothing_fails(parts: list[str], size: int) -> None:
    text = "".join(parts)
    assert found(text, size) == found(text)


@given(st.text())
def test_any_text_is_read_without_failing(text: str) -> None:
    assert isinstance(found(text), list)
    assert isinstance(root_name(text), str | None)


@given(st.lists(st.text(), max_size=8), st.integers(1, 40))
@settings(deadline=None)
def test_what_was_written_comes_back(texts: list[str], size: int) -> None:
    root = ET.Element("s")
    for text in texts:
        ET.SubElement(root, "r").text = "".join(c for c in text if c.isprintable())
    written = ET.tostring(root, encoding="unicode")
    assert [item.partition(": ")[2] for item in found(written, size)] == [
        record.text or "" for record in root
    ]


# Attacks

LAUGHS = """<!DOCTYPE s [<!ENTITY a "ha">{}]><s><r>&z;</r></s>""".format(
    "".join(
        f'<!ENTITY {x} "{f"&{y};" * 10}">' for y, x in zip("abcdefghiz", "bcdefghiz", strict=False)
    )
)


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        f"<!DOCTYPE s [<!ENTITY a '{'x' * 10_000}'>]><s><r>{'&a;' * 10_000}</r></s>",
        "<!DOCTYPE s [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><s><r>&a;</r></s>",
        "<!DOCTYPE s [<!ENTITY a SYSTEM 'http://127.0.0.1:9/'>]><s><r>&a;</r></s>",
        "<!DOCTYPE s [<!ENTITY % p SYSTEM 'http://127.0.0.1:9/'> %p;]><s><r>a</r></s>",
        "<!DOCTYPE s [<!ATTLIST a b CDATA 'long'>]><s><r><a/></r></s>",
    ],
    ids=["billion laughs", "quadratic", "file", "address", "parameter", "default attribute"],
)
@pytest.mark.parametrize("size", [1, 100_000])
def test_declarations_of_its_own_are_refused(text: str, size: int) -> None:
    with pytest.raises(FileError, match="refused: its DOCTYPE holds declarations"):
        found(text, size)


def test_declarations_behind_a_damage_or_in_a_second_document_define_nothing() -> None:
    entity = "<!DOCTYPE s [<!ENTITY a 'hahaha'>]>"
    assert found(f"<s><r>1</r></s>{entity}<s><r>&a;</r></s>") == ["1: 1", "1: &a;"]
    assert found(f"<s><r>&</r>{entity}<r>&a;</r></s>")[-1] == "1: &a;"


def test_an_external_document_type_and_an_inclusion_are_never_fetched() -> None:
    text = (
        "<!DOCTYPE s SYSTEM 'file:///etc/passwd'><s><r>&root;<include href='/etc/passwd'/></r></s>"
    )
    assert found(text) == ["1: &root;"]


def endless(beginning: str, repeated: str) -> Iterator[str]:
    """A text that would go on for ever; the reader has to stop by itself."""
    yield beginning
    while True:
        yield repeated * (65_536 // len(repeated))


@pytest.mark.parametrize(
    ("beginning", "repeated", "said"),
    [
        ("", "<a>", "nested more than"),
        ("<s a='", "x", f"more than {MAX_TOKEN_CHARS:,} characters"),
        ("<s><!-- ", "x", f"more than {MAX_TOKEN_CHARS:,} characters"),
        ("<s>", "<r>", f"{MAX_DAMAGES:,} damaged records"),
        ("<s>", "<r>&</r>", f"{MAX_DAMAGES:,} damaged records"),
    ],
    ids=["depth", "attribute", "comment", "unended records", "broken records"],
)
def test_what_never_ends_is_refused(beginning: str, repeated: str, said: str) -> None:
    text = endless(beginning, repeated)
    with pytest.raises(FileError, match=said):
        assert all(isinstance(i, Damage) for i in elements(text, RECORD))


def test_too_many_names_are_refused() -> None:
    names = "".join(f"<n{number}/>" for number in range(20_000))
    with pytest.raises(FileError, match="different names"):
        found(f"<s>{names}</s>")


def test_a_record_that_is_too_large_is_skipped_and_the_next_is_read() -> None:
    many = "<a/>" * (MAX_RECORD_CHARS // ELEMENT_CHARS + 1)
    reason = f"2! a record of more than {MAX_RECORD_CHARS:,} characters"
    assert found(f"<s>\n<r>{many}</r><r>b</r></s>") == [reason, "2: b"]


# Text

SPRINGER = "<tex-math>\\documentclass{minimal}\\begin{document}$$x$$\\end{document}</tex-math>"


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("H<sub>2</sub>O and Ca<sup>2+</sup>", "H2O and Ca2+"),
        ("10<sup>5</sup> cells, 2 × 10<sup>−6</sup>", "10^5 cells, 2 × 10^−6"),
        ("the 95<sup>th</sup> and m<sup>2</sup>", "the 95th and m2"),
        ("β\n\t\t<sub>2</sub>-agonist", "β2-agonist"),
        ("a\n  <i>b</i>\n  c", "a b c"),
        ("337\u2009802", "337\u2009802"),
        ("a<br/>b", "a b"),
        ("a<fn>note</fn>b<!-- c -->", "ab"),
        ("<math><mfrac><mrow><mi>a</mi><mo>+</mo></mrow><mi>b</mi></mfrac></math>", "(a+)/b"),
        ("<math>\n <msup>\n <mi>R</mi>\n <mn>2</mn>\n </msup>\n</math>", "R^2"),
        ("<math><msqrt><mn>2</mn></msqrt><mo>&#x2062;</mo><mi>π</mi></math>", "√2π"),
        (
            "<math><semantics><mi>x</mi><annotation>\\x</annotation></semantics></math>",
            "x",
        ),
        (
            f"<alternatives>{SPRINGER}<math><mi>y</mi></math></alternatives>",
            "y",
        ),
        (SPRINGER, "$$x$$"),
        (f"<alternatives><graphic/>{SPRINGER}</alternatives>", "$$x$$"),
        ("<alternatives><graphic/><textual-form>z</textual-form></alternatives>", "z"),
        ("<math><mo>(</mo></math><math/>", "("),
        ("<math><semantics/><mfrac/><msup/><mfenced/></math>", ""),
    ],
)  # fmt: skip
def test_markup_becomes_the_text_that_it_means(markup: str, text: str) -> None:
    assert inline(markup) == text


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One.</p><p>Two.</p>", "One.\nTwo."),
        ("<title>Abstract</title><p>One.</p>", "One."),
        ("<sec><title>Aims:</title><p>One.</p><p>Two.</p></sec>", "Aims: One.\nTwo."),
        ("<sec><title>What is new?</title><p>One.</p></sec>", "What is new? One."),
        ("<sec><title>A</title><sec><title>B</title><p>One.</p></sec></sec>", "A: B: One."),
        ("<sec><label>1</label><p>One.</p></sec>", "One."),
        ("<list><list-item><p>One</p></list-item><list-item>Two</list-item></list>", "One\nTwo"),
        ("bare <italic>text</italic>", "bare text"),
        ("<title>Abstract</title> bare", "bare"),
        ("<sec><title>Empty</title></sec>", ""),
        ("", ""),
    ],
)
def test_sections_of_an_abstract_are_labelled_lines(markup: str, text: str) -> None:
    assert sections_text(ET.fromstring(f"<abstract>{markup}</abstract>")) == text
