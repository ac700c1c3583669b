"""A causal transformer: one pass over a sequence in training, a key-value cache in play.

Blocks of attention and a two-layer perceptron, each reading the residual stream through a
layer norm and adding to it (Vaswani et al. 2017; Radford et al. 2019). Before training they add
nothing, so that the network begins by reading the last step alone (Parisotto et al. 2020;
Bachlechner et al. 2021); nor do positions, and no layer norm is behind the last block. With all
three, reinforcement learning leaves chance among fifty arms; without one of them it did not in as
many steps.

In play a step appends its keys and values to the cache without copying it: a cache is a window
of a longer array, the next one is the window a step further on, and the window that was given
stays as it was (see :func:`_longer`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar
from weakref import WeakValueDictionary

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from metalocus.agents.cells.base import Carry, Cell, Trainable, init_inputs_

SPARE = 4
"""A longer array has room for a quarter of the cache's steps more: the more room, the fewer
copies, and the more memory."""
_UNWRITTEN: WeakValueDictionary[int, NDArray[Any]] = WeakValueDictionary()
"""Arrays in which nothing is written yet behind a window, by the window's address."""
Append = Callable[[int, Tensor], Tensor]
"""Of a layer's number and its new keys and values [N, T, 2 D]: those in view, [N, P + T, 2 D]."""


@dataclass(frozen=True)
class Activations:
    """Attention and residual stream of a pass over T steps.

    Attributes:
        attention: weight of every step (last axis) for every step and head, [L, N, A, T, T].
        keys: of every step, the heads' side by side, [L, N, T, D].
        residual: the stream after the embedding, and after each attention and each
            perceptron, [1 + 2 L, T, N, H].
    """

    attention: Tensor
    keys: Tensor
    residual: Tensor


