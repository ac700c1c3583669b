"""The stay-probability analysis of the two-step task, beside what known strategies show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import Trial, rollout
from metalocus.envs import Setting
from metalocus.envs.families.two_step import TwoStep
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import LINES, by_label, column, dots
from metalocus.experiments.probes.rows import REACH
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import number
from metalocus.experiments.scoring.sample import Sample

PAID = ("unrewarded", "rewarded")


@dataclass(frozen=True)
class StayProbability:
    """How often the first choice of a trial is repeated in the next, by what it brought.

    Rows are unrewarded and rewarded trials, columns common and rare transitions. Standard
    errors are clustered by episode, whose trials depend on each other.

    Attributes:
        stay, stay_se: P(stay) and its standard error, [2, 2]; NaN where there was no trial.
        reward, reward_se: mean of P(stay) after reward minus that after none, over the
            transitions: the mark of model-free repetition.
        interaction, interaction_se: that difference after a common transition minus the one
            after a rare transition: the mark of planning.
    """

    stay: Array
    stay_se: Array
    reward: float
    reward_se: float
    interaction: float
    interaction_se: float


def count_stays(action: Array, reward: Array, stimulus: Array) -> Array:
    """Trials of every kind, and those whose first choice was repeated in the next, [8, N].

    The four kinds are unrewarded common, unrewarded rare, rewarded common, rewarded rare.

    Args:
        action: [T, N] with two steps a trial.
        reward: [T, N], 0 or 1.
        stimulus: one-hot, first stage or state reached, [T, N, 3].
    """
    first, state = action[::2], stimulus[1::2].argmax(axis=2) - 1
    stays = first[1:] == first[:-1]
    rewarded, rare = reward[1:-1:2] > 0.5, (state != first)[:-1]
    trials = np.arange(4)[:, None] == (2 * rewarded + rare)[:, None]  # [trials, 4, N]
    return np.concatenate([trials.sum(axis=0), (trials & stays[:, None]).sum(axis=0)])


def stay_probability(counts: Sample) -> StayProbability:
    """The analysis of whole episodes, from :func:`count_stays`.

    What a choice brought is confounded with what the agent knew when it chose: where one
    state pays for long, a model-free agent chooses what leads there and is rewarded
    after common transitions, so that it shows an interaction too (Akam et al. 2015). At
    ``p=0.5`` rewards tell nothing, and only what they change in the agent is left.

    Source: Daw et al. 2011, figure 2; the standard error of a ratio of sums over clusters,
    Cochran 1977, "Sampling techniques", equation 6.13 with episodes as units.
    """
    count, repeated = np.ascontiguousarray(counts.columns.T).reshape(-1, 2, 4).swapaxes(0, 1)
    total = count.sum(axis=0) * counts.weight
    stayed = repeated.sum(axis=0) * counts.weight
    chance = np.divide(stayed, total, out=np.full(4, np.nan), where=total > 0)
    residual = (repeated - chance * count) / np.maximum(total, 1)
    covariance = residual.T @ residual * counts.weight * counts.n / (counts.n - 1)
    contrasts = np.array([[-0.5, -0.5, 0.5, 0.5], [-1.0, 1.0, 1.0, -1.0]])
    effect = contrasts @ chance
    error = np.sqrt((contrasts @ covariance * contrasts).sum(axis=1))
    return StayProbability(
        stay=chance.reshape(2, 2),
        stay_se=np.sqrt(np.diag(covariance)).reshape(2, 2),
        reward=float(effect[0]),
        reward_se=float(error[0]),
        interaction=float(effect[1]),
        interaction_se=float(error[1]),
    )


STRATEGIES = ("model_free", "sarsa", "model_based", "hybrid", "two_step_filter", "reward_as_cue")
"""The strategies whose own effects are shown: values of actions with and without eligibility,
planning, a mixture, inference of the hidden state, and a habit (Akam et al. 2015)."""


class Stay(Probe):
    """:func:`stay_probability` on the two-step task, beside that of six strategies.

    An interaction of reward and transition is made by planning, but also by inference of the state
    that pays, by a habit that takes reward as a cue, and by values of actions where one state pays
    for long. So the same analysis is made of six strategies on the same episodes. One that shows
    at least the agent's interaction ``could`` have made it, since choices that are partly random
    show less of it.
    """

    name: ClassVar[str] = "stay"
    question: ClassVar[str] = "what does reward change in the two-step task, and who does the same?"
    example: ClassVar[tuple[str, Setting]] = (
        "model_based",
        Setting("metalocus/TwoStep-v0", horizon=6),
    )
    quantities: ClassVar[Mapping[str, str]] = {
        "interaction": "P(stay) after reward minus none, common minus rare transitions; of the"
        " agent and of strategies on the same episodes",
        "reward": "P(stay) after reward minus none, mean of both transitions",
        "stay": "P(stay) after the last trial",
        "could": "whether the strategy shows at least the agent's interaction (0 no, 1 yes)",
    }
    shown: ClassVar[int] = 3

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only the two-step task has such trials."""
        family = setting.family
        if not isinstance(family, TwoStep):
            return f"stay probabilities are of TwoStep, not of {family.name}"
        if family.horizon < 4:
            return "stay probabilities need two trials at least: a horizon of 4"
        return None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """``stay`` by what the last trial brought, and the effects, each with its error."""
        found = _played(agent, chunks)
        result: Result = {
            name: {
                paid: {"common": number(row[0]), "rare": number(row[1])}
                for paid, row in zip(PAID, table, strict=True)
            }
            for name, table in (("stay", found.stay), ("stay_se", found.stay_se))
        }
        result |= _effects(found)
        strategies = _strategies(chunks.setting, chunks.n, chunks.seed)
        result["strategy"] = {name: _effects(each) for name, each in strategies.items()}
        low = found.interaction - REACH * found.interaction_se
        for name, each in strategies.items():
            most = each.interaction + REACH * each.interaction_se
            result["strategy"][name]["could"] = bool(0.0 < low <= most)
        return result

    def sentence(self, result: Result) -> str:
        """The two effects, and which strategies show such an interaction."""
        interaction, repetition = self.row(result, "interaction"), self.row(result, "reward")
        effects = (
            f"Reward changes the probability of repeating a choice by {repetition} whatever the"
            f" transition, and by {interaction} more after common transitions than after rare ones"
        )
        able = [name for name, each in result["strategy"].items() if each["could"]]
        if (interaction.low or 0.0) <= 0.0:
            return f"{effects}, which is no sign of planning."
        if not able:
            return f"{effects}, more than any of the strategies {', '.join(STRATEGIES)} shows."
        return f"{effects}, as {', '.join(able)} on the same episodes would."

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """P(stay) by reward, a line for each kind of transition (Daw et al. 2011, figure 2)."""
        ax, right = figure.subplots(1, 2, width_ratios=[1, 1.1])
        rows = by_label(self.rows(result), "stay")
        for kind, (colour, dash) in (("common", LINES[1]), ("rare", LINES[6])):
            each = [rows[f"{paid} {kind}"][0] for paid in PAID if f"{paid} {kind}" in rows]
            values, errors = column(each, "value", "se")
            at = [i for i, paid in enumerate(PAID) if f"{paid} {kind}" in rows]
            shift = -0.02 if kind == "common" else 0.02
            ax.errorbar(
                [i + shift for i in at],
                values,
                yerr=REACH * errors,
                fmt=f"o{dash}",
                color=colour,
                capsize=3,
                label=f"after a {kind} transition",
            )
        ax.set_xticks(range(len(PAID)), [f"last trial\n{paid}" for paid in PAID])
        ax.set(xlim=(-0.4, 1.4), ylim=(0, 1.02), ylabel="probability of the same first choice")
        ax.legend(frameon=False, fontsize=8)
        made = by_label(self.rows(result), "interaction")
        shown = [label for label in made if made[label][0].value is not None]
        names = [label.removeprefix("strategy ") or "the agent" for label in shown]
        dots(
            right,
            [made[label][0] for label in shown],
            names,
            ["black" if not label else LINES[1][0] for label in shown],
        )
        right.set_xlabel("interaction of reward and transition")
        return figure


def _played(agent: Agent, chunks: Chunks) -> StayProbability:
    """The analysis of an agent on fresh episodes."""
    counts = Sample()
    for chunk in chunks:
        stimuli: list[Array] = []

        def observe(trial: Trial, stimuli: list[Array] = stimuli) -> None:
            stimuli.append(trial.stimulus)

        trace = rollout(agent, chunk.episodes(), chunk.start_seed, observe=observe)
        counts.add(count_stays(trace.action, trace.reward, np.stack(stimuli)))
    return stay_probability(counts)


@lru_cache(maxsize=4)
def _strategies(setting: Setting, episodes: int, seed: int) -> Mapping[str, StayProbability]:
    """The analysis of every strategy; the same for all agents that play these episodes."""
    chunks = Chunks(setting, episodes, seed)
    return {name: _played(make_named(name, setting.family), chunks) for name in STRATEGIES}


def _effects(found: StayProbability) -> Result:
    """The effects of reward and of its interaction with the transition, ready for JSON."""
    names = ("interaction", "interaction_se", "reward", "reward_se")
    return {name: number(getattr(found, name)) for name in names}
