"""The sentence splitter: exact offsets, hand-checked traps, hand-segmented abstracts."""

from __future__ import annotations

import gzip
import json
import time
from itertools import islice, pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rag.ingest.reading import read_papers
from rag.ingest.sentences import MAX_SENTENCE_CHARS, split_sentences
from rag.schema import Record

SAMPLE = Path(__file__).parents[1] / "data" / "daily_papers"
BENCH = Path(__file__).parents[2] / "shared" / "bench"


def split(abstract: str) -> list[str]:
    return [abstract[start:end] for start, end in split_sentences(abstract)]


# One line a case, " | " where a sentence begins, "¶" for a new line.
TRAPS = r"""
We use models, e.g. BERT and GPT. | They work.
Large models, i.e. Transformers, are slow. | We fix it.
See Smith et al. Deep nets are used there.
It was shown by Smith et al. | We disagree.
Shown by Lee et al. (2023) and Wang et al., 2024. | It holds.
As in Fig. 3 and Eq. 2, the loss falls. | It stays low.
Accuracy rose from 0.95 to 0.97. | That is 2.1% more.
Code is at https://github.com/x/y. | Data follow.
See https://example.org/a.b?c=d.e for code.
Project page: https://vqassessment.github.io/Q-Bench.
Code will be at https://github. com/0nutation/SpeechAgents
We compare GPT-3.5 and Llama 3.1. | Both fail.
It beats GPT-3.5-turbo. | It is small.
We test on WebVoyager and WebArena.| To the best of our knowledge, this is new.
It fuses features through a mechanism.| This unification helps.
It uses reinforcement learning (RL).| We extend it.
We introduce TaskMatrix.AI as an ecosystem. | It connects models.
Node.js and github.io are supported. | So is ASP.NET.
The U.S.A. is large. | The U.S. Census helps.
He moved to the U.S. | We followed.
Why does it work? | We explain why.
Does it (really?) work? | Yes.
What a result! | We repeat it.
We ask "Is it real?" and answer no. | Then we stop.
Prompts like 'You are Yoda. Explain relativity.' | While this works, it is odd.
They say "it works." | We agree.
Concern grew: ``Does it work?'' | We say yes.
The "training'' set is small. | Across tasks it grows.
First, we train; second, we test; third, we ship.
We show that (1) it works; (2) it scales; and (3) it is cheap.
We find: (1) It works. | (2) It scales.
Two aspects: (1). there is a tradeoff; (2). by paying it we win. | Done.
We 1.) train it and 2.) test it. | It works.
As proposed by J. R. Smith and A. Kowalski, it works. | We extend it.
Vitamin C. | We measured it.
See No. 5 of the list. | It is long.
It takes approx. 3 days. | That is fine.
We measure accuracy w.r.t. the baseline. | It improves.
The data are i.i.d. | The model is not.
In non-i.i.d. settings it fails. | We fix that.
Generalists vs. Specialists is the question. | We answer it.
Errors fall by 23\%. | We are glad.
We study $textbf{specialist} and textbf{generalist}$ models. | Both matter.
Only sim0.01% of parameters change. | The rest stay.
Only $\sim$0.01\% of parameters change. | The rest stay.
We sample from $P(x). Q(y)$ often. | It is fast.
So $y = 2x.$ | We use it.
The cost is $5. | The gain is $10.
BACKGROUND: Colds are common. | METHODS: We asked 12 people. | RESULTS: None came.
Background. Colds are common. | Patients and methods. We asked 12 people.
We test three sets, A, B, C, etc. | Results are good.
We use tools (search, code, etc.) and memory. | They help.
Pressure was 5 mm Hg. | Patients rested.
The dose was 5 mg/kg (i.v.) daily. | It helped.
Growth of E. coli was slow. | Then it stopped.
Results improve on AlpacaEval 2.0. | To our knowledge, this is new.
In- and out-of- domain data are used. | Both help.
We describe the words ... and stop. | Then we go on...
The model (see Sec. 4. It is long.) works. | We ship it.
Behavior (e.g., 'What happened {time}{place}?') -- we find it.
We train on many tasks. | Models fine-tuned on tasks. | Humans do not.
• One thing | • Another thing
First point.¶| - Second point¶| - Third point
A wrapped line¶- with a dash - goes on. | It ends.
We do as follows:¶| 1. We train. | It is slow.
A first paragraph¶¶| A second paragraph
A line that was¶wrapped goes on. | It ends¶here.
研究方法を提案する。| 結果は良い。
They use A* search. | It is optimal.
"""


