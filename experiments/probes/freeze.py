"""The double dissociation: weights frozen or updating, state kept or reset."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import ClassVar

from metalocus.agents.agent import Agent, Stores
from metalocus.envs import Episodes
from metalocus.experiments.probe import Probe, Restore, Result, learning_curve
from metalocus.experiments.rollout import Trial, rollout


class Freeze(Probe):
    """Learning curves of the four combinations, with digests that prove what was frozen.

    *Frozen*: the weights store is restored to the episode's start before every act.
    *Updating*: the agent's own ``learn`` changes it, as far as it has such a rule. *Reset*
    does to the state what frozen does to the weights. The context is kept throughout.
    (Hattori et al. 2023, "Meta-reinforcement learning via orbitofrontal cortex", blocked
    plasticity and activity in the same way.)
    """

    name: ClassVar[str] = "freeze"
    question: ClassVar[str] = "does learning need changing weights, or a carried state?"

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """``conditions`` such as ``frozen+kept`` -> learning curve and what was unchanged."""
        conditions = {}
        for weights, state in product(("updating", "frozen"), ("kept", "reset")):
            names = ["weights"] * (weights == "frozen") + ["state"] * (state == "reset")
            conditions[f"{weights}+{state}"] = _condition(agent, fresh(), seed, names)
        return {"conditions": conditions}


def _condition(agent: Agent, episodes: Episodes, seed: int, names: list[str]) -> Result:
    """One cell of the two by two."""
    read: list[str] = []

    def observe(trial: Trial) -> None:
        read.append(trial.stores.digest("weights"))

    before = _digest_parameters(agent)
    trace = rollout(agent, episodes, seed, intervene=Restore(names), observe=observe)
    after = _digest_parameters(agent)
    return {
        **learning_curve(trace),
        "weights_first": read[0],
        "weights_last": read[-1],
        "weights_changed": len(set(read)) > 1,
        "parameters_before": before,
        "parameters_after": after,
        "parameters_changed": before != after,
    }


def _digest_parameters(agent: Agent) -> str:
    """SHA-256 of the trained parameters, which are the same for all episodes."""
    return Stores(weights=agent.parameters()).digest("weights")
