"""The double dissociation: weights frozen or updating, state kept or reset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from typing import ClassVar

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.rollout import TUNING_SEED, Trial, fresh_keys, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.envs import Episodes, Family
from metalocus.experiments.probes.base import Probe, Restore, Result
from metalocus.experiments.scoring.curves import learning_curve

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of test-time learning, tried for every trained agent."""
TUNING_EPISODES = 500
STATES = {"kept": (), "reset": ("state",)}
"""The stores that are restored under each treatment of the state."""


class Freeze(Probe):
    """Learning curves of the four combinations, with digests that prove what was frozen.

    *Frozen*: the weights store is restored to the episode's start before every act.
    *Updating*: the agent's own ``learn`` changes it, as far as it has such a rule. *Reset*
    does to the state what frozen does to the weights. The context is kept throughout.
    (Hattori et al. 2023, "Meta-reinforcement learning via orbitofrontal cortex", blocked
    plasticity and activity in the same way.)

    A trained agent whose choices are read out by a head has no rule for it, so it is given one,
    :class:`UpdatingAgent`; frozen, it acts as if it had none. Updating is shown at its best: with
    the state kept and with it reset, the rate is the one of ``RATES`` that earned most on
    ``TUNING_EPISODES`` other episodes, those of seed ``TUNING_SEED`` above the reported one. An
    agent that is an :class:`UpdatingAgent` already keeps its rate; rate 0 is the negative control.
    """

    name: ClassVar[str] = "freeze"
    question: ClassVar[str] = "does learning need changing weights, or a carried state?"

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """``conditions`` such as ``frozen+kept`` -> learning curve and what was unchanged.

        For a trained agent also, by treatment of the state, the ``rate`` of updating and the
        mean reward at each rate that was ``tried``, with 0 for comparison.
        """
        learners: dict[str, Agent] = dict.fromkeys(STATES, agent)
        about: Result = {}
        if isinstance(agent, UpdatingAgent):
            about = {"rate": dict.fromkeys(STATES, agent.rate)}
        elif isinstance(agent, TrainedAgent) and not agent.policy.cell.n_logits:
            family = fresh().family
            tried = {state: _try_rates(agent, family, seed, state) for state in STATES}
            rate = {state: max(RATES, key=earned.__getitem__) for state, earned in tried.items()}
            learners = {state: _at(agent, rate[state]) for state in STATES}
            about = {"rate": rate, "tried": {state: _by_name(tried[state]) for state in STATES}}
        conditions = {}
        for weights, (state, reset) in product(("updating", "frozen"), STATES.items()):
            names = ("weights",) * (weights == "frozen") + reset
            conditions[f"{weights}+{state}"] = _condition(learners[state], fresh(), seed, names)
        return {**about, "conditions": conditions}


def _at(agent: TrainedAgent, rate: float) -> UpdatingAgent:
    """The trained agent with updates switched on."""
    return UpdatingAgent(agent.policy, agent.layout, rate)


def _try_rates(agent: TrainedAgent, family: Family, seed: int, state: str) -> dict[float, float]:
    """Mean reward on the tuning episodes at each rate, and at 0."""
    keys = fresh_keys(TUNING_EPISODES, TUNING_SEED + seed)
    earned = {}
    for rate in (0.0, *RATES):
        restore = Restore(STATES[state])
        trace = rollout(_at(agent, rate), Episodes(family, keys), seed, intervene=restore)
        earned[rate] = float(trace.value.mean())
    return earned


def _by_name(earned: Mapping[float, float]) -> dict[str, float]:
    """For JSON, whose keys are texts."""
    return {f"{rate:g}": reward for rate, reward in earned.items()}


def _condition(agent: Agent, episodes: Episodes, seed: int, names: tuple[str, ...]) -> Result:
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
