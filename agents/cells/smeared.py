"""A transformer whose first keys see the step before: attention that binds in one layer.

A cue is shown a step before the reward of the answer to it. Attention that finds a cue again, to
read what it paid, must match the present with the step *before* the one whose value it takes; two
layers can do that together, the first by copying each step's input to the next (an induction head).
Here the key of a step is given a part of the step before's embedding to begin with, so that one
layer is enough: smeared keys (Olsson et al. 2022, "In-context learning and induction heads",
"Smeared key architecture"), with a matrix in place of a share.

On random processes of ten states, 2M steps of reinforcement learning bring it beyond what an agent
earns that forgets the state (125 for 123 of 162, one training; 121 with heads of 16). The plain
transformer, with heads of 16, stood at 111 after 3M, at 109 shown the inputs of two steps as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cells.base import Carry, Trainable
from metalocus.agents.cells.transformer import Activations, Append, Transformer


class SmearedTransformer(Transformer):
    """The transformer, with keys of the first block that see the step before too.

    Carries what the transformer does, and ``before`` [N, I], the input of the last step (context).
    """

    name: ClassVar[str] = "transformer_smeared"
    carried: ClassVar[Mapping[str, str]] = {"before": "context", **Transformer.carried}

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        n_layers: int = 2,
        n_heads: int = 2,
        head_size: int = 32,
        max_length: int = 100,
    ) -> None:
        super().__init__(input_size, hidden_size, n_layers, n_heads, head_size, max_length)
        self.key_before = nn.Linear(hidden_size, n_heads * head_size, bias=False)

    def initial(self, n: int) -> Carry:
        """An empty cache, and no step before: zeros."""
        size, like = self.embed.in_features, self.embed.weight
        return {"before": like.new_zeros(n, size), **super().initial(n)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        y, after = super().forward(_with_before(x, carry["before"]), starts, carry)
        return y, {"before": x[-1], **after}

    def activations(self, x: Tensor, starts: Tensor) -> Activations:
        """As the transformer's."""
        return super().activations(_with_before(x, torch.zeros_like(x[0])), starts)

    def _run(self, x: Tensor, age: Tensor, past: int, append: Append) -> list[Tensor]:
        """As the transformer's, of inputs and those of the step before, [T, N, 2 I]."""
        now, before = x.chunk(2, dim=-1)
        embedded = torch.tanh(self.embed(before.transpose(0, 1).contiguous()))
        keys = self.key_before(embedded) * (age > 0).to(x).T[..., None]

        def smeared(depth: int, fresh: Tensor) -> Tensor:
            """To the keys of the first block what the step before adds."""
            return append(depth, fresh if depth else fresh + F.pad(keys, (0, keys.shape[-1])))

        return super()._run(now, age, past, smeared)


def _with_before(x: Tensor, before: Tensor) -> Tensor:
    """Inputs [T, N, I] and those of the step before, [T, N, 2 I]."""
    return torch.cat([x, torch.cat([before[None], x[:-1]])], dim=-1)


AGENTS = (
    Trainable(
        "transformer_smeared",
        "attention: a transformer whose first keys see the step before (Olsson 2022)",
        SmearedTransformer,
        from_layout=lambda layout: {"max_length": layout.family.horizon},
    ),
)
