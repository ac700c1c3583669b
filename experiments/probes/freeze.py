"""The double dissociation: weights frozen or updating, state kept or replaced."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import product
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Store, Stores
from metalocus.agents.rollout import TUNING_SEED, Trial, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.envs import Setting
from metalocus.experiments.instruments.interventions import BLOCKING, EveryTrial, held
from metalocus.experiments.instruments.task import no_later_choice
from metalocus.experiments.probes.base import NO_CHOICE, Probe, Result
from metalocus.experiments.probes.figures import curves_and_ends
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import LearningCurve

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
"""Of test-time learning, tried for every trained agent."""
TUNING_EPISODES = 100
"""All rates play the same ones, so that their differences are known better than their returns."""
CALLED = {
    "all": "weights updating, state kept",
    "state+context": "weights frozen, state kept",
    "weights+context resample": "weights updating, state resampled",
    "weights+context reset": "weights updating, state reset",
    "context resample": "weights frozen, state resampled",
    "context reset": "weights frozen, state reset",
}
"""The conditions for people: the stores kept, and what is put in place of the state."""
DIGITS = 12
"""Of a SHA-256 that are kept: two different ones agree in all of them by chance in 1e-14."""


class Freeze(Probe):
    """Learning curves of the four combinations, with digests that prove what was frozen.

    *Frozen*: the weights store is restored to the episode's start before every act.
    *Updating*: the agent's own ``learn`` changes it, as far as it has such a rule. The state is
    *kept*; or it is replaced before every act by that of another episode (``resample``), or by
    that of the episode's start (``reset``), which may be unlike any state late in an episode.
    The context is kept throughout. (Hattori et al. 2023, "Meta-reinforcement learning via
    orbitofrontal cortex", blocked plasticity and activity in the same way.)

    A trained agent whose choices are read out by a head has no rule for it, so it is given one,
    :class:`UpdatingAgent`; frozen, it acts as if it had none. Updating is shown at its best: in
    each condition the rate is the one of ``RATES`` that earned most on ``TUNING_EPISODES`` other
    episodes, those of seed ``TUNING_SEED`` above the reported one. An agent that is an
    :class:`UpdatingAgent` already keeps its rate; rate 0 is the negative control.
    """

    name: ClassVar[str] = "freeze"
    question: ClassVar[str] = "does learning need changing weights, or a carried state?"
    in_pairs: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, str]] = {
        "final": "choice value in the episode's last quarter, by the stores kept",
        "weights_changed": "whether the weights store changed (0 no, 1 yes)",
        "rate": "rate of updating",
        "curve": "choice value by the stores kept",
        "parameters_changed": "whether trained parameters changed (0 no, 1 yes)",
        "tried": "mean reward at each rate of updating that was tried",
    }

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only where something that was learned can be carried to a choice."""
        return no_later_choice(setting.family)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``kept`` -> learning curve and what changed, by the stores kept.

        ``all`` is updating with the state kept, ``state+context`` frozen with the state kept,
        ``weights+context`` updating and ``context`` frozen with the state replaced, each by kind
        of replacement. For a trained agent also the ``rate`` of updating, and the mean reward at
        each rate that was ``tried``, with 0 for comparison.
        """
        stateful = "state" in held(agent, chunks)
        about, with_state, without = self._learners(agent, chunks, stateful)
        found = {
            "all": _condition(with_state, chunks),
            "state+context": _condition(agent, chunks, frozen=True),
        }
        for kept, learner, frozen, with_any in (
            ("weights+context", without, False, "all"),
            ("context", agent, True, "state+context"),
        ):
            for kind in BLOCKING:  # without a state nothing is replaced
                found[f"{kept} {kind}"] = (
                    _condition(learner, chunks, kind, frozen) if stateful else found[with_any]
                )
        return {**about, "kept": found}

    def _learners(
        self, agent: Agent, chunks: Chunks, stateful: bool
    ) -> tuple[Result, Agent, Agent]:
        """The agents that update with and without the state, and what is told of their rates."""
        if isinstance(agent, UpdatingAgent):
            return {"rate": {"all": agent.rate, "weights+context": agent.rate}}, agent, agent
        if not isinstance(agent, TrainedAgent) or agent.policy.cell.n_logits:
            return {}, agent, agent
        kept = _try_rates(agent, chunks, None)
        lost = _try_rates(agent, chunks, BLOCKING[0]) if stateful else kept
        tried = {"all": kept, "weights+context": lost}
        rate = {name: max(RATES, key=earned.__getitem__) for name, earned in tried.items()}
        with_state, without = (
            UpdatingAgent(agent.policy, agent.layout, each) for each in rate.values()
        )
        told = {"rate": rate, "tried": {name: _by_name(each) for name, each in tried.items()}}
        return told, with_state, without

    def sentence(self, result: Result) -> str:
        """Where learning ends with state alone, with weights alone, and with both."""
        end = {condition: self.row(result, "final", condition) for condition in CALLED}
        if end["all"].value is None:
            return NO_CHOICE
        changed = result["kept"]["all"]["weights_changed"]
        ruleless = "" if changed else " (it has no rule that changes them)"
        return (
            "On the scale from 0 (chance) to 1 (the best arm), choices end at"
            f" {end['state+context']} with weights frozen and the state kept, at"
            f" {end['weights+context resample']} with weights updating{ruleless} and the state of"
            f" another episode put in place ({end['weights+context reset']} with that of the"
            f" episode's start), at {end['all']} with both, and at {end['context resample']} with"
            " neither."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Learning curves of the four conditions, and where they end."""
        return curves_and_ends(figure, self.rows(result), CALLED)


def _try_rates(agent: TrainedAgent, chunks: Chunks, kind: str | None) -> dict[float, float]:
    """Mean reward on the tuning episodes at each rate, and at 0; None keeps the state."""
    tuning = Chunks(chunks.setting.whole(), TUNING_EPISODES, TUNING_SEED + chunks.seed)
    earned = dict.fromkeys((0.0, *RATES), 0.0)
    for rate, chunk in product(earned, tuning):
        episodes = chunk.episodes()
        learner = UpdatingAgent(agent.policy, agent.layout, rate) if rate else agent
        intervene = None if kind is None else EveryTrial(kind, ("state",), episodes.crn)
        trace = rollout(learner, episodes, chunk.start_seed, intervene=intervene)
        earned[rate] += float(trace.value.mean()) * chunk.n / tuning.n
    return earned


def _by_name(earned: Mapping[float, float]) -> dict[str, float]:
    """The same with rates as text, since JSON's keys are text."""
    return {f"{rate:g}": reward for rate, reward in earned.items()}


def _condition(
    agent: Agent, chunks: Chunks, kind: str | None = None, frozen: bool = False
) -> Result:
    """One condition.

    Args:
        agent: plays.
        chunks: of episodes.
        kind: of replacement of the state before every act; None keeps it.
        frozen: whether the weights are put back before every act.
    """
    curve, first, last, changed = LearningCurve(), [], [], False
    before = _digest_parameters(agent)
    for chunk in chunks:
        episodes = chunk.episodes()
        blocks = [] if kind is None else [EveryTrial(kind, ("state",), episodes.crn)]
        blocks += [EveryTrial("reset", ("weights",), episodes.crn)] if frozen else []
        weights = _Weights()

        def intervene(t: int, stores: Stores, blocks: list[EveryTrial] = blocks) -> Stores:
            for block in blocks:
                stores = block(t, stores)
            return stores

        curve.add(rollout(agent, episodes, chunk.start_seed, intervene=intervene, observe=weights))
        first.append(weights.first.digest("weights")[:DIGITS])
        last.append(weights.last.digest("weights")[:DIGITS])
        changed |= weights.changed
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


class _Weights:
    """Observer of the weights that are read: at the first and last trial, and any change."""

    def __init__(self) -> None:
        self.first = self.last = Stores()
        self.changed = False

    def __call__(self, trial: Trial) -> None:
        if trial.t == 0:
            self.first = trial.stores
        self.last = trial.stores
        self.changed = self.changed or _differ(self.first.weights, self.last.weights)


def _differ(before: Store, now: Store) -> bool:
    """Whether any number of one is not that of the other."""
    return before.keys() != now.keys() or not all(
        now[key] is before[key] or np.array_equal(now[key], before[key]) for key in before
    )


def _joined(digests: Sequence[str]) -> str:
    """One digest for those of all chunks."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:DIGITS]


def _digest_parameters(agent: Agent) -> str:
    """Of the trained parameters, which are the same for all episodes."""
    return Stores(weights=agent.parameters()).digest("weights")[:DIGITS]
