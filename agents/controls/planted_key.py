"""A feed-forward network with one key set by hand."""

from __future__ import annotations

from typing import ClassVar

import torch

from metalocus.agents.agent import NamedAgent
from metalocus.agents.cells.mlp import MLP
from metalocus.agents.controls.counting import Control
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Family, Layout
from metalocus.envs.layout import action_space, observation_space

UNITS = 4
"""In the hidden layer; all but the first have no weights."""
STEEP = 10.0
"""Input of the first unit is minus or plus half of this."""
PUSH = 1.5
"""Twice this is what the unit adds to the log-odds of action 0 when it is 1."""


class PlantedKey(Control, TrainedAgent):
    """One hidden unit is 1 where action 0 was rewarded last and else -1; it writes action 0.

    Elsewhere all actions are equally probable.

    Source: Geva et al. 2021, "Transformer feed-forward layers are key-value memories".
    """

    name: ClassVar[str] = "planted_key"
    summary: ClassVar[str] = "control: a network with one feed-forward key, set by hand"
    known_shares = {}

    def __init__(self, family: Family) -> None:
        NamedAgent.__init__(self, family)
        layout = Layout(family)
        TrainedAgent.__init__(self, _built(layout), layout)

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Rewards of 0 and 1 alone excite the key as it is meant to be."""
        return None if family.reward_range == (0.0, 1.0) else "its key is of rewards of 0 and 1"


def _built(layout: Layout) -> SequencePolicy:
    """The policy with its weights set."""
    policy = SequencePolicy(
        observation_space(layout),
        action_space(layout),
        lambda _: 0.0,
        cell="mlp",
        cell_kwargs={"hidden_size": UNITS, "n_layers": 1},
        net_arch=[],
    )
    assert isinstance(policy.cell, MLP)
    first = policy.cell.layers[0]
    chosen = policy.action_net
    assert isinstance(first, torch.nn.Linear)
    assert isinstance(chosen, torch.nn.Linear)
    with torch.no_grad():
        for weights in policy.parameters():
            weights.zero_()
        first.weight[0, layout.indices(["action"])[0]] = STEEP
        first.weight[0, layout.indices(["reward"])[0]] = STEEP
        first.bias[0] = -1.5 * STEEP
        chosen.weight[0, 0] = chosen.bias[0] = PUSH
    return policy
