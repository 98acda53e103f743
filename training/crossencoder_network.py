"""The cross-encoder in PyTorch, for training; `build_crossencoder.py` writes the same as ONNX.

A BERT body (MiniLM: 6 layers of 384) over ``[CLS] query [SEP] title [SEP] sentences [SEP]``, and
three heads that compare means of its last hidden state, as natural-language-inference models do
(Conneau et al. 2017, https://arxiv.org/abs/1705.02364): query and text side by side, their
difference and their product.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

HIDDEN, HEADS, LAYERS, WORDS, POSITIONS = 384, 12, 6, 30522, 384


class Dropout(nn.Module):
    """Dropout with one mask for the whole batch.

    On a CPU one for each text takes a third of a
    step's time, in the generator of random numbers.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        """[batch, ...] -> the same."""
        if not self.training or not self.share:
            return x
        kept = torch.rand(x.shape[1:]) >= self.share
        return x * (kept / (1 - self.share)).to(x.dtype)


class Layer(nn.Module):
    """One transformer layer, normalised after each half (Devlin et al. 2019)."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.qkv = nn.Linear(HIDDEN, 3 * HIDDEN)
        self.attended = nn.Linear(HIDDEN, HIDDEN)
        self.first = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.wide = nn.Linear(HIDDEN, 4 * HIDDEN)
        self.narrow = nn.Linear(4 * HIDDEN, HIDDEN)
        self.second = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.dropout = Dropout(dropout)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[batch, n, hidden] -> the same."""
        batch, n, _ = x.shape
        query, key, value = self.qkv(x).view(batch, n, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        # Spelt out: on a CPU in bf16 a third faster than the fused operator.
        scores = (query * (HIDDEN // HEADS) ** -0.5) @ key.transpose(-1, -2) + mask
        mixed = scores.softmax(-1).to(value.dtype) @ value
        mixed = self.attended(mixed.transpose(1, 2).reshape(batch, n, HIDDEN))
        x = self.first(x + self.dropout(mixed))
        return self.second(x + self.dropout(self.narrow(functional.gelu(self.wide(x)))))


class Head(nn.Module):
    """Features -> one logit, over one hidden layer."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.hidden = nn.Linear(parts * HIDDEN, HIDDEN)
        self.out = nn.Linear(HIDDEN, 1)

    def forward(self, features: Tensor) -> Tensor:
        """[..., parts * hidden] -> [...]."""
        return self.out(functional.gelu(self.hidden(features)))[..., 0]


class CrossEncoder(nn.Module):
    """Token ids -> (logit of each sentence, logit of answerable, logit of support)."""

    def __init__(self, dropout: float = 0.1) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, HIDDEN)
        self.positions = nn.Embedding(POSITIONS, HIDDEN)
        self.segments = nn.Embedding(2, HIDDEN)
        self.normalise = nn.LayerNorm(HIDDEN, eps=1e-12)
        self.layers = nn.ModuleList(Layer(dropout) for _ in range(LAYERS))
        self.sentence = Head(4)
        self.answerable = Head(5)
        self.support = Head(5)

    def forward(self, ids: Tensor, segments: Tensor, pools: Tensor) -> tuple[Tensor, ...]:
        """Score a batch.

        Args:
            ids: [batch, n], 0 where padded.
            segments: [batch, n].
            pools: [batch, 2 + sentences, n], rows that sum to 1: query, text, each sentence
                (rows of zeros where there are fewer).

        Returns:
            [batch, sentences], [batch], [batch].
        """
        x = self.words(ids) + self.positions.weight[: ids.shape[1]] + self.segments(segments)
        x = self.normalise(x)
        mask = torch.where(ids == 0, -1e9, 0.0)[:, None, None, :].to(x.dtype)
        if torch.is_autocast_enabled("cpu"):
            mask = mask.bfloat16()
        for layer in self.layers:
            x = layer(x, mask)
        x = x.float()
        means = pools @ x
        query, text, sentences = means[:, 0], means[:, 1], means[:, 2:]
        first = x[:, 0]
        pair = torch.cat([first, query, text, (query - text).abs(), query * text], -1)
        asked = query[:, None].expand_as(sentences)
        each = torch.cat(
            [
                first[:, None].expand_as(sentences),
                sentences,
                (asked - sentences).abs(),
                asked * sentences,
            ],
            -1,
        )
        return self.sentence(each), self.answerable(pair), self.support(pair)

    def load_body(self, weights: Mapping[str, Tensor]) -> None:
        """Take over the tensors of a BERT checkpoint; the heads stay as they are."""

        def copy(module: nn.Module, *names: str) -> None:
            for part in ("weight", "bias"):
                if hasattr(module, part):
                    own = getattr(module, part)
                    found = torch.cat([weights[f"{name}.{part}"] for name in names])
                    own.data.copy_(found[: len(own)])

        copy(self.words, "embeddings.word_embeddings")
        copy(self.positions, "embeddings.position_embeddings")
        copy(self.segments, "embeddings.token_type_embeddings")
        copy(self.normalise, "embeddings.LayerNorm")
        for i, layer in enumerate(self.layers):
            name = f"encoder.layer.{i}"
            own = f"{name}.attention.self"
            copy(layer.qkv, f"{own}.query", f"{own}.key", f"{own}.value")
            copy(layer.attended, f"{name}.attention.output.dense")
            copy(layer.first, f"{name}.attention.output.LayerNorm")
            copy(layer.wide, f"{name}.intermediate.dense")
            copy(layer.narrow, f"{name}.output.dense")
            copy(layer.second, f"{name}.output.LayerNorm")
