"""The double dissociation: weights frozen or updating, state kept or reset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import ClassVar

from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.rollout import TUNING_SEED, Trial, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.experiments.probes.base import NO_CHOICE, Probe, Restore, Result
from metalocus.experiments.probes.figures import curves_and_ends
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import LearningCurve

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of test-time learning, tried for every trained agent."""
TUNING_EPISODES = 500
LEARNING = {"all": (), "weights+context": ("state",)}
"""The stores restored where weights are updating, by those that are kept."""
FROZEN = {"state+context": ("weights",), "context": ("weights", "state")}
"""The same where they are frozen."""
CALLED = {
    "all": "weights updating, state kept",
    "state+context": "weights frozen, state kept",
    "weights+context": "weights updating, state reset",
    "context": "weights frozen, state reset",
}
"""The conditions for people."""
DIGITS = 12
"""Of a SHA-256 that are kept: two different ones agree in all of them by chance in 1e-14."""


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
    quantities: ClassVar[Mapping[str, str]] = {
        "final": "choice value in the episode's last quarter, by the stores kept",
        "weights_changed": "whether the weights store changed (0 no, 1 yes)",
        "rate": "rate of updating",
        "curve": "choice value by the stores kept",
        "parameters_changed": "whether trained parameters changed (0 no, 1 yes)",
        "tried": "mean reward at each rate of updating that was tried",
    }

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``kept`` -> learning curve and what was unchanged, by the stores kept.

        ``all`` is updating with the state kept, ``state+context`` frozen with the state kept,
        ``weights+context`` updating with the state reset, ``context`` frozen with it reset. For a
        trained agent also the ``rate`` of updating, and the mean reward at each rate that was
        ``tried``, with 0 for comparison.
        """
        learners: dict[str, Agent] = dict.fromkeys(LEARNING, agent)
        about: Result = {}
        if isinstance(agent, UpdatingAgent):
            about = {"rate": dict.fromkeys(LEARNING, agent.rate)}
        elif isinstance(agent, TrainedAgent) and not agent.policy.cell.n_logits:
            tried = {kept: _try_rates(agent, chunks, kept) for kept in LEARNING}
            rate = {kept: max(RATES, key=earned.__getitem__) for kept, earned in tried.items()}
            learners = {kept: _at(agent, rate[kept]) for kept in LEARNING}
            about = {"rate": rate, "tried": {kept: _by_name(tried[kept]) for kept in LEARNING}}
        conditions = {}
        for updating, frozen in zip(LEARNING, FROZEN, strict=True):
            learner = learners[updating]
            conditions[updating] = _condition(learner, chunks, LEARNING[updating])
            conditions[frozen] = _condition(learner, chunks, FROZEN[frozen])
        return {**about, "kept": conditions}

    def sentence(self, result: Result) -> str:
        """Where learning ends with state alone, with weights alone, and with both."""
        end = {kept: self.row(result, "final", kept) for kept in CALLED}
        if end["all"].value is None:
            return NO_CHOICE
        changed = result["kept"]["all"]["weights_changed"]
        ruleless = "" if changed else " (it has no rule that changes them)"
        return (
            "On the scale from 0 (chance) to 1 (the best arm), choices end at"
            f" {end['state+context']} with weights frozen and the state kept, at"
            f" {end['weights+context']} with weights updating{ruleless} and the state reset, and at"
            f" {end['all']} with both, and at {end['context']} with neither."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Learning curves of the four conditions, and where they end."""
        return curves_and_ends(figure, self.rows(result), CALLED)


def _at(agent: TrainedAgent, rate: float) -> UpdatingAgent:
    """The trained agent with updates switched on."""
    return UpdatingAgent(agent.policy, agent.layout, rate)


def _try_rates(agent: TrainedAgent, chunks: Chunks, kept: str) -> dict[float, float]:
    """Mean reward on the tuning episodes at each rate, and at 0."""
    setting, seed = chunks.setting.whole(), chunks.seed
    earned = {}
    for rate in (0.0, *RATES):
        episodes = fresh_episodes(setting, TUNING_EPISODES, TUNING_SEED + seed)
        trace = rollout(_at(agent, rate), episodes, seed, intervene=Restore(LEARNING[kept]))
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
            read.append(trial.stores.digest("weights")[:DIGITS])

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
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:DIGITS]


def _digest_parameters(agent: Agent) -> str:
    """Of the trained parameters, which are the same for all episodes."""
    return Stores(weights=agent.parameters()).digest("weights")[:DIGITS]
