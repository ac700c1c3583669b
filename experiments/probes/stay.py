"""The stay-probability analysis of the two-step task: who plans, and who repeats what paid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import rollout
from metalocus.envs import Episodes, InvalidTask
from metalocus.envs.families.two_step import TwoStep
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.scoring.curves import number


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


def stay_probability(action: Array, reward: Array, stimulus: Array) -> StayProbability:
    """The analysis of whole episodes.

    What a choice brought is confounded with what the agent knew when it chose: where one
    state pays for long, a model-free agent chooses what leads there and is rewarded
    after common transitions, so that it shows an interaction too (Akam et al. 2015). At
    ``p=0.5`` rewards tell nothing, and only what they change in the agent is left.

    Args:
        action, reward: [T, N] with two steps a trial.
        stimulus: one-hot, first stage or state reached, [T, N, 3].

    Raises:
        InvalidTask: fewer than two trials or two episodes.

    Source: Daw et al. 2011, figure 2; the standard error of a ratio of sums over clusters,
    Cochran 1977, "Sampling techniques", equation 6.13 with episodes as units.
    """
    if len(action) < 4 or action.shape[1] < 2:
        raise InvalidTask("stay probabilities need two trials and two episodes at least")
    first, state = action[::2], stimulus[1::2].argmax(axis=2) - 1
    stays = first[1:] == first[:-1]
    rewarded, rare = reward[1:-1:2] > 0.5, (state != first)[:-1]
    trials = np.arange(4) == (2 * rewarded + rare)[..., None]
    count = trials.sum(axis=0)  # [N, 4], as the next one
    repeated = (trials & stays[..., None]).sum(axis=0)
    total = count.sum(axis=0)
    chance = np.divide(repeated.sum(axis=0), total, out=np.full(4, np.nan), where=total > 0)
    residual = (repeated - chance * count) / np.maximum(total, 1)
    episodes = len(count)
    covariance = residual.T @ residual * episodes / (episodes - 1)
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


class Stay(Probe):
    """:func:`stay_probability` of an agent on the two-step task, and on no other."""

    name: ClassVar[str] = "stay"
    question: ClassVar[str] = "does it plan through the two steps, or repeat what paid?"

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """``stay`` by what the last trial brought, and the effects, each with its error."""
        episodes = fresh()
        if not isinstance(episodes.family, TwoStep):
            raise InvalidTask(f"stay probabilities are of TwoStep, not of {episodes.family.name}")
        stimuli: list[Array] = []
        trace = rollout(agent, episodes, seed, observe=lambda trial: stimuli.append(trial.stimulus))
        found = stay_probability(trace.action, trace.reward, np.stack(stimuli))
        result: Result = {
            name: {
                paid: {"common": number(row[0]), "rare": number(row[1])}
                for paid, row in zip(("unrewarded", "rewarded"), table, strict=True)
            }
            for name, table in (("stay", found.stay), ("stay_se", found.stay_se))
        }
        for name in ("reward", "reward_se", "interaction", "interaction_se"):
            result[name] = number(getattr(found, name))
        return result
