"""The ceiling of the strategy probe: a recurrent network of a few units, fitted to choices.

Source: Ji-An, Benna & Mattar 2025, "Discovering cognitive strategies with tiny recurrent neural
networks". Theirs has one to four units; here each object (an arm, a feature of cards) has as many,
with weights shared by the objects, so that a bandit of many arms is no harder than one of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from metalocus.agents.agent import Array
from metalocus.experiments.strategies.evidence import Evidence
from metalocus.experiments.strategies.fitting import surprise

SIZES = (1, 2, 4)
"""Units an object."""
STEPS = 200
"""Of Adam."""
RATE = 0.03
"""Of Adam at first; it falls to 0 along a cosine."""
HELD_OUT = 0.2
"""Part of the fitted episodes that the number of units is chosen on."""
MOST_CHOICES = 80_000
"""Choices times objects that are fitted, ten seconds' work; those of five arms are fewer."""
MOST_NUMBERS = 64
"""In a stimulus that the network is shown."""


KINDS = ("arms", "features")
"""Objects that have units."""


class TinyGRU(nn.Module):
    """A GRU for every object, with weights shared by the objects of a kind, and a linear read-out.

    Args:
        inputs: numbers that it is shown of an object and trial, for each kind of objects.
        units: of each object.
        n_arms: actions, each of which has a bias of its own.
    """

    def __init__(self, inputs: Sequence[int], units: int, n_arms: int) -> None:
        super().__init__()
        self.units = units
        self.grus = nn.ModuleList(nn.GRU(size, units) for size in inputs)
        self.reads = nn.ModuleList(nn.Linear(units, 1) for _ in inputs)
        self.bias = nn.Parameter(torch.zeros(n_arms))

    def forward(self, shown: Sequence[Shown]) -> Tensor:
        """Log-probabilities of the actions, [T, N, K], from what is shown of each kind."""
        logits = self.bias
        for gru, read, each in zip(self.grus, self.reads, shown, strict=True):
            hidden, _ = gru(each.inputs.flatten(1, 2))
            values = read(hidden).view(each.inputs.shape[:3])
            if each.points is not None:
                values = torch.einsum("tno,tnok->tnk", values, each.points)
            logits = logits + values
        return torch.log_softmax(logits, dim=-1)


class Shown(NamedTuple):
    """What a network is shown of the objects of a kind before every choice.

    Attributes:
        inputs: [T, N, O, I].
        points: which actions each object speaks for, [T, N, O, K]; None if objects are actions.
    """

    inputs: Tensor
    points: Tensor | None

    def rows(self, which: Array) -> Shown:
        """Some of the episodes, in single precision."""
        points = None if self.points is None else self.points[:, which].float()
        return Shown(self.inputs[:, which].float(), points)


def best_network(seen: Evidence, probs: Array) -> TinyGRU:
    """The network whose size predicts best the last part of the episodes, after the others.

    Args:
        seen: histories of N episodes; of these the first ones, see ``MOST_CHOICES``.
        probs: the agent's probabilities on them, [T, N, K].
    """
    trials, n, _ = probs.shape
    objects = sum(seen.objects[kind].credit.shape[2] for kind in KINDS if kind in seen.objects)
    n = min(n, max(2, MOST_CHOICES // (trials * objects)))
    seen, probs = seen.rows(slice(n)), probs[:, :n]
    fit = np.arange(n) < round(n * (1.0 - HELD_OUT))
    networks = [_trained(seen, probs, fit, units) for units in SIZES]
    losses = [surprise(network_log_probs(net, seen), probs)[~fit].mean() for net in networks]
    return networks[int(np.argmin(losses))]


def network_log_probs(network: TinyGRU, seen: Evidence) -> Array:
    """Log-probabilities of a network on histories, [T, N, K]."""
    with torch.no_grad():
        found: Array = network(_shown(seen)).numpy()
    return found


def _trained(seen: Evidence, probs: Array, rows: Array, units: int) -> TinyGRU:
    """A network fitted to the episodes where ``rows`` [N] is True."""
    shown = [each.rows(rows) for each in _shown(seen)]
    target = torch.from_numpy(probs[:, rows]).float()
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(units)
        network = TinyGRU([each.inputs.shape[-1] for each in shown], units, seen.n_arms)
    adam = torch.optim.Adam(network.parameters(), RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, STEPS)
    for _ in range(STEPS):
        adam.zero_grad()
        loss = -(target * network(shown)).sum(dim=-1).mean()
        loss.backward()
        adam.step()
        schedule.step()
    return network.double()  # so that what it gives does not depend on the batch


def _shown(seen: Evidence) -> list[Shown]:
    """Of arms, and of the features of cards where there are any."""
    return [_of_kind(seen, kind) for kind in KINDS if kind in seen.objects]


def _of_kind(seen: Evidence, kind: str) -> Shown:
    """Of every object: what the last trial said of it, which one it is, and the time.

    That is whether the choice was about the object, and the reward if it was and if it was not.
    On the two-step task the same of the state that bears the action's number. Where there is
    another stimulus, this and the last one.
    """
    things = seen.objects[kind]
    shape = trials, n, o = things.credit.shape
    paid = seen.reward[..., None]
    last = [things.credit, things.credit * paid, (1.0 - things.credit) * paid]
    always = [np.broadcast_to(np.arange(trials)[:, None, None] / trials, shape)]
    always += list(np.broadcast_to(np.eye(o), (trials, n, o, o)).transpose(3, 0, 1, 2))
    if "states" in seen.objects:
        reached = seen.objects["states"].credit
        last += [reached, reached * paid]
    elif "features" not in seen.objects and seen.stimulus.shape[2] <= MOST_NUMBERS:
        numbers = np.moveaxis(seen.stimulus, 2, 0)[..., None]
        each = [np.broadcast_to(number, shape) for number in numbers]
        last, always = last + each, always + each
    before = [np.concatenate([np.zeros_like(each[:1]), each[:-1]]) for each in last]
    inputs = torch.from_numpy(np.stack([*before, *always], axis=-1))
    return Shown(inputs, None if things.points is None else torch.from_numpy(things.points))
