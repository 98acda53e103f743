"""Train the cross-encoder; on 2 CPU cores with bf16 an epoch takes about 15 minutes.

    pip install -r training/requirements-train.txt
    python training/train_crossencoder.py --data ../shared --out training/work/crossencoder

Writes ``checkpoint.pt`` (everything needed to go on; the same command resumes), ``curve.jsonl``
(the learning curve: losses, and measures on the dev split twice an epoch) and, at the end,
``weights.safetensors``: the moving average of the weights, which `build_crossencoder.py` takes.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from rag.models.bundled import BundledEmbedder  # noqa: E402
from rag.models.crossencoder import Pair, Reading  # noqa: E402
from rag.models.pairs import Window, windows  # noqa: E402
from rag.models.runtime import WEIGHTS  # noqa: E402
from training import crossencoder_examples as data  # noqa: E402
from training.crossencoder_measures import measure_dev  # noqa: E402
from training.crossencoder_network import CrossEncoder  # noqa: E402

BATCH_TOKENS = 5_000  # with padding
RATE, HEAD_RATE, DECAY, WARM_UP = 1e-4, 5e-4, 0.01, 0.06
AVERAGE, AVERAGED = 0.98, 5  # the moving average of the weights: what stays, every so many steps
SENTENCE_LOSS, CHOICE_LOSS, ANSWERABLE_LOSS, SUPPORT_LOSS = 1.0, 0.5, 1.0, 1.0


@dataclass(frozen=True, slots=True)
class Row:
    """An example as the network reads it."""

    window: Window
    answering: tuple[float, ...] | None
    answerable: float | None
    support: float | None


class Encoder:
    """Turns examples into rows; remembers what it has tokenised."""

    def __init__(self) -> None:
        self._tokenizer = Tokenizer.from_file(str(WEIGHTS / "embedder-tokenizer.json"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._known: dict[str, list[int]] = {}

    def tokens(self, text: str) -> list[int]:
        """Token ids without [CLS] and [SEP]."""
        if text not in self._known:
            self._known[text] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return self._known[text]

    def row(self, example: data.Example) -> Row:
        """The window of an example that shows most of what answers (nearly all have but one)."""
        marks = example.answering
        choices = windows(
            self.tokens(example.query),
            self.tokens(example.title),
            [self.tokens(sentence) for sentence in example.sentences],
        )
        best = max(choices, key=lambda w: sum(marks[i] for i in w.sentences) if marks else 0.0)
        answering = None if marks is None else tuple(marks[i] for i in best.sentences)
        return Row(best, answering, example.answerable, example.support)


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows as padded tensors; NaN where a head has nothing to learn."""

    ids: Tensor
    segments: Tensor
    pools: Tensor
    answering: Tensor
    answerable: Tensor
    support: Tensor


def collate(rows: Sequence[Row]) -> Batch:
    """Pad rows to one batch."""
    n = max(len(row.window.ids) for row in rows)
    most = max(len(row.window.spans) for row in rows)
    ids = torch.zeros(len(rows), n, dtype=torch.long)
    segments = torch.zeros(len(rows), n, dtype=torch.long)
    pools = torch.zeros(len(rows), most, n)
    answering = torch.full((len(rows), most - 2), math.nan)
    for i, row in enumerate(rows):
        ids[i, : len(row.window.ids)] = torch.tensor(row.window.ids)
        segments[i, : len(row.window.ids)] = torch.tensor(row.window.segments)
        for j, (start, end) in enumerate(row.window.spans):
            pools[i, j, start:end] = 1 / max(end - start, 1)
        if row.answering is not None:
            answering[i, : len(row.answering)] = torch.tensor(row.answering)
    answerable, support = (
        torch.tensor([math.nan if v is None else v for v in values])
        for values in ([row.answerable for row in rows], [row.support for row in rows])
    )
    return Batch(ids, segments, pools, answering, answerable, support)


def batches(rows: Sequence[Row], rng: np.random.Generator) -> list[list[Row]]:
    """Rows of like length together, at most `BATCH_TOKENS` a batch; batches shuffled."""
    order = sorted(rows, key=lambda row: len(row.window.ids) + rng.uniform(0, 16))
    result: list[list[Row]] = [[]]
    for row in order:
        if (len(result[-1]) + 1) * len(row.window.ids) > BATCH_TOKENS:
            result.append([])
        result[-1].append(row)
    rng.shuffle(result)
    return result


