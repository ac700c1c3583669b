"""How far an agent is from Bayes-optimal on the histories that it makes itself."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import EXACT, Agent, Array, ReferencePolicy, best_arms
from metalocus.agents.catalogue import best_reference
from metalocus.agents.rollout import Observer, Trace, Trial
from metalocus.envs import Episodes, Setting
from metalocus.experiments.probes.base import Result, Watch, WatchingProbe
from metalocus.experiments.probes.figures import LINES, by_label, line
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import number, numbers
from metalocus.experiments.scoring.sample import Sample


class Optimality(WatchingProbe):
    """Compares the agent's action probabilities with the best policy that knows the prior.

    The reference takes in the agent's own transitions without acting, so both know the
    same (Mikulik et al. 2020, "Meta-trained agents implement Bayes-optimal agents"). It is
    the exact optimum where there is one, else an index policy; ``exact`` says which, and is
    False too where tasks are drawn from a few fixed ones, which the reference does not
    know. By trial:

    * ``lost``: reward to come given up by the choice, max_k Q_k - sum_k p_k Q_k. Over an
      episode it adds up to the agent's shortfall from the optimal return. None where the
      reference gives its choices but no values Q.
    * ``agreement``: the agent's probability of one of the best arms, ties included. Its mean,
      ``agreed``, is over choices between better and worse: where all actions are best, as where
      nothing is paid, there is nothing to agree on.

    There is no divergence from the reference: it is certain of its choice or indifferent among
    ties, so that a divergence would be infinite, or depend on how ties are broken at no loss.
    """

    name: ClassVar[str] = "optimality"
    question: ClassVar[str] = "how far is it from Bayes-optimal on its own histories?"
    quantities: ClassVar[Mapping[str, str]] = {
        "total_lost": "reward given up over an episode",
        "agreed": "probability of one of the reference's best choices, where not all are",
        "lost": "reward to come that is given up by each choice",
        "agreement": "probability of one of the reference's best choices",
        "exact": "whether the reference is Bayes-optimal (0 no, 1 yes)",
    }

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """There must be a reference that comes near the optimum."""
        family = setting.family
        if best_reference(family).omniscient:
            return f"no reference policy is known to come near the optimum of {family.name}"
        return None

    def watch(self, agent: Agent, chunks: Chunks) -> _Comparison:
        """Lists over all trials, the sum of ``lost`` and the mean of ``agreement``."""
        return _Comparison(chunks.setting)

    def sentence(self, result: Result) -> str:
        """What is given up over an episode, else how often it chooses as the reference."""
        known = "Bayes-optimal" if result["exact"] else "nearly optimal"
        policy = f"the {known} policy {result['reference']}"
        lost, agreed = self.row(result, "total_lost"), self.row(result, "agreed")
        if lost.value is None:
            return f"It makes a best choice of {policy} with probability {agreed}."
        return (
            f"On its own histories it gives up {lost} of reward an episode to {policy}, one of"
            f" whose best choices it makes with probability {agreed}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Reward given up by trial, where it is known; agreement by trial."""
        rows = self.rows(result)
        shown = [name for name in ("lost", "agreement") if by_label(rows, name)]
        for ax, name in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
            line(ax, by_label(rows, name)[""], name, LINES[1][0])
            ax.set(xlabel="trial (the first is 0)", ylabel=textwrap.fill(self.quantities[name], 30))
            ax.set_ylim(bottom=0.0, top=1.02 if name == "agreement" else None)
        return figure


class _Comparison(Watch):
    """Everything that is compared, over all chunks.

    Args:
        setting: what is played.
    """

    def __init__(self, setting: Setting) -> None:
        self.family = setting.family
        self.reference = best_reference(self.family)
        self.shadows = [self.reference]
        self.fixed_tasks = setting.kwargs.get("n_tasks") is not None
        names = ("total_lost", "lost", "agreement", "choices")
        self.samples = {name: Sample() for name in names}

    def begin(self, chunk: Chunk, episodes: Episodes) -> Observer:
        """Compare at every trial."""
        self.rows: list[Mapping[str, Array]] = []
        return lambda trial: self.rows.append(_compare(self.reference, trial))

    def end(self, trace: Trace) -> None:
        """Pool what was compared."""
        for name, columns in _by_name(self.rows).items():
            self.samples[name].add(columns)

    def result(self) -> Result:
        """See :meth:`Optimality.watch`."""
        exact = self.reference.optimality(self.family) == EXACT and not self.fixed_tasks
        result: Result = {"reference": self.reference.name, "exact": exact}
        result["total_lost"], result["total_lost_se"] = _mean(self.samples["total_lost"])
        result["agreed"], result["agreed_se"] = _ratio(self.samples["choices"])
        for name in ("lost", "agreement"):
            result |= _by_trial(name, self.samples[name], self.family.horizon)
        return result


def _compare(reference: ReferencePolicy, trial: Trial) -> dict[str, Array]:
    """Agreement, whether it matters and, where it is known, reward to come lost, [N] each."""
    policy, stores = trial.shadows[0]
    best = best_arms(policy)
    found = {"agreement": (trial.probs * best).sum(axis=1), "matters": ~best.all(axis=1)}
    values = reference.values(stores)
    if values is not None:
        found["lost"] = values.max(axis=1) - (trial.probs * values).sum(axis=1)
    return found


def _by_name(rows: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
    """What :func:`_compare` found as columns: by trial [1, T, N]; of episodes [1 or 2, N].

    ``choices`` are the agreement summed over the choices that matter, and how many these are.
    """
    found = {name: np.stack([row[name] for row in rows])[None] for name in rows[0]}
    matters = found.pop("matters")[0]
    agreed = found["agreement"][0] * matters
    found["choices"] = np.stack([agreed.sum(axis=0), matters.sum(axis=0)])
    if "lost" in found:
        found["total_lost"] = found["lost"].sum(axis=1)
    return found


def _mean(sample: Sample) -> tuple[float | None, float | None]:
    """Mean of a number of each episode, and its standard error; None if nothing was measured."""
    if not sample.n:
        return None, None
    (column,) = sample.columns
    return number(float(column.mean())), number(float(sample.standard_error(column)))


def _ratio(sample: Sample) -> tuple[float | None, float | None]:
    """Ratio of the means of two numbers of each episode; None if the second is always 0."""
    above, below = sample.columns
    if below.mean() <= 0.0:
        return None, None
    ratio = above.mean() / below.mean()
    error = sample.standard_error((above - ratio * below) / below.mean())
    return number(float(ratio)), number(float(error))


def _by_trial(name: str, sample: Sample, length: int) -> Result:
    """Means at every trial and their standard errors; None if nothing was measured."""
    if not sample.n:
        return {name: [None] * length, f"{name}_se": [None] * length}
    (columns,) = sample.columns
    errors = numbers(sample.standard_error(columns))
    return {name: numbers(columns.mean(axis=1)), f"{name}_se": errors}