@pytest.mark.parametrize("case", TRAPS.strip().splitlines())
def test_a_trap_is_split_as_a_person_would(case: str) -> None:
    case = case.replace("¶", "\n")
    expected = [part.strip() for part in case.split("|")]
    assert split(case.replace(" | ", " ").replace("| ", "").replace("|", "")) == expected


def test_the_table_of_traps_is_long_enough() -> None:
    assert len(TRAPS.strip().splitlines()) >= 40


# Sixteen sample abstracts segmented by hand: how each of their sentences begins.
GOLD = """
# SpeechAgents: | Human communication is a | Large Language Model (LLM)-based | Can we leverage
| However, current | In this paper | SpeechAgents utilizes | Additionally, we | To strengthen
| Experimental results | Code and models
# Q-Bench: | The rapid evolution | Nevertheless, there | To address this gap | a) To evaluate
| We then measure | b) To examine | c) Besides | Specifically, we | Our evaluation
| However, these skills | We hope | Project Page
# Proposer-Agent-Evaluator(PAE) | The vision | Such a generalist | If each skill | In this work
| At the heart | Then, the agent | The success evaluation | We validate | To the best
| Our open-source
# SALMONN | Hearing is | In this paper | SALMONN enables | SALMONN also | The presence
| To our knowledge | An interactive
# Specializing Smaller | The surprising | We show that such | We propose model | The hypothesis
| Small models | We use multi-step | We show two | We further give | We hope
# Instruct-SkillMix | We introduce | The Instruct-SkillMix pipeline involves | Here, the use
| Vanilla SFT | With just 4K | To our knowledge | Ablation studies | Introducing low
| The Instruct-SkillMix pipeline is
# Bias Runs Deep | Recent works | While this ability | To fill this gap | Our study covers
| Our experiments unveil | While they overtly | These can be | Our experiments with
| Overall, all 4 | Further analysis | Our findings serve
# SimpleToM | While prior | Such skills | We create a | To our knowledge | Our experimental
| We further show | While this shows
# Retrieval Head | Despite the recent | This paper aims | Our systematic | We identify
| (3) intrinsic | When extending | (4) dynamically | The rest of | (5) causal | We further show
| Conversely, tasks | These observations | We believe
# TaskMatrix.AI | Artificial Intelligence | On the one hand | They can also | However, they still
| On the other hand | However, due | Therefore, there | Inspired by this | Unlike most
| As a position
# MIGE | Despite significant | Existing methods | However, both | Therefore, we | It treats
| MIGE introduces | This unification | (2) Generalization | Experiments show | Code and model
# Evaluation of OpenAI o1 | This comprehensive | Through rigorous | Key findings
| -Superior ability | -100% accuracy | -Advanced natural | -Impressive | -Remarkable | -Strong cap
| O1 has | -Effective | The model excelled | While some
# LAB-Bench | There is widespread | Today, many | As a step | Importantly, in | As an initial
| We will continue | A public subset
# ChatGPT is a Knowledgeable | Large language models | However, their | It remains | (2) Are GPTs
| (3) Are GPTs | (4) Can GPTs | To evaluate | (2) ChatGPT is | (3) Despite | The above
# Task-Specific Skill Localization | Pre-trained | Thus fine-tuning | This paper | Given the
| While reminiscent | (ii) Notable | In models | Experiments suggest
# Circuit Component Reuse | Recent work | A common | In this work | Specifically, we | We provide
| We further present | In doing so | The intervention | Overall, our
"""


@pytest.fixture(scope="module")
def abstracts() -> dict[str, str]:
    records = [item for item in read_papers(SAMPLE) if isinstance(item, Record)]
    return {record.title: record.abstract for record in records}


@pytest.mark.parametrize("entry", GOLD.strip().removeprefix("# ").split("\n# "))
def test_an_abstract_is_split_as_by_hand(entry: str, abstracts: dict[str, str]) -> None:
    title, *begins = (part.strip() for part in entry.replace("\n", " ").split(" | "))
    (abstract,) = (text for name, text in abstracts.items() if name.startswith(title))
    expected, position = [], 0
    for begin in begins:
        position = abstract.index(begin, position)
        expected.append(position)
        position += len(begin)
    assert [start for start, _ in split_sentences(abstract)] == expected