def loss_of(model: CrossEncoder, batch: Batch) -> tuple[Tensor, dict[str, float]]:
    """The summed loss of a batch, and its parts."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        sentence, answerable, support = model(batch.ids, batch.segments, batch.pools)
    parts = {
        "sentence": SENTENCE_LOSS * _binary(sentence, batch.answering),
        "choice": CHOICE_LOSS * _choice(sentence, batch.answering),
        "answerable": ANSWERABLE_LOSS * _binary(answerable, batch.answerable),
        "support": SUPPORT_LOSS * _binary(support, batch.support),
    }
    return torch.stack(list(parts.values())).sum(), {k: float(v.detach()) for k, v in parts.items()}


def _binary(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean binary cross-entropy over the labels that are known; 0 where none is."""
    known = ~labels.isnan()
    if not known.any():
        return logits.sum() * 0
    return functional.binary_cross_entropy_with_logits(logits.float()[known], labels[known])


def _choice(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy of choosing an answering sentence, over rows that have one."""
    rows = (labels == 1).any(1)
    if not rows.any():
        return logits.sum() * 0
    chosen = labels[rows]
    scores = logits.float()[rows].masked_fill(chosen.isnan(), -1e4)
    right = scores.masked_fill(chosen != 1, -1e4)
    return (scores.logsumexp(1) - right.logsumexp(1)).mean()


def embed_all(texts: Sequence[str], work: Path) -> NDArray[np.float32]:
    """The vectors of texts, kept in ``work`` (SciFact's corpus takes two minutes)."""
    kept = work / f"vectors-{sha256(json.dumps(texts).encode()).hexdigest()[:16]}.npy"
    if not kept.exists():
        embedder = BundledEmbedder()
        np.save(kept, np.stack([embedder.embed_query(text) for text in texts]))
    return np.asarray(np.load(kept))


def read_sources(folder: Path, more: Path | None, work: Path) -> data.Sources:
    """The training data with its neighbours."""
    held_out = {
        item["id"].removeprefix("scifact:")
        for split in ("dev", "test")
        for item in data.read_split(folder, split)
    }
    abstracts = data.read_split(folder, "train")
    if more is not None:
        abstracts = data.merge(abstracts, more)
    whole = [f"{item['title']}. {' '.join(item['sentences'])}" for item in abstracts]
    corpus = {k: v for k, v in data.scifact_corpus(folder).items() if k not in held_out}
    judged = data.scifact_judgements(folder)
    queries = {
        number: text
        for number, text in data.scifact_queries(folder).items()
        if judged[number] and judged[number] <= corpus.keys()
    }
    documents = list(corpus.values())
    order = data.nearest(
        embed_all(list(queries.values()), work),
        embed_all([f"{d['title']}. {' '.join(d['sentences'])}" for d in documents], work),
        data.NEIGHBOURS,
    )
    pairs = [
        (
            text,
            corpus[document],
            [documents[j] for j in row if str(documents[j]["id"]) not in judged[number]],
        )
        for (number, text), row in zip(queries.items(), order.tolist(), strict=True)
        for document in sorted(judged[number])
    ]
    claims = data.scifact_claims(folder, held_out)
    neighbours = data.neighbours_of(abstracts, embed_all(whole, work))
    several = [] if more is None else data.across(abstracts, more)
    return data.Sources(abstracts, neighbours, claims, pairs, several)


class Average:
    """The exponential moving average of a model's weights."""

    def __init__(self, model: CrossEncoder) -> None:
        self.model = CrossEncoder()
        self.model.load_state_dict(model.state_dict())
        self.model.eval()
        self.steps = 0

    @torch.no_grad()
    def update(self, model: CrossEncoder) -> None:
        """Take a step's weights in; the first steps count more."""
        self.steps += 1
        keep = min(AVERAGE, (1 + self.steps) / (10 + self.steps))
        for mine, new in zip(self.model.parameters(), model.parameters(), strict=True):
            mine.lerp_(new, 1 - keep)


def plan(sources: data.Sources, encoder: Encoder, epochs: int, seed: int) -> Iterator[list[Row]]:
    """All batches of a run, in order; the same for the same seed."""
    for number in range(epochs):
        examples = data.epoch(sources, seed * 1_000 + number)
        rng = np.random.default_rng(seed * 1_000 + number)
        yield from batches([encoder.row(example) for example in examples], rng)


def main(arguments: argparse.Namespace) -> None:
    """Train, or go on training."""
    torch.manual_seed(arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    encoder = Encoder()
    sources = read_sources(arguments.data, arguments.more, arguments.out.parent)
    total = sum(1 for _ in plan(sources, encoder, arguments.epochs, arguments.seed))
    every = math.ceil(total / arguments.epochs / 2)
    model = CrossEncoder()
    start = load_file(arguments.start)
    if "support.out.weight" in start:
        model.load_state_dict(start)
    else:
        model.load_body(start)
    average = Average(model)
    heads = [p for name, p in model.named_parameters() if name.split(".")[0] in _HEADS]
    body = [p for name, p in model.named_parameters() if name.split(".")[0] not in _HEADS]
    groups = [
        {"params": body, "lr": arguments.rate * RATE},
        {"params": heads, "lr": arguments.rate * HEAD_RATE},
    ]
    optimiser = torch.optim.AdamW(groups, weight_decay=DECAY, fused=True)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _rate(step, total))
    saved = arguments.out / "checkpoint.pt"
    done = 0
    if saved.exists():
        state = torch.load(saved)
        model.load_state_dict(state["model"])
        average.model.load_state_dict(state["average"])
        optimiser.load_state_dict(state["optimiser"])
        schedule.load_state_dict(state["schedule"])
        done = state["done"]
        average.steps = done // AVERAGED
    started, sums = (
        time.monotonic(),
        dict.fromkeys(("sentence", "choice", "answerable", "support"), 0.0),
    )
    for step, rows in enumerate(plan(sources, encoder, arguments.epochs, arguments.seed), start=1):
        if step <= done:
            continue
        model.train()
        loss, parts = loss_of(model, collate(rows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        optimiser.zero_grad()
        if step % AVERAGED == 0:
            average.update(model)
        sums = {name: sums[name] + parts[name] for name in sums}
        if step % 20 == 0:
            print(f"step {step}/{total}, {time.monotonic() - started:.0f} s", parts, flush=True)
        if step % every == 0 or step == total:
            point = {
                "epoch": round(step * arguments.epochs / total, 2),
                "seconds": round(time.monotonic() - started),
                **{f"loss_{name}": round(value / every, 4) for name, value in sums.items()},
                **measure_dev(arguments.data, InTraining(average.model, encoder)),
            }
            sums = dict.fromkeys(sums, 0.0)
            print(json.dumps(point), flush=True)
            with (arguments.out / "curve.jsonl").open("a", encoding="utf-8") as file:
                file.write(json.dumps(point) + "\n")
            state = {
                "model": model.state_dict(),
                "average": average.model.state_dict(),
                "optimiser": optimiser.state_dict(),
                "schedule": schedule.state_dict(),
                "done": step,
            }
            torch.save(state, saved.with_suffix(".new"))
            saved.with_suffix(".new").replace(saved)
            weights = {k: v.contiguous() for k, v in average.model.state_dict().items()}
            save_file(weights, arguments.out / "weights.safetensors")


_HEADS = ("sentence", "answerable", "support")


def _rate(step: int, total: int) -> float:
    warm = max(1, round(WARM_UP * total))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, total - warm)))


class InTraining:
    """The model as a `crossencoder_measures.Reader`; it reads one window of a text."""

    def __init__(self, model: CrossEncoder, encoder: Encoder) -> None:
        self._model, self._encoder = model, encoder

    @torch.no_grad()
    def read(self, pairs: Sequence[Pair]) -> list[Reading]:
        """One `Reading` for each pair, in order; 0 for sentences beyond the window."""
        rows = [self._encoder.row(data.Example(p.query, p.title, p.sentences)) for p in pairs]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].window.ids))
        found: dict[int, Reading] = {}
        for start in range(0, len(order), 16):
            part = order[start : start + 16]
            batch = collate([rows[i] for i in part])
            with torch.autocast("cpu", dtype=torch.bfloat16):
                logits = self._model(batch.ids, batch.segments, batch.pools)
            sentence, answerable, support = (part.float().sigmoid().tolist() for part in logits)
            for k, i in enumerate(part):
                chances = dict(zip(rows[i].window.sentences, sentence[k], strict=False))
                every = tuple(chances.get(j, 0.0) for j in range(len(pairs[i].sentences)))
                found[i] = Reading(every, answerable[k], support[k])
        return [found[i] for i in range(len(rows))]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with reader-data, bench")
    parser.add_argument("--more", type=Path, help="folder with what was written since")
    parser.add_argument(
        "--start", type=Path, required=True, help="weights of MiniLM, or of an earlier run"
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rate", type=float, default=1.0, help="times the rates in the source")
    parser.add_argument("--seed", type=int, default=1)
    main(parser.parse_args())
