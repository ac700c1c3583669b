"""The delta rule that also learns about the arm that was not pulled."""

from __future__ import annotations

from typing import ClassVar

from metalocus.agents.agent import Array, Store
from metalocus.agents.online.delta_rule import DeltaRule, DeltaSettings
from metalocus.envs import Family


class DeltaRuleCounterfactual(DeltaRule):
    """Takes the other arm's reward to be the opposite of the one received.

    That holds for two arms with reward probabilities p and 1 - p, an assumption about the task.
    Palminteri et al. 2017, "Confirmation bias in human reinforcement learning".
    """

    name: ClassVar[str] = "delta_rule_counterfactual"
    summary: ClassVar[str] = "online: delta rule that moves the other arm's value to 1 - reward"
    tuned = {  # best of 400 tried on each task
        ("BernoulliBandit-v0", 2): DeltaSettings(
            start=0.0146, epsilon=0.00121, temperature=0.0, rate=0.01
        ),
        ("ReversalBandit-v0", 2): DeltaSettings(
            start=1.3, epsilon=0.0, temperature=0.0152, rate=0.164
        ),
    }

    @classmethod
    def why_not(cls, family: Family) -> str | None:
        """Only two arms: among more, none is the opposite of another."""
        two = family.n_arms == 2
        return super().why_not(family) if two else f"it needs two arms, not {family.n_arms}"

    def update(self, weights: Store, x: Array, action: Array, reward: Array) -> Store:
        """One step for the arm pulled and one for the other."""
        pulled = super().update(weights, x, action, reward)
        return super().update(pulled, x, 1 - action, 1.0 - reward)
