"""Which store holds what each kind of agent has learned within the episode?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.claims.presets import Preset
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.scoring.settings import BANDIT, REVERSAL, NamedSetting

TASKS = (BANDIT, REVERSAL)
ONLINE = "delta_rule"


class LocusOfLearning(Claim):
    """Shapley shares of the knowledge held at the episode's last trial.

    The probe is calibrated on hand-wired agents whose locus is known; a share is a
    fraction of v(all) - v(none). An agent without a store cannot know anything by it: that the
    weights of a frozen LSTM hold nothing, and those of an online learner everything, follows
    from what the debate means by a store. How the LSTM's knowledge is split between its state
    and the feedback that it sees again is measured.
    """

    name: ClassVar[str] = "locus"
    statement: ClassVar[str] = (
        "What is learned within the episode is held in the state of a recurrent agent and in "
        "the weights of an agent that updates them online."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "lstm_state": "share of the LSTM's knowledge in its state",
        "lstm_state_context": "share of the LSTM's knowledge in its state and its context together",
        "lstm_weights": "share of the LSTM's knowledge in per-episode weights",
        "online_weights": "share of the online value learner's knowledge in its weights",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "lstm_state_context",
            ">=",
            0.9,
            "activations hold what the LSTM knows",
            by_construction=True,
        ),
        Prediction(RECURRENCE, "lstm_state", ">=", 0.5, "most of it in the state carried over"),
        Prediction(
            RECURRENCE,
            "online_weights",
            ">=",
            0.9,
            "an online learner is another locus",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS,
            "online_weights",
            ">=",
            0.9,
            "updated weights can hold it all",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS,
            "lstm_weights",
            ">=",
            0.5,
            "lasting changes are changes of weights",
            by_construction=True,
        ),
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The LSTM on both tasks."""
        return {task.name: preset.run("lstm", task, seed) for task in TASKS}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Shares at the last trial."""
        values: Values = {name: {} for name in self.quantities}
        for task in TASKS:
            lstm = last_shares(agents[task.name], task, preset, seed)
            values["lstm_state"][task.name] = lstm["state"]
            values["lstm_state_context"][task.name] = lstm["state"] + lstm["context"]
            values["lstm_weights"][task.name] = lstm["weights"]
            online = make_named(ONLINE, task.family)
            values["online_weights"][task.name] = last_shares(online, task, preset, seed)["weights"]
        return values


def last_shares(agent: Agent, task: NamedSetting, preset: Preset, seed: int) -> dict[str, float]:
    """Fractions of the knowledge held at the last trial, by store; 0 where there is none.

    Raises:
        InvalidTask: the agent keeps knowledge outside its stores, so that shares mean nothing.
    """
    last = task.family.horizon - 1
    found: dict[str, Any] = Locus([last]).run(agent, task, preset.episodes, seed)
    if not found["contained"]:
        raise InvalidTask("the agent keeps knowledge outside its stores; the probe cannot place it")
    return {store: share[0] or 0.0 for store, share in found["shares_fraction"].items()}
