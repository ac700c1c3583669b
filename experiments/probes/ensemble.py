"""Several agents given the same history: do they disagree where it is uncertain, err together?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations_with_replacement, product
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent, Array, best_arms
from metalocus.agents.catalogue import best_reference
from metalocus.agents.references.generic.policies import Random
from metalocus.agents.rollout import TUNING_SEED, Observer, Trial, fresh_episodes, rollout
from metalocus.envs import Episodes, Setting
from metalocus.envs.checks import require
from metalocus.experiments.instruments.posterior import entropy, matching, sampler, tempered
from metalocus.experiments.instruments.task import paying_trials
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import by_label, column, dots, line
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import number, numbers
from metalocus.experiments.scoring.sample import Sample

FIT_EPISODES = 300
"""For the sampler's entropy and the means that covariances are about; not the reported ones."""
CONSTANT = 1e-9
"""A variance below it is that of errors that are the same in all episodes."""
MEMBERS, ITSELF, SAMPLER = "two agents", "one agent, twice", "posterior sampling, equal entropy"
SAME, BEYOND, OWN = "same history", "same history, beyond difficulty", "own histories"
ANY = "history at random"
COLOURS = {MEMBERS: "#0072B2", ITSELF: "#888888", SAMPLER: "#D55E00"}
Name = int | str | tuple[str, int]
"""Of what is measured: the number of a member, for its error; or else a name."""
Measured = Callable[[Episodes, int], dict[Name, Array]]
Estimate = tuple[float | None, float | None]
"""A number and its standard error; None where there is none."""


