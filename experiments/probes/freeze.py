"""The double dissociation: weights frozen or updating, state kept or reset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.rollout import TUNING_SEED, Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.experiments.probes.base import Probe, Restore, Result
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import LearningCurve

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

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``conditions`` such as ``frozen+kept`` -> learning curve and what was unchanged.

        For a trained agent also, by treatment of the state, the ``rate`` of updating and the
        mean reward at each rate that was ``tried``, with 0 for comparison.
        """
        learners: dict[str, Agent] = dict.fromkeys(STATES, agent)
        about: Result = {}
        if isinstance(agent, UpdatingAgent):
            about = {"rate": dict.fromkeys(STATES, agent.rate)}
        elif isinstance(agent, TrainedAgent) and not agent.policy.cell.n_logits:
            tried = {state: _try_rates(agent, chunks, state) for state in STATES}
            rate = {state: max(RATES, key=earned.__getitem__) for state, earned in tried.items()}
            learners = {state: _at(agent, rate[state]) for state in STATES}
            about = {"rate": rate, "tried": {state: _by_name(tried[state]) for state in STATES}}
        conditions = {}
        for weights, (state, reset) in product(("updating", "frozen"), STATES.items()):
            names = ("weights",) * (weights == "frozen") + reset
            conditions[f"{weights}+{state}"] = _condition(learners[state], chunks, names)
        return {**about, "conditions": conditions}


def _at(agent: TrainedAgent, rate: float) -> UpdatingAgent:
    """The trained agent with updates switched on."""
    return UpdatingAgent(agent.policy, agent.layout, rate)


def _try_rates(agent: TrainedAgent, chunks: Chunks, state: str) -> dict[float, float]:
    """Mean reward on the tuning episodes at each rate, and at 0."""
    setting, seed = chunks.setting.whole(), chunks.seed
    earned = {}
    for rate in (0.0, *RATES):
        episodes = fresh_episodes(setting, TUNING_EPISODES, TUNING_SEED + seed)
        trace = rollout(_at(agent, rate), episodes, seed, intervene=Restore(STATES[state]))
        earned[rate] = float(trace.value.mean())
    return earned


def _by_name(earned: Mapping[float, float]) -> dict[str, float]:
    """The same with rates as text, since JSON's keys are text."""
    return {f"{rate:g}": reward for rate, reward in earned.items()}


def _condition(agent: Agent, chunks: Chunks, restored: Sequence[str]) -> Result:
    """One cell of the two by two."""
    curve, first, last, changed = LearningCurve(), [], [], False
    before = _digest_parameters(agent)
    for chunk in chunks:
        read: list[str] = []

        def observe(trial: Trial, read: list[str] = read) -> None:
            read.append(trial.stores.digest("weights"))

        intervene = Restore(restored)
        curve.add(
            rollout(agent, chunk.episodes(), chunk.start_seed, intervene=intervene, observe=observe)
        )
        first.append(read[0])
        last.append(read[-1])
        changed |= len(set(read)) > 1
    after = _digest_parameters(agent)
    return {
        **curve.summary(),
        "weights_first": _joined(first),
        "weights_last": _joined(last),
        "weights_changed": changed,
        "parameters_before": before,
        "parameters_after": after,
        "parameters_changed": before != after,
    }


def _joined(digests: Sequence[str]) -> str:
    """One digest for those of all chunks."""
    return (
        digests[0] if len(digests) == 1 else hashlib.sha256("".join(digests).encode()).hexdigest()
    )


def _digest_parameters(agent: Agent) -> str:
    """SHA-256 of the trained parameters, which are the same for all episodes."""
    return Stores(weights=agent.parameters()).digest("weights")
