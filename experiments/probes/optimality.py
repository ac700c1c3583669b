"""How far an agent is from Bayes-optimal on the histories that it makes itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

import numpy as np

from metalocus.agents.agent import EXACT, Agent, Array, ReferencePolicy, best_arms
from metalocus.agents.catalogue import best_reference
from metalocus.agents.rollout import Trial, rollout
from metalocus.envs import Episodes, InvalidTask
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.scoring.curves import number, numbers, standard_error

FLOOR = 1e-3
"""Least probability that an agent is taken to give an arm, so that one certain and wrong
choice does not make the divergence infinite."""


class Optimality(Probe):
    """Compares the agent's action probabilities with the best policy that knows the prior.

    The reference takes in the agent's own transitions without acting, so both know the
    same (Mikulik et al. 2020, "Meta-trained agents implement Bayes-optimal agents"). It is
    the exact optimum where there is one, else an index policy; ``exact`` says which, and is
    False too where tasks are drawn from a few fixed ones, which the reference does not
    know. By trial:

    * ``lost``: reward to come given up by the choice, max_k Q_k - sum_k p_k Q_k. Over an
      episode it adds up to the agent's shortfall from the optimal return. None where the
      reference gives its choices but no values Q.
    * ``agreement``: the agent's probability of an arm that the reference might choose,
      ties included.
    * ``kl``: divergence of the agent (its probabilities floored at 1e-3) from the
      reference (ties spread evenly), in nats.
    """

    name: ClassVar[str] = "optimality"
    question: ClassVar[str] = "how far is it from Bayes-optimal on its own histories?"

    def measure(self, agent: Agent, fresh: Callable[[], Episodes], seed: int) -> Result:
        """Lists over all trials, and the sum of ``lost``."""
        episodes = fresh()
        reference = best_reference(episodes.family)
        if reference.omniscient:
            name = episodes.family.name
            raise InvalidTask(f"no reference policy is known to come near the optimum of {name}")
        rows: list[Array] = []

        def observe(trial: Trial) -> None:
            rows.append(_compare(reference, trial))

        rollout(agent, episodes, seed, shadows=[reference], observe=observe)
        measured = np.stack(rows, axis=1)
        error = standard_error(measured)
        exact = reference.optimality(episodes.family) == EXACT and episodes.n_tasks is None
        result: Result = {"reference": reference.name, "exact": exact}
        for i, name in enumerate(("lost", "agreement", "kl")):
            result[name] = numbers(measured[i].mean(axis=1))
            result[f"{name}_se"] = numbers(error[i])
        lost = measured[0].sum(axis=0)
        return {
            **result,
            "total_lost": number(lost.mean()),
            "total_lost_se": number(standard_error(lost)),
        }


def _compare(reference: ReferencePolicy, trial: Trial) -> Array:
    """Reward to come lost, agreement and divergence of one trial, [3, N]."""
    policy, stores = trial.shadows[0]
    values = reference.values(stores)
    if values is None:
        lost = np.full(len(policy), np.nan)
    else:
        lost = values.max(axis=1) - (trial.probs * values).sum(axis=1)
    agreement = (trial.probs * best_arms(policy)).sum(axis=1)
    ratio = policy / np.maximum(trial.probs, FLOOR)
    kl = (policy * np.log(np.where(policy > 0.0, ratio, 1.0))).sum(axis=1)
    return np.stack([lost, agreement, kl])
