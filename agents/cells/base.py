"""The contract of a sequence model, and how the ones in ``agents/cells`` are found."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from metalocus.envs import Layout
from metalocus.envs.checks import require_count, require_number
from metalocus.envs.discovery import Registry, classes
from metalocus.envs.layout import PARTS

Carry = dict[str, Tensor]
LONGEST = 300.0
"""Steps that the slowest recurrent unit remembers before training, unless a cell is told; most
episodes are shorter."""


class Cell(nn.Module, ABC):
    """A sequence model: features of every timestep from inputs, carrying what it needs.

    Class attributes:
        name: of the model.
        carried: the store (``state``, ``weights`` or ``context``) each carried tensor
            belongs to, by the tensor's name.
        spreads_nan: carried tensors of which one NaN that is read makes all features of its
            episode NaN; those that take as long to search as to read.

    Attributes:
        output_size: width of the features.
        n_logits: number of the first features that are the actions' logits, so that there is no
            actor's head; 0 for a cell that is read out by one.
        n_values: number of the features after those that are the actions' values, so that a critic
            that shapes the cell needs no head either; 0 for a cell that is read out by one.
    """

    name: ClassVar[str]
    carried: ClassVar[Mapping[str, str]] = {}
    spreads_nan: ClassVar[frozenset[str]] = frozenset()
    output_size: int
    n_logits: int = 0
    n_values: int = 0

    @abstractmethod
    def initial(self, n: int) -> Carry:
        """What is carried into the first step of n episodes; every tensor is [N, ...]."""

    @abstractmethod
    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Run T steps at once.

        Args:
            x: inputs [T, N, I].
            starts: 1 where a step is the first of an episode, else 0, [T, N]; there the
                carried tensors are first put back to :meth:`initial`.
            carry: from the step before.

        Returns:
            features [T, N, output_size], and what to carry on.
        """


class RecurrentCell(Cell):
    """A cell that may run several times on one observation before it is read out.

    Computation at equal evidence: a tick is one more step of the recurrence on the same input.

    Args:
        ticks: steps on each observation, 1 for one.
    """

    def __init__(self, ticks: int = 1) -> None:
        super().__init__()
        self.ticks = require_count("ticks", ticks, 1)

    @abstractmethod
    def run(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """One step on each input, as :meth:`Cell.forward` has it."""

    def forward(self, x: Tensor, starts: Tensor, carry: Carry) -> tuple[Tensor, Carry]:
        """Every input is repeated, and the features of its last repetition are given.

        Args:
            x: inputs [T, N, I].
            starts: [T, N]; an episode starts at the first repetition.
            carry: from the step before.

        Returns:
            features [T, N, output_size], and what to carry on.
        """
        if self.ticks == 1:
            return self.run(x, starts, carry)
        began = starts.new_zeros(len(starts), self.ticks, starts.shape[1])
        began[:, 0] = starts
        repeated = x.repeat_interleave(self.ticks, dim=0)
        y, carry = self.run(repeated, began.flatten(0, 1), carry)
        return y[self.ticks - 1 :: self.ticks], carry


@dataclass(frozen=True)
class Trainable:
    """An agent that is trained: a cell, what it sees, and how much it collects for an update.

    Attributes:
        name: as given on the command line.
        summary: one line for ``metalocus list agents``.
        cell: the sequence model.
        sees: parts of the observation (:mod:`metalocus.envs.layout`) that reach the cell.
        cell_kwargs: arguments of the cell.
        rollout: transitions to collect before each update, over all environments.
        from_layout: further arguments of the cell, JSON-able, that tell what it sees; the
            parts that it sees are its inputs in the layout's order.
    """

    name: str
    summary: str
    cell: type[Cell]
    sees: tuple[str, ...] = PARTS
    cell_kwargs: Mapping[str, Any] = field(default_factory=dict)
    rollout: int = 25_600
    from_layout: Callable[[Layout], Mapping[str, Any]] | None = None

    def arguments(self, layout: Layout) -> dict[str, Any]:
        """Of :class:`~metalocus.agents.ppo.policy.SequencePolicy`, for observations of a layout."""
        told = {} if self.from_layout is None else self.from_layout(layout)
        kwargs, inputs = {**self.cell_kwargs, **told}, layout.indices(self.sees)
        return {"cell": self.cell.name, "cell_kwargs": kwargs, "inputs": inputs}


def _agents(module: ModuleType) -> Iterator[tuple[str, Trainable]]:
    for agent in getattr(module, "AGENTS", ()):
        yield agent.name, agent


TRAINABLES = Registry("agent", "metalocus.agents.cells", _agents)
"""Every trainable agent, by name: the ``AGENTS`` of each module in ``agents/cells``."""
CELLS = Registry("cell", "metalocus.agents.cells", classes(Cell))  # type: ignore[type-abstract]
"""Every sequence model in ``agents/cells``, by name."""


def init_inputs_(weights: Tensor, bound: float = 4.0) -> None:
    """Draw input weights [H, I] from U(-bound, bound), with a smaller bound above a dozen inputs.

    The default bound is 32 times PyTorch's. Learning within an episode needs features of each pair
    of action and reward, that is of products of inputs. A layer with small weights is almost
    linear and gives hardly any; one with large weights gives them from the first update on (a
    ten-armed bandit is learned ten times faster).
    """
    bound *= min(1.0, (12 / weights.shape[1]) ** 0.5)
    nn.init.uniform_(weights, -bound, bound)


def init_chrono_(bias: Tensor, longest: float) -> None:
    """Draw biases [H] of gates that keep from log U(1, longest - 1): chrono initialisation.

    The units then remember for 2 to ``longest`` steps (Tallec & Ollivier 2018, "Can recurrent
    neural networks warp time?", section 2), since the reward of an arm must still be known when
    the arm is chosen again.
    """
    require_number("longest", longest, 2.0)
    with torch.no_grad():
        bias.uniform_(1.0, longest - 1.0)
        if not bias.is_meta:  # which has no numbers, and makes PyTorch import its compiler
            bias.log_()


def keep(starts: Tensor) -> Tensor:
    """0 where an episode starts and 1 elsewhere, same shape."""
    return torch.ones_like(starts) - starts


def reset_masks(starts: Tensor) -> list[Tensor | None]:
    """For each step the factors [N] on what is carried in, None where no episode starts."""
    some, kept = set(start_steps(starts)), keep(starts)
    return [kept[t] if t in some else None for t in range(len(starts))]


def start_steps(starts: Tensor) -> list[int]:
    """Steps at which the episode of some row starts; starts is [T, N]."""
    steps: list[int] = starts.any(dim=1).nonzero()[:, 0].tolist()
    return steps


def views(*arrays: Tensor) -> list[Any]:
    """For every step its view of each array; made at once, which costs less than indexing."""
    return list(zip(*(array.unbind() for array in arrays), strict=True))
