"""What a change of task costs: performance on trials that repeat a task against those that switch.

Source: Monsell 2003, "Task switching", where the measure is errors and reaction times.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import Agent
from metalocus.agents.rollout import Trial, rollout
from metalocus.envs import Episodes, InvalidTask
from metalocus.envs.families.cued_switching import CuedSwitching
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.scoring.curves import number, standard_error

Array = NDArray[Any]


class Switch(Probe):
    """Costs of a switch and of incongruence on the cued task switch, and on no other task.

    Performance is the expected reward of each choice.
    """

    name: ClassVar[str] = "switch"
    question: ClassVar[str] = "what does a change of task cost, and what does incongruence?"

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """:func:`switch_cost` under ``switch``, and under ``congruence`` as :func:`contrast`.

        The latter is of congruent against incongruent digits.
        """
        episodes = fresh()
        family = episodes.family
        if not isinstance(family, CuedSwitching):
            raise InvalidTask(f"switch costs are those of CuedSwitching, not of {family.name}")
        tasks, congruent = [], []

        def observe(trial: Trial) -> None:
            tasks.append(episodes.latents["task"])
            congruent.append(family.congruent(episodes.latents))

        value = rollout(agent, episodes, seed, observe=observe).value
        same = np.stack(congruent)
        return {
            "switch": switch_cost(value, np.stack(tasks)),
            "congruence": contrast(value, same, ~same),
        }


def switch_cost(performance: Array, task: Array) -> Result:
    """Performance on trials that repeat the task of the trial before, minus that on switches.

    A cost is what is lost, so it is positive where switching hurts. The first trial of an
    episode is neither.

    Args:
        performance: of every trial, [T, N]: a reward, its expectation, or 0 and 1.
        task: what was asked, [T, N].

    Returns:
        As :func:`contrast`: ``one`` is the mean on repeats, ``other`` on switches.
    """
    repeat = task[1:] == task[:-1]
    return contrast(performance[1:], repeat, ~repeat)


def contrast(performance: Array, one: Array, other: Array) -> Result:
    """Mean performance on one kind of trial against another, pooled over episodes.

    Args:
        performance: [T, N].
        one, other: which trials are of either kind, [T, N] booleans.

    Returns:
        ``one`` and ``other``, the means; their difference ``cost``; its standard error over
        episodes ``cost_se``. None where there are no such trials.
    """
    first, first_deviation = _pooled(performance, one)
    second, second_deviation = _pooled(performance, other)
    return {
        "one": number(first),
        "other": number(second),
        "cost": number(first - second),
        "cost_se": number(standard_error(first_deviation - second_deviation)),
    }


def _pooled(performance: Array, which: Array) -> tuple[Array, Array]:
    """Mean over the trials of a kind, and each episode's part in its error, linearised [N]."""
    count = which.sum(axis=0)
    total = (performance * which).sum(axis=0)
    per_episode = np.where(count.any(), count.mean(), np.nan)
    mean = total.mean() / per_episode
    return mean, (total - mean * count) / per_episode