class Ensemble(Probe):
    """Agents that take in the history that the first one makes, and the best reference with them.

    Only trials at which one action is worth more than another are measured: at others every action
    is a best one, and an error could not be made.

    With p_i the action probabilities of agent i on a history, and B the actions that the reference
    might choose on it:

    * ``disagreement``: the probability that choices differ, 1 - sum_k p_i(k) p_j(k), of two agents
      and of one agent drawn twice. Beside it a posterior sampler of the same entropy: every action
      with a power of the probability that it is the best one, the exponent such that the mean
      entropy at each trial is that of the agents. If agents were draws from the posterior, they
      would disagree as it does with itself, and where it does.
    * ``correlation`` of the errors e_i = 1 - sum_{k in B} p_i(k) of two agents over histories of
      equal length (covariances and variances are summed over trials and pairs). As the history is
      the same and an error is what the reference would not do, luck and the common optimum have
      no part in it. What is left of it ``beyond difficulty`` is the partial correlation given the
      error of the posterior sampler, since histories of nearly equal arms are hard for all. On
      their ``own histories``, an error being a choice below the truly best arm, shared tasks and
      shared luck correlate errors of agents that have nothing else in common. On a ``history at
      random``, which none of them makes, agents part that choose alike only on their own.
    * A learner that acts as all of the first n agents would, with probability min_i p_i(k), and
      else asks a demonstrator (Cohen, Hutter & Nanda 2022, "Fully general online imitation
      learning"): how often it has ``asked``, how often it was ``unsafe``, that is chose below the
      optimum without asking, and how often all n would err at once if they did so independently.

    Args:
        others: agents of the same setting.
    """

    name: ClassVar[str] = "ensemble"
    question: ClassVar[str] = "do agents err together, given the same history?"
    quantities: ClassVar[Mapping[str, str]] = {
        "correlation": "correlation of the errors of two agents",
        "unsafe": "probability of a choice below the optimum without asking, by agents",
        "asked": "probability of asking, by agents that must agree",
        "differ": "probability that choices differ, over all trials",
        "independent": "probability that all would err at once, if independently",
        "error": "probability of a choice below the optimum, by agent",
        "where": "correlation over histories of disagreement with that of the posterior sampler",
        "disagreement": "probability that choices differ, by trial",
        "agents": "how many agents",
    }
    shown: ClassVar[int] = 7

    @classmethod
    def on_example(cls) -> tuple[Probe, Agent, Setting]:
        """Beside itself in two copies."""
        _, agent, setting = super().on_example()
        return cls([agent, agent]), agent, setting

    def __init__(self, others: Sequence[Agent] = ()) -> None:
        self.others = list(others)

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only several agents that see what is shown, where a reference says what is an error."""
        if not self.others:
            return "it compares several agents of one task; name more of them with --others"
        if any(each.omniscient for each in (agent, *self.others)):
            return "an agent that is told the best arm has no history in common with others"
        if best_reference(setting.family).omniscient:
            return f"no reference says what is an error on {setting.family.name}"
        if not paying_trials(setting):
            return "no action is worth more than another here, so that there are no errors"
        return None

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Numbers of all trials together, and disagreement by trial."""
        members = [agent, *self.others]
        watch, n = _Watch(members, chunks), len(members)
        same, own = _Moments(watch.same, chunks), _Moments(watch.own, chunks)
        unusual = _Moments(watch.at_random, chunks)
        found = {
            "correlation": {SAME: same.correlation(n), ANY: unusual.correlation(n)},
            "differ": {ITSELF: same.mean("within"), MEMBERS: same.mean("between")},
            "error": {f"agent {i + 1}": same.mean(i) for i in range(n)},
            "independent": {str(m): same.product(m) for m in range(1, n + 1)},
        }
        for quantity in ("asked", "unsafe"):
            names = {str(m): (quantity, m) for m in range(1, n + 1)}
            found[quantity] = {label: same.mean(name) for label, name in names.items()}
        curves: dict[str, Name] = {MEMBERS: "between", ITSELF: "within"}
        if watch.sampler is not None:
            curves[SAMPLER] = "sampler"
            found["correlation"][BEYOND] = same.correlation(n, given="hard")
            found["where"] = {MEMBERS: same.together("between", "sampler")}
            found["differ"][SAMPLER] = same.mean("sampler")
        found["correlation"][OWN] = own.correlation(n)
        result: Result = {"agents": n, "reference": watch.reference.name, "trials": watch.trials}
        for quantity, each in found.items():
            result[quantity] = {label: value for label, (value, _) in each.items()}
            result[f"{quantity}_se"] = {label: error for label, (_, error) in each.items()}
        by_trial = {label: same.by_trial(name) for label, name in curves.items()}
        result["disagreement"] = {label: value for label, (value, _) in by_trial.items()}
        result["disagreement_se"] = {label: error for label, (_, error) in by_trial.items()}
        return result

    def sentence(self, result: Result) -> str:
        """How errors correlate, how agents disagree, and what a learner that asks makes of it."""
        same, beyond, own, any_history = (
            self.row(result, "correlation", k) for k in (SAME, BEYOND, OWN, ANY)
        )
        n = result["agents"]
        if same.value is None:
            return f"The errors of the {n} agents are the same in all episodes: none correlate."
        given = f", {beyond} beyond what is hard for all" if beyond.value is not None else ""
        differ, sampled = (self.row(result, "differ", k) for k in (MEMBERS, SAMPLER))
        beside = f" (posterior sampling of equal entropy: {sampled})" if sampled.value else ""
        one, all_of = self.row(result, "unsafe", "1"), self.row(result, "unsafe", str(n))
        return (
            f"Given the same history, errors of {n} agents correlate by {same}{given} ({own} on"
            f" their own histories, {any_history} on histories of random choices), and two of them"
            f" choose differently with probability {differ}{beside}; one that acts only as all"
            f" {n} would, and else asks, asks with probability"
            f" {self.row(result, 'asked', str(n))} and errs with {all_of} (one agent alone: {one})."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Left, correlations; in the middle disagreement; right, the learner that asks."""
        rows = self.rows(result)
        left, middle, right = figure.subplots(1, 3, width_ratios=[1, 1.1, 1])
        found = {label: each[0] for label, each in by_label(rows, "correlation").items()}
        if found:
            names = [label.replace(", ", ",\n") for label in found]
            colours = ["#0072B2" if label != OWN else "#888888" for label in found]
            dots(left, list(found.values()), names, colours)
        left.set_xlim(min(-0.15, left.get_xlim()[0]), 1.1)
        left.set_xlabel("correlation of errors")
        for label, each in by_label(rows, "disagreement").items():
            line(middle, each, label, COLOURS[label])
        middle.set_ylim(bottom=0.0)
        middle.set(xlabel="trial (the first is 0)", ylabel="probability that choices differ")
        middle.legend(frameon=False, fontsize=7)
        for quantity, colour, dash, label in (
            ("unsafe", "#D55E00", "-", "errs without asking"),
            ("independent", "#D55E00", ":", "all err, if independent"),
            ("asked", "black", "-", "asks"),
        ):
            each = [row for row in rows if row.quantity == quantity and row.value is not None]
            values, lows, highs = column(each, "value", "low", "high")
            at = [int(row.label) for row in each]
            right.plot(at, values, dash, marker="o", ms=3.5, color=colour, label=label)
            right.fill_between(at, lows, highs, color=colour, alpha=0.18, lw=0)
            right.set_xticks(at)
        right.set_ylim(0.0, 1.3 * right.get_ylim()[1])
        right.set(xlabel="agents that must agree", ylabel="probability")
        right.legend(frameon=False, fontsize=7, loc="upper left")
        return figure


class _Watch:
    """Plays episodes and measures the agents at every trial."""

    def __init__(self, members: Sequence[Agent], chunks: Chunks) -> None:
        self.members, family = members, chunks.setting.family
        self.trials = paying_trials(chunks.setting)
        self.reference, self.sampler = best_reference(family), sampler(family)
        self.exponents: dict[int, float] = {}
        if self.sampler is not None:
            seed = TUNING_SEED + chunks.seed
            episodes = fresh_episodes(chunks.setting.whole(), FIT_EPISODES, seed)
            self._follow(episodes, seed, self._match)

    def _follow(
        self, episodes: Episodes, seed: int, observe: Observer, player: Agent | None = None
    ) -> None:
        """The player, or else the first member, plays; the reference and the sampler take it in.

        So do the other members. ``observe`` is called where choices pay.
        """
        sampler = [] if self.sampler is None else [self.sampler]
        first, *others = self.members if player is None else (player, *self.members)
        shadows = [*others, self.reference, *sampler]

        def look(trial: Trial) -> None:
            if trial.t in self.trials:
                observe(trial)

        rollout(first, episodes, seed, shadows=shadows, observe=look)

    def _seen(self, trial: Trial) -> tuple[Array, Array]:
        """Probabilities of the members [n, N, K], and the actions of the optimum, [N, K]."""
        n = len(self.members)
        others = [probs for probs, _ in trial.shadows[: n - 1]]
        alike = all(probs.shape == trial.probs.shape for probs in others)
        require(
            alike, "the agents choose among different numbers of actions; compare such of one task"
        )
        return np.stack([trial.probs, *others]), best_arms(trial.shadows[n - 1][0])

    def _match(self, trial: Trial) -> None:
        """Find the sampler's exponent at this trial."""
        probs, _ = self._seen(trial)
        matched = matching(trial.shadows[-1][0], float(entropy(probs).mean()))
        self.exponents[trial.t] = matched

    def same(self, episodes: Episodes, seed: int) -> dict[Name, Array]:
        """What is measured on the history of the first member, by name, [trials, N] each."""
        found: dict[Name, list[Array]] = {}

        def observe(trial: Trial) -> None:
            probs, best = self._seen(trial)
            n = len(probs)
            twice = (probs**2).sum(axis=(0, 2))
            pairs = (probs.sum(axis=0) ** 2).sum(axis=1) - twice
            each: dict[Name, Array] = {
                **dict(enumerate((probs * ~best).sum(axis=2))),
                "between": 1.0 - pairs / (n * (n - 1)),
                "within": 1.0 - twice / n,
            }
            if self.sampler is not None:
                sampled = tempered(trial.shadows[-1][0], self.exponents[trial.t])
                each["hard"] = (sampled * ~best).sum(axis=1)
                each["sampler"] = 1.0 - (sampled**2).sum(axis=1)
            for m, agreed in enumerate(np.minimum.accumulate(probs, axis=0), start=1):
                each["asked", m] = np.maximum(1.0 - agreed.sum(axis=1), 0.0)  # but for rounding
                each["unsafe", m] = (agreed * ~best).sum(axis=1)
            for name, values in each.items():
                found.setdefault(name, []).append(values)

        self._follow(episodes, seed, observe)
        return {name: np.stack(values) for name, values in found.items()}

    def at_random(self, episodes: Episodes, seed: int) -> dict[Name, Array]:
        """Errors of each member on histories of random choices, by its number, [trials, N] each.

        No member makes these histories, so that what two do alike on their own tells nothing here.
        """
        found: dict[Name, list[Array]] = {}
        n = len(self.members)

        def observe(trial: Trial) -> None:
            best = best_arms(trial.shadows[n][0])
            for i, (probs, _) in enumerate(trial.shadows[:n]):
                found.setdefault(i, []).append((probs * ~best).sum(axis=1))

        self._follow(episodes, seed, observe, Random(self.reference.family))
        return {name: np.stack(values) for name, values in found.items()}

    def own(self, episodes: Episodes, seed: int) -> dict[Name, Array]:
        """Errors of each member on its own history of the episodes, [trials, N] each."""
        found: dict[Name, Array] = {}
        for i, member in enumerate(self.members):
            trace = rollout(member, copy.deepcopy(episodes), seed)
            probs, values = trace.probs[self.trials], trace.privileged_value[self.trials]
            best = best_arms(values.reshape(-1, values.shape[2])).reshape(values.shape)
            found[i] = (probs * ~best).sum(axis=2)
        return found


class _Moments:
    """Means, and covariances summed over trials, of what is measured, pooled over chunks.

    A covariance at trial t is E[(x - c)(y - d)] - (E x - c)(E y - d) for any c and d. These are the
    means of other episodes, so that the second term is next to nothing, and each episode
    contributes the sum over trials of its products (x - c)(y - d), by which intervals are found.
    """

    def __init__(self, measured: Measured, chunks: Chunks) -> None:
        seed = TUNING_SEED + chunks.seed
        others = fresh_episodes(chunks.setting.whole(), FIT_EPISODES, seed)
        self.centres = {name: x.mean(axis=1) for name, x in measured(others, seed).items()}
        self.names = list(self.centres)
        self.trials, self.sums = Sample(), Sample()
        self.pairs = list(combinations_with_replacement(range(len(self.names)), 2))
        for chunk in chunks:
            found = measured(chunk.episodes(), chunk.start_seed)
            values = np.stack([found[name] for name in self.names])
            centred = values - np.stack([self.centres[name] for name in self.names])[..., None]
            products = np.einsum("atm,btm->abm", centred, centred)
            self.trials.add(values)
            self.sums.add(
                np.concatenate(
                    [values.mean(axis=1), np.stack([products[a, b] for a, b in self.pairs])]
                )
            )
        self.means = self.trials.columns.mean(axis=-1)
        self.off = self.means - np.stack([self.centres[name] for name in self.names])

    def by_trial(self, name: Name) -> tuple[list[float | None], list[float | None]]:
        """Mean at every trial, and standard errors."""
        values = self.trials.columns[self.names.index(name)]
        return numbers(values.mean(axis=1)), numbers(self.trials.standard_error(values))

    def mean(self, name: Name) -> Estimate:
        """Mean over trials, and its standard error."""
        values = self.sums.columns[self.names.index(name)]
        return number(float(values.mean())), number(float(self.sums.standard_error(values)))

    def _products(self, one: Name, other: Name) -> Array:
        """Of every episode, with the covariance summed over trials as their mean, [M]."""
        a, b = sorted(self.names.index(name) for name in (one, other))
        place = len(self.names) + self.pairs.index((a, b))
        products: Array = self.sums.columns[place] - self.off[a] @ self.off[b]
        return products

    def correlation(self, n: int, given: Name | None = None) -> Estimate:
        """Mean covariance of the first n, two at a time, over their mean variance.

        Args:
            n: how many.
            given: what is held constant, linearly.
        """
        between, alone = (self._summed(pairs, given) for pairs in _pairs(n))
        return self._ratio((between[0] / (n - 1), between[1] / (n - 1)), alone)

    def together(self, one: Name, other: Name) -> Estimate:
        """Correlation of two, summed over trials."""
        both, first, second = (
            self._products(*pair) for pair in ((one, other), (one, one), (other, other))
        )
        a, b = float(first.mean()), float(second.mean())
        if min(a, b) <= CONSTANT:
            return None, None
        size = np.sqrt(a * b)
        spread = size * (first / a + second / b) / 2.0
        return self._ratio((float(both.mean()), both), (float(size), spread))

    def _summed(self, pairs: Sequence[tuple[int, int]], given: Name | None) -> tuple[float, Array]:
        """Sum of (partial) covariances of pairs, and its linearised values of every episode."""
        total, values = 0.0, np.zeros(self.sums.columns.shape[-1])
        for pair in pairs:
            products = self._products(*pair)
            total, values = total + float(products.mean()), values + products
            if given is None:
                continue
            held = self._products(given, given)
            variance = float(held.mean())
            if variance <= CONSTANT:
                continue
            one, other = (self._products(name, given) for name in pair)
            a, b = float(one.mean()) / variance, float(other.mean()) / variance
            total -= a * b * variance
            values = values - (b * one + a * other - a * b * held)
        return total, values

    def product(self, count: int) -> Estimate:
        """Mean over trials of the product of the first means, and its standard error."""
        means = self.means[:count]
        value = float(means.prod(axis=0).mean())
        # the derivative by each mean is the product of the others
        slopes = np.stack([np.delete(means, i, axis=0).prod(axis=0) for i in range(count)])
        by_trial = self.trials.standard_error(
            np.einsum("it,itm->tm", slopes, self.trials.columns[:count])
        )
        return number(value), number(float(by_trial.mean()))

    def _ratio(self, top: tuple[float, Array], bottom: tuple[float, Array]) -> Estimate:
        """A ratio of two sums, and its standard error; None where nothing varies."""
        if bottom[0] <= CONSTANT:
            return None, None
        ratio = top[0] / bottom[0]
        deviation = (top[1] - ratio * bottom[1]) / bottom[0]
        return number(ratio), number(float(self.sums.standard_error(deviation)))


def _pairs(n: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Pairs of different ones, and of each with itself."""
    every = list(product(range(n), repeat=2))
    return [(i, j) for i, j in every if i != j], [(i, j) for i, j in every if i == j]
