"""Miconi 2019 (Backpropamine): target discovery by gated plasticity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from metalocus.agents.agent import Agent
from metalocus.envs import Setting
from metalocus.experiments.replications.base import Check, Part, Replication, Training
from metalocus.experiments.scoring.curves import learning_curve
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

TASK = Setting("metalocus/TargetDiscovery-v0")
CELLS = {"plain": "rnn", "ungated": "hebbian", "gated": "neuromodulated", "LSTM": "lstm"}
"""The paper's three networks by their names here, and one beside them."""


@dataclass(frozen=True)
class Target(Part):
    """Choice value at the end of the episode, of four networks."""

    def training(self, seed: int) -> dict[str, Training]:
        """Each network for the same steps."""
        return {name: Training(TASK, agent, 32_000_000) for name, agent in CELLS.items()}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Choice value in the last quarter: 0 at chance, 1 always right."""
        found: dict[str, float | None] = {}
        for name, agent in agents.items():
            curve = learning_curve(agent, TASK, preset.episodes, seed)
            found |= {name: curve["final"], f"{name}_se": curve["final_se"]}
        return found


REPLICATION = Replication(
    "backpropamine",
    "target discovery: gated plasticity learns where plain and ungated networks fail",
    "Miconi et al. 2019, Backpropamine, section 4.1",
    "Four random cues of 20 bits an episode, one of them the target; pairs are shown, and the"
    " answer is whether the target is among them; 120 steps. A plain recurrent network and ungated"
    " plasticity fail, gated plasticity learns. Pictures alone.",
    "Cues and answer come in the order of this package's family, one answer a trial; PPO in place"
    " of A2C; networks of 64 units in place of 200, of which 32 are plastic, with a plasticity of"
    " the neuron before and not of the connection, two steps of the network a trial, and a decay"
    " in place of clipping. Gated and ungated traces begin with decays of .99 and .9, both trained."
    " The plain network is this package's. The fourth cell of the paper, retroactive modulation,"
    " is not run; an LSTM is, which it has not, and is not judged.",
    (Target("target-discovery", "four cues of 20 bits, 120 trials", 60.0),),
    (
        Check("target-discovery", "gated", ">=", 0.8, "gated plasticity learns"),
        Check("target-discovery", "plain", "<=", 0.3, "a plain recurrent network fails"),
        Check("target-discovery", "ungated", "<=", 0.3, "ungated plasticity fails"),
    ),
)