def assert_sound(text: str) -> None:
    """What holds for the sentences of every text."""
    spans = split_sentences(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(first[1] <= second[0] for first, second in pairwise(spans))
    assert all(text[start:end] == text[start:end].strip() for start, end in spans)
    assert all(end - start <= MAX_SENTENCE_CHARS for start, end in spans)
    kept = "".join("".join(text[start:end].split()) for start, end in spans)
    assert kept == "".join(text.split())
    assert bool(spans) == bool(text.strip())


WORDS = st.sampled_from(
    ["We", "the", "e.g.", "i.e.", "et al.", "Fig.", "3", "0.95", "(", ")", '"', "'", "``", "''",
     "[", "]", "$", "$$", ".", "?", "!", "...", "…", ";", ",", ":", "\n", "\n\n", "\t", "- ", "• ",
     "1.", "(2)", "iii)", "U.S.", "i.i.d.", "https://github.com/x.", "www.a.", "GPT-3.5",
     "WebArena.To", "Results.", "。", "?)", "--", "\\%", "{", "}", "model", "data.", "Yes.",
     "\u2028", "\xa0"]
)  # fmt: skip


@given(st.one_of(st.text(), st.lists(WORDS).map(" ".join), st.lists(WORDS).map("".join)))
@settings(deadline=None)
def test_sentences_are_exact_ordered_and_lose_nothing(text: str) -> None:
    assert_sound(text)


@given(st.lists(WORDS, min_size=1), st.integers(100, 400))
@settings(max_examples=40, deadline=None)
def test_no_sentence_is_longer_than_allowed(words: list[str], times: int) -> None:
    assert_sound(" ".join(words) * times)


def test_every_sample_abstract_is_sound(abstracts: dict[str, str]) -> None:
    for abstract in abstracts.values():
        assert_sound(abstract)
        assert len(split_sentences(abstract)) >= 4


@pytest.mark.parametrize("text", ["", " ", "\n\n\t\u2003"])
def test_blank_text_has_no_sentences(text: str) -> None:
    assert split_sentences(text) == ()


@pytest.mark.parametrize("text", ["x", ".", "…", "No full stop", "(1)", '"'])
def test_text_that_is_not_blank_has_a_sentence(text: str) -> None:
    assert split(text) == [text]


def test_a_long_sentence_is_cut_at_clause_ends_before_commas_and_spaces() -> None:
    clause = "the method, which is slow, works on all of the data that we have seen so far"
    sentence = f"We show that {'; '.join([clause] * 20)}."
    parts = split(sentence)
    assert len(parts) > 1
    assert all(part.endswith(";") for part in parts[:-1])


@pytest.mark.parametrize(
    "text", ["x" * 100_000, "word " * 20_000, "a." * 50_000, "?" * 100_000, '."' * 50_000,
     "(" * 100_000, "( " * 50_000, "$ " * 50_000, "'a " * 33_000, "a. " * 33_000, "• " * 50_000,
     "." + " " * 99_999, "[" + "a. B " * 19_999, "e.g. " * 20_000], ids=lambda text: text[:5],
)  # fmt: skip
def test_a_hundred_thousand_characters_of_anything_are_cut_in_time(text: str) -> None:
    started = time.perf_counter()
    assert_sound(text)
    assert time.perf_counter() - started < 5


def test_splitting_twice_gives_the_same() -> None:
    text = "We use LLMs, e.g. GPT. They work. Why? See Fig. 3."
    assert split_sentences(text) == split_sentences(text)


def test_real_abstracts_are_sound_and_split_fast() -> None:
    corpus = BENCH / "abstracts-50k.jsonl.gz"
    if not corpus.exists():
        pytest.skip("the benchmark abstracts are not beside the repository")
    with gzip.open(corpus, "rt", encoding="utf-8") as lines:
        texts = [json.loads(line)["abstract"].strip() for line in islice(lines, 0, 50_000, 50)]
    started = time.perf_counter()
    for text in texts:
        split_sentences(text)
    assert (time.perf_counter() - started) / len(texts) < 0.005
    for text in texts:
        assert_sound(text)
