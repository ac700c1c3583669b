"""Which store holds what an agent has learned within the episode?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from metalocus.agents.agent import Agent, NonFinite
from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.probes.locus import HEADLINE, Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.studies.presets import Preset

ONLINE = "delta_rule"


class LocusOfLearning(Claim):
    """Shapley shares of the knowledge held at the episode's last trial.

    A share is a fraction of v(all) - v(none). A frozen LSTM has no per-episode weights and an
    online learner has nothing else, so their shares of the weights are 0 and 1 by
    construction. How the LSTM's knowledge is split between its state and its context (the
    feedback that it is shown again) is a finding.
    """

    name: ClassVar[str] = "locus"
    players: ClassVar[tuple[str, ...]] = (ONLINE,)
    statement: ClassVar[str] = (
        "What is learned within the episode is held in the state of a recurrent agent and in "
        "the weights of an agent that updates them online."
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "lstm_state": "share of the agent's knowledge in its state",
        "lstm_state_context": "share of the agent's knowledge in its state and context together",
        "lstm_weights": "share of the agent's knowledge in per-episode weights",
        "online_weights": "share of the online value learner's knowledge in its weights",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            RECURRENCE,
            "lstm_state_context",
            ">=",
            0.9,
            "activations hold all that the agent has learned within the episode",
            by_construction=True,
        ),
        Prediction(
            RECURRENCE,
            "lstm_state",
            ">=",
            0.5,
            "most of what the agent has learned within the episode is in the state that it carries",
        ),
        Prediction(
            RECURRENCE,
            "online_weights",
            ">=",
            0.9,
            "an online learner holds what it has learned in another store, its weights",
            by_construction=True,
        ),
        Prediction(
            WEIGHTS,
            "online_weights",
            ">=",
            0.9,
            "updated weights can hold all that is learned",
            by_construction=True,
        ),
    )

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every setting."""
        return {each.name: preset.run(preset.agent, each, seed) for each in preset.settings}

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Shares at the last trial."""
        values: Values = {name: {} for name in self.quantities}
        for setting in preset.settings:
            lstm = last_shares(agents[setting.name], setting, preset, seed)
            values["lstm_state"][setting.name] = lstm["state"]
            values["lstm_state_context"][setting.name] = lstm["state"] + lstm["context"]
            values["lstm_weights"][setting.name] = lstm["weights"]
            online = make_named(ONLINE, setting.family)
            shares = last_shares(online, setting, preset, seed)
            values["online_weights"][setting.name] = shares["weights"]
        return values


def last_shares(agent: Agent, setting: NamedSetting, preset: Preset, seed: int) -> dict[str, float]:
    """Each store's fraction of the knowledge held at the last trial, by store.

    All are 0 where there is too little knowledge to be divided.

    Raises:
        InvalidTask: the agent keeps knowledge outside its stores, so that shares mean nothing.
        NonFinite: the knowledge is not a finite number.
    """
    last = setting.family.horizon - 1
    found: dict[str, Any] = Locus([last], [HEADLINE.split()[0]]).run(
        agent, setting, preset.episodes, seed
    )
    if not found["contained"]:
        raise InvalidTask("the agent keeps knowledge outside its stores; the probe cannot place it")
    if found["total"][HEADLINE][0] is None:
        raise NonFinite(f"the knowledge held at trial {last} of {setting} is not a finite number")
    return {store: share[0] or 0.0 for store, share in found["shares_fraction"][HEADLINE].items()}
