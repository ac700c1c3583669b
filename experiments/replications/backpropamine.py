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

CELLS = {"plain": "rnn", "ungated": "hebbian", "gated": "neuromodulated", "LSTM": "lstm"}
"""The paper's three networks by their names here, and one beside them."""
PLASTIC = {"input_bound": 1.0, "alpha": 0.02, "identity": 0.7}
"""Arguments of the plastic networks. With those by default the gated one stays at chance."""
TRAINED = {"learning_rate": "lin_1e-3", "gamma": 0.0}
"""Settings of training: what is answered changes nothing later."""
SPREAD, TOGETHER = "target-discovery", "target-discovery-together"
STEPS = 8_000_000
"""Of training, a ninetieth of the published code's."""


def target(together: bool) -> Setting:
    """The paper's task, or that whose trials are one step."""
    return Setting("metalocus/TargetDiscovery-v0", **({"together": True} if together else {}))


@dataclass(frozen=True)
class Target(Part):
    """Choice value at the end of the episode, of four networks.

    Attributes:
        together: whether both cues are shown in one step.
    """

    together: bool = False

    def training(self, seed: int) -> dict[str, Training]:
        """Each network for the same steps."""
        return {
            name: Training(
                target(self.together),
                agent,
                STEPS,
                PLASTIC if name.endswith("gated") else {},
                TRAINED,
            )
            for name, agent in CELLS.items()
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Choice value in the last quarter: 0 at chance, 1 always right."""
        found: dict[str, float | None] = {}
        for name, agent in agents.items():
            curve = learning_curve(agent, target(self.together), preset.episodes, seed)
            found |= {name: curve["final"], f"{name}_se": curve["final_se"]}
        return found


def _checks(part: str) -> tuple[Check, ...]:
    """What the paper found, of either task."""
    return (
        Check(part, "gated", ">=", 0.8, "gated plasticity learns"),
        Check(part, "plain", "<=", 0.3, "a plain recurrent network fails"),
        Check(part, "ungated", "<=", 0.3, "ungated plasticity fails"),
    )


REPLICATION = Replication(
    "backpropamine",
    "target discovery: gated plasticity learns where plain and ungated networks fail",
    "Miconi et al. 2019, Backpropamine, section 4.1",
    "Four random cues of 20 bits an episode, one of them the target; pairs are shown, and the"
    " answer is whether the target is among them; 120 steps. A plain recurrent network and ungated"
    " plasticity fail, gated plasticity learns. Pictures alone. The published code trains by"
    " 200,000 updates of 30 episodes, which are 720M steps.",
    "Cues and answer come in the order of this package's family, one answer a trial; 8M steps;"
    " PPO without a horizon, as no answer changes what comes later, in place of A2C; networks of 64"
    " units in place of 200, of which 32 are plastic, with a plasticity of"
    " the neuron before and not of the connection, two steps of the network a trial, and a decay"
    " in place of clipping. Gated and ungated traces begin with decays of .99 and .9, both trained."
    " The plain network is this package's. The fourth cell of the paper, retroactive modulation,"
    " is not run; an LSTM is, which it has not, and is not judged. Beside the paper's task stands"
    " one in which a trial is a single step that shows both cues: the same inference"
    " without the memory within a trial.",
    (
        Target(SPREAD, "four cues of 20 bits, one a step", 16.0),
        Target(TOGETHER, "four cues of 20 bits, both of a pair at once", 16.0, together=True),
    ),
    (*_checks(SPREAD), *_checks(TOGETHER)),
)
