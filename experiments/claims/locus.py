"""Which store holds what a recurrent agent has learned within the episode?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from metalocus.agents.agent import Agent, NonFinite
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.claims.base import RECURRENCE, Claim, Prediction, Values
from metalocus.experiments.instruments.interventions import CUTS
from metalocus.experiments.probes.locus import HEADLINE, Locus
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import FIVE_ARMS, INFORMATIVE, REVERSAL, RULES
from metalocus.experiments.studies.presets import Preset

REPLACED = {
    "resample": "another episode's",
    "reset": "those of the episode's start",
    "mean": "the mean over episodes",
    "matched": "those of an episode with the same last trial",
    "forced": "another episode's, the last action drawn at random",
}
"""Kinds of replacement, each with what is put in place of a store."""
READ = "after"
"""The cut at which a network reads its choice from the state that it has just computed: all that it
knows is there, however it was trained."""
ALIKE = ("matched", "forced")
"""Kinds whose donor has the same last trial, which is all the context that a recurrent network is
shown: where anything is lost it was in the state, however the network was trained."""
MOMENTS = {"before": "before the forward pass", "after": "after the last feedback is taken in"}


class LocusOfLearning(Claim):
    """Shapley share of the state in the knowledge held at the middle and at the last trial.

    A share is a fraction of v(all) - v(none). It depends on what is put in place of a store and on
    the moment: before the forward pass the last action and reward are context, after it they are
    in the state, as the network is built. It is measured under every kind and at both moments; what
    is the same before the pass under all kinds that could come out otherwise is the finding.
    """

    number: ClassVar[int] = 2
    name: ClassVar[str] = "locus"
    statement: ClassVar[str] = (
        "What a recurrent agent has learned within the episode is in the state that it carries, "
        "whatever is put in its place, and not in the last action and reward that it is shown."
    )
    holds: ClassVar[Mapping[str, str]] = {RECURRENCE: "activations run the learning algorithm"}
    quantities: ClassVar[Mapping[str, str]] = {
        f"{kind}_{cut}": f"share of the state at the last trial, {moment}; lesioned stores become "
        f"{words}"
        for kind, words in REPLACED.items()
        for cut, moment in MOMENTS.items()
    }
    predictions: ClassVar[tuple[Prediction, ...]] = tuple(
        Prediction(
            RECURRENCE,
            f"{kind}_{cut}",
            ">=",
            0.5,
            f"most of what is learned is in the state, {MOMENTS[cut]} and with {words} in place",
            "more than all other stores together",
            by_construction=cut == READ or kind in ALIKE,
        )
        for kind, words in REPLACED.items()
        for cut in CUTS
    )
    settings = (FIVE_ARMS, REVERSAL, RULES, INFORMATIVE)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The agent on every task."""
        return {
            setting.name: preset.run(preset.agent, setting, seed)
            for setting in self.asked_on(preset)
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Shares at the last trial; no number where too little is learned to be divided."""
        values: Values = {name: {} for name in self.quantities}
        for setting in self.asked_on(preset):
            shares = last_shares(agents[setting.name], setting, preset.episodes, seed)
            for kind in REPLACED:
                for cut in CUTS:
                    found = shares[f"{kind} {cut}"]["state"]
                    values[f"{kind}_{cut}"][setting.name] = found
        return values


def last_shares(
    agent: Agent, setting: Setting, episodes: int, seed: int, kinds: tuple[str, ...] | None = None
) -> dict[str, dict[str, float | None]]:
    """Each store's fraction of the knowledge held at the last trial, by kind and cut, and store.

    None where there is too little knowledge to be divided.

    Args:
        agent: that is probed.
        setting: what it plays.
        episodes: fresh ones.
        seed: of these.
        kinds: of replacement; None for all of ``REPLACED``.

    Raises:
        InvalidTask: the agent keeps knowledge outside its stores, so that shares mean nothing.
        NonFinite: the knowledge is not a finite number.
    """
    last = setting.family.horizon - 1
    probe = Locus([last], kinds or tuple(REPLACED))
    found: dict[str, Any] = probe.run(agent, setting, episodes, seed)
    if not found["contained"]:
        raise InvalidTask("the agent keeps knowledge outside its stores; the probe cannot place it")
    if found["total"][HEADLINE][0] is None:
        raise NonFinite(f"the knowledge held at trial {last} of {setting} is not a finite number")
    return {
        name: {store: share[0] for store, share in shares.items()}
        for name, shares in found["shares_fraction"].items()
    }