class Transformer(Cell):
    """A causal transformer over the steps of an episode.

    Each step attends to itself and to at most ``max_length`` steps before it, of the same
    episode; positions are counted from the episode's start, later ones than ``max_length``
    alike. Carries ``cache`` [N, L, max_length, 2, D], keys and values of every layer with
    D = ``n_heads * head_size``, newest last and zeros before the episode's start, and
    ``position`` [N], how many steps of the episode it has seen (both context).
    """

    name: ClassVar[str] = "transformer"
    carried: ClassVar[Mapping[str, str]] = {"cache": "context", "position": "context"}
    spreads_nan: ClassVar[frozenset[str]] = frozenset({"cache"})
    waves: Tensor

    def __init__(
        self,
        input_size: int,
        hidden_size: int = 64,
        n_layers: int = 2,
        n_heads: int = 2,
        head_size: int = 16,
        max_length: int = 100,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(input_size, hidden_size)
        init_inputs_(self.embed.weight)
        nn.init.uniform_(self.embed.bias, -1, 1)
        self.place = nn.Linear(hidden_size, hidden_size, bias=False)
        nn.init.zeros_(self.place.weight)
        self.blocks = nn.ModuleList(
            _Block(hidden_size, n_heads, head_size) for _ in range(n_layers)
        )
        self.register_buffer("waves", _waves(max_length + 1, hidden_size), persistent=False)
        self.cached = (n_layers, max_length, 2, n_heads * head_size)
        self.max_length, self.output_size = max_length, hidden_size

    def initial(self, n: int) -> Carry:
        """An empty cache."""
        like = self.embed.weight
        return {"cache": like.new_zeros(n, *self.cached), "position": like.new_zeros(n)}

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """[T, N, I] -> [T, N, H]."""
        age, cache = _steps_since_start(starts, carry["position"]), carry["cache"]
        past = min(int(age[0].max()), self.max_length)
        position, played = age[-1] + 1, not torch.is_grad_enabled()
        if played and len(x) == 1 and not cache.is_cuda and not starts.any():
            longer = _longer(cache)
            stages = self._run(x, age, past, _Written(longer[:, :, self.max_length - past :]))
            cache = longer[:, :, 1:]
        else:
            joined = _Joined(cache[:, :, self.max_length - past :])
            stages = self._run(x, age, past, joined)
            old, new = cache[:, :, len(x) :], joined.fresh()[:, :, -self.max_length :]
            if starts.any():
                old = old * (1 - starts.amax(dim=0))[:, None, None, None, None]
            if starts[1:].any():
                back = torch.arange(new.shape[2], 0, -1, device=x.device)
                new = new * (back <= position[:, None]).to(x)[:, None, :, None, None]
            cache = torch.cat([old, new], dim=2) if old.shape[2] else new
        return stages[-1].transpose(0, 1), {"cache": cache, "position": position}

    def activations(self, x: Tensor, starts: Tensor) -> Activations:
        """Attention and residual stream of whole episodes from their beginning.

        Args:
            x: inputs [T, N, I].
            starts: 1 where a step is the first of an episode, [T, N].
        """
        carry = self.initial(x.shape[1])
        age = _steps_since_start(starts, carry["position"])
        joined = _Joined(carry["cache"][:, :, :0])
        stages = self._run(x, age, 0, joined)
        mask, keys = self._mask(age, 0), joined.fresh()[:, :, :, 0].transpose(0, 1)
        layers = zip(self._blocks(), stages[::2], keys, strict=False)  # as they enter each block
        attention = [block.attention(stream, key, mask) for block, stream, key in layers]
        return Activations(torch.stack(attention), keys, torch.stack(stages).transpose(1, 2))

    def _run(self, x: Tensor, age: Tensor, past: int, append: Append) -> list[Tensor]:
        """The residual stream [N, T, H] stage by stage.

        Args:
            x: [T, N, I].
            age: steps of the episode before each, [T, N].
            past: steps P before these that are in view.
            append: of a layer's keys and values.
        """
        mask = self._mask(age, past)
        place = self.place(self.waves)[age.T.clamp(0, self.max_length).long()]
        stages = [torch.tanh(self.embed(x.transpose(0, 1).contiguous())) + place]
        for depth, block in enumerate(self._blocks()):
            attended = block.attend(stages[-1], mask, partial(append, depth))
            stages += [attended, attended + block.perceptron(attended)]
        return stages

    def _blocks(self) -> list[_Block]:
        return [block for block in self.blocks if isinstance(block, _Block)]

    def _mask(self, age: Tensor, past: int) -> Tensor:
        """0 where a step may look and -inf elsewhere, [N, 1, T, P + T]."""
        steps = torch.arange(past + len(age), device=age.device)
        back = steps[past:, None] - steps
        reach = age.clamp(max=self.max_length).T[:, None, :, None]
        return torch.zeros_like(reach).masked_fill((back < 0) | (back > reach), -math.inf)


class _Block(nn.Module):
    """Attention and a perceptron, each with its layer norm; both add nothing before training."""

    def __init__(self, size: int, n_heads: int, head_size: int) -> None:
        super().__init__()
        self.n_heads, self.width = n_heads, n_heads * head_size
        self.norm = nn.LayerNorm(size)
        self.qkv, self.out = nn.Linear(size, 3 * self.width), nn.Linear(self.width, size)
        first, second = nn.Linear(size, size), nn.Linear(size, size)
        self.perceptron = nn.Sequential(nn.LayerNorm(size), first, nn.ReLU(), second)
        for added in (self.out, second):
            nn.init.zeros_(added.weight)
            nn.init.zeros_(added.bias)

    def attend(self, stream: Tensor, mask: Tensor, append: Callable[[Tensor], Tensor]) -> Tensor:
        """The stream [N, T, H] with attention added.

        Args:
            stream: [N, T, H].
            mask: added to the scores, [N, 1, T, P + T].
            append: new keys and values [N, T, 2 D] to those of all steps in view,
                [N, P + T, 2 D].
        """
        q, fresh = self._project(stream)
        q, keys, values = map(self._heads, (q, *append(fresh).chunk(2, dim=-1)))
        mixed = F.scaled_dot_product_attention(q, keys, values, attn_mask=mask)
        attended: Tensor = stream + self.out(mixed.transpose(1, 2).flatten(2))
        return attended

    def attention(self, stream: Tensor, keys: Tensor, mask: Tensor) -> Tensor:
        """The weights with which :meth:`attend` mixes values by keys [N, T, D], [N, A, T, T]."""
        q = self._heads(self._project(stream)[0])
        scores = q @ self._heads(keys).transpose(-1, -2) / math.sqrt(q.shape[-1])
        return (scores + mask).softmax(dim=-1)

    def _project(self, stream: Tensor) -> tuple[Tensor, Tensor]:
        """Queries [N, T, D], and keys beside values [N, T, 2 D]."""
        qkv = self.qkv(self.norm(stream))
        q, fresh = qkv.split([self.width, 2 * self.width], dim=-1)
        return q, fresh

    def _heads(self, x: Tensor) -> Tensor:
        """[N, T, D] -> [N, A, T, D / A]."""
        return x.view(*x.shape[:2], self.n_heads, -1).transpose(1, 2)


class _Joined:
    """A layer's new keys and values behind those of the P steps before, which stay as they are.

    Args:
        cache: [N, L, P, 2, D].
    """

    def __init__(self, cache: Tensor) -> None:
        self._cache, self._fresh = cache, list[Tensor]()

    def __call__(self, depth: int, fresh: Tensor) -> Tensor:
        """[N, T, 2 D] -> [N, P + T, 2 D]."""
        self._fresh.append(fresh.view(*fresh.shape[:2], 2, -1))
        before = self._cache[:, depth].flatten(2)
        return torch.cat([before, fresh], dim=1) if before.shape[1] else fresh

    def fresh(self) -> Tensor:
        """What was appended, [N, L, T, 2, D]."""
        return torch.stack(self._fresh, dim=1)


class _Written:
    """The same for a single step, by writing into the last place of [N, L, P + 1, 2, D]."""

    def __init__(self, longer: Tensor) -> None:
        self._longer = longer.flatten(3)

    def __call__(self, depth: int, fresh: Tensor) -> Tensor:
        """[N, 1, 2 D] -> [N, P + 1, 2 D]."""
        self._longer[:, depth, -1:] = fresh
        return self._longer[:, depth]


def _longer(cache: Tensor) -> Tensor:
    """A cache [N, L, M, 2, D] with one more place behind it, [N, L, M + 1, 2, D].

    Nothing is copied if the cache is a window of an array in which the place behind the window
    was not written yet. Each place is given out once, so no cache that anyone holds is changed.
    """
    length = cache.shape[2]
    array = _UNWRITTEN.pop(cache.data_ptr(), None)
    if array is not None and _same_form(cache, torch.from_numpy(array)[:, :, :length]):
        places = torch.from_numpy(array)
        first = (cache.data_ptr() - places.data_ptr()) // (places.stride(2) * places.itemsize)
    else:
        n, layers, _, two, width = cache.shape
        array = cache.new_empty(n, layers, length + length // SPARE + 1, two, width).numpy()
        places, first = torch.from_numpy(array), 0
        places[:, :, :length] = cache
    if first + length + 1 < places.shape[2]:
        _UNWRITTEN[places[:, :, first + 1 :].data_ptr()] = array
    return places[:, :, first : first + length + 1]


def _same_form(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors of the same address are the same."""
    forms = [(each.dtype, each.shape, each.stride()) for each in (one, other)]
    return forms[0] == forms[1]


def _steps_since_start(starts: Tensor, position: Tensor) -> Tensor:
    """How many steps of its episode lie before each step, [T, N]; ``position`` before the first."""
    steps = torch.arange(len(starts), device=starts.device, dtype=position.dtype)[:, None]
    began = torch.where(starts != 0, steps, -position.detach().round()).cummax(dim=0).values
    return steps - began


def _waves(steps: int, size: int) -> Tensor:
    """Sines and cosines of the positions, [steps, size] (Vaswani et al. 2017)."""
    rates = torch.exp(-math.log(1e4) * torch.arange(0, size, 2) / size)
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :size]


AGENTS = (
    Trainable(
        "transformer",
        "attention: causal, over all steps of the episode",
        Transformer,
        from_layout=lambda layout: {"max_length": layout.family.horizon},
    ),
)
