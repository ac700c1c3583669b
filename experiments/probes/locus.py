"""Where the knowledge held at a trial is: every subset of stores replaced, its value divided."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, product
from typing import ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import STORES, Agent, Array, NonFinite, Stores
from metalocus.agents.rollout import (
    TUNING_SEED,
    Trace,
    Transition,
    Trial,
    act,
    choose,
    read_out,
    rollout,
)
from metalocus.envs import Episodes, Family, InvalidTask
from metalocus.envs.checks import require_choice, require_count
from metalocus.experiments.instruments.interventions import (
    CUTS,
    FORCED,
    KINDS,
    MOST_ALONE,
    REPLACEMENTS,
    Moment,
    as_clusters,
    averaged,
    donors,
    donors_of,
    matched,
    mean,
    n_matched,
    resample,
)
from metalocus.experiments.instruments.shapley import (
    coalitions,
    shapley_interactions,
    shapley_values,
)
from metalocus.experiments.instruments.spacing import spaced_choices
from metalocus.experiments.probes.base import NO_CHOICE, Result, Watch, WatchingProbe
from metalocus.experiments.probes.figures import CHOICE_VALUE, by_label, line
from metalocus.experiments.probes.rows import REACH, rounded
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import (
    LearningCurve,
    choice_bounds,
    choice_value,
    mean_gap,
    number,
    numbers,
)
from metalocus.experiments.scoring.figures import STORE_COLOURS as COLOURS
from metalocus.experiments.scoring.sample import Sample

KEPT = coalitions(STORES)
"""The stores that a lesion leaves alone, by the name of their coalition."""
Typical = dict[int, dict[str, Stores]]
"""By trial and cut, the mean over other episodes, arrays [1, ...]."""
PAIRS = ["+".join(pair) for pair in combinations(STORES, 2)]
HEADLINE = "resample before"
"""Kind and cut of the numbers in the sentence."""
STORES_OF = {
    "resample": "another episode's stores",
    "reset": "those of the episode's start",
    "mean": "their means over other episodes",
    "matched": "those of an episode with the same last stimulus, action and reward",
    FORCED: "those of an episode with the same last trial, its action drawn at random,",
    "rollback": "its own of half the trials ago",
}
"""What every kind puts in place, for the sentence."""
SAME = 1e-6
"""Probabilities this close are equal: a forward pass in single precision may be batched anew."""
TOO_LITTLE = 0.02
"""Knowledge that is not surely more than this choice value, up or down, is not divided into
fractions: noise would rule them."""
AVERAGED = 1000
"""Other episodes, at most, whose mean ``mean`` puts in place: the error of a mean is then 1/30 of
the spread of one."""
KNOWN = 0.25
"""Fractions whose intervals reach farther than this are left out of the range over kinds: they
would widen it by noise alone."""


class Locus(WatchingProbe):
    """Splits v(all) - v(none) at chosen trials into the shares of the three stores.

    At trial t every store outside a subset K is replaced, the agent acts once (the episode then
    goes on as it was), and v(K) is the choice value of that act: its expected reward under the
    true means, 0 for chance and 1 for the best arm. Shares are exact Shapley values; the pairwise
    interactions tell knowledge that is held twice (negative) from knowledge that needs both
    stores (positive). All are measured for every kind of replacement and at both cuts of
    :mod:`~metalocus.experiments.instruments.interventions`; another episode's stores (``resample``)
    before the forward pass are the headline.

    A fresh copy of the agent, given the stores and stimuli in another order, must make the choices
    in that order. If it does not, knowledge hides outside the stores: ``contained`` is False, and
    ``leak`` is the choice value that the copy lacks.

    Args:
        trials: trials at which to measure, from 0; if None, eight spaced by ratio up to
            the last.
        kinds: of replacement.
    """

    name: ClassVar[str] = "locus"
    question: ClassVar[str] = "which store holds what has been learned: state, weights or context?"
    in_pairs: ClassVar[bool] = True
    quantities: ClassVar[Mapping[str, str]] = {
        "shares_fraction": "share of each store as a fraction of what was learned, by what is put"
        " in place of the others and by the cut",
        "total": "what was learned: choice value with all stores kept above that with none",
        "shares": "share of each store, in units of choice value",
        "values": "choice value of one act, by the stores kept",
        "interactions": "value held twice (negative) or only jointly (positive), by pair",
        "interactions_fraction": "interaction as a fraction of the total",
        "leak": "choice value that is in none of the stores",
        "contained": "whether all that is learned is in the stores (0 no, 1 yes)",
        "donors": "fraction of the episodes that have a match to take stores from",
        "curve": "choice value with nothing replaced",
        "final": "the same in the episode's last quarter",
        "expected_return": "mean return with nothing replaced, every choice counted by its"
        " expected reward",
    }
    shown: ClassVar[int] = 2

    def __init__(
        self, trials: Sequence[int] | None = None, kinds: Sequence[str] = tuple(KINDS)
    ) -> None:
        self.trials = trials
        self.kinds = tuple(require_choice("kinds", kind, tuple(KINDS)) for kind in kinds)

    def watch(self, agent: Agent, chunks: Chunks) -> _Lesioning:
        """Lists over the measured ``trials`` (and over all trials for the ``curve``).

        Quantities of the stores are by kind of replacement and by cut: ``shares`` -> ``resample
        before`` -> ``state``.
        """
        trials = self._trials(chunks.setting.family)
        typical = self._typical(agent, chunks, trials)
        return _Lesioning(agent, trials, self.kinds, typical, chunks.n)

    def sentence(self, result: Result) -> str:
        """The share of each store at the last measured trial, and its range over the kinds."""
        headline = _headline(result)
        total = self.row(result, "total", headline)
        if total.value is None:
            return NO_CHOICE
        learned = (
            f"By trial {total.trial} (from 0) what was learned is worth {total} on the scale from"
            " 0 (chance) to 1 (the best arm)"
        )
        shares = {s: self.row(result, "shares_fraction", f"{headline} {s}") for s in STORES}
        leak = "" if result["contained"] else "; more is held outside the stores"
        if shares["state"].value is None:
            return f"{learned}, too little to be divided{leak}."
        held = ", ".join(f"{store} {share}" for store, share in shares.items())
        most = max(STORES, key=lambda store: shares[store].value or 0.0)
        kind, _ = headline.split()
        said = (
            f"{learned}, of which the shares are {held}, {STORES_OF[kind]} being put in place of"
            " the others"
        )
        if spread := self._range(result, most):
            said += f"; the share of {most} is {spread} by what is put in place"
        return f"{said}{self._after(result)}{leak}."

    def _after(self, result: Result) -> str:
        """The shares at the cut after the forward pass, if that has made something new to read."""
        if not result["read"]:
            return ""
        kind = _headline(result).split()[0]
        shares = {s: self.row(result, "shares_fraction", f"{kind} after {s}") for s in STORES}
        if shares["state"].value is None:
            return ""
        held = ", ".join(f"{store} {share}" for store, share in shares.items())
        return (
            f"; once the forward pass has read the stores, they are {held}, since the activations"
            f" that the choice is then read from count to the {result['read']}"
        )

    def _range(self, result: Result, store: str) -> str:
        """Least and greatest fraction of a store over the kinds before the pass, at the last trial.

        Of fractions that are known, see :data:`KNOWN`; empty if there is none.
        """
        rows = [
            self.row(result, "shares_fraction", f"{kind} before {store}")
            for kind in self._of(result)
        ]
        known = [
            row.value for row in rows if row.value is not None and REACH * (row.se or 0.0) <= KNOWN
        ]
        if not known:
            return ""
        low, high = rounded(min(known)), rounded(max(known))
        return low if low == high else f"{low} to {high}"

    def _of(self, result: Result) -> list[str]:
        """The kinds that were measured."""
        return list(dict.fromkeys(name.split()[0] for name in result["total"]))

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Left, shares by trial under the headline; right, fractions under every kind and cut."""
        rows = self.rows(result)
        left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
        headline = _headline(result)
        line(left, by_label(rows, "total").get(headline, []), "all three together", "black", ":")
        for store in STORES:
            each = by_label(rows, "shares").get(f"{headline} {store}", [])
            line(left, each, f"held in {store}", COLOURS[store])
        left.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        if result["trials"][0] > 0:
            left.set_xscale("log")
            left.set_xticks(result["trials"], [str(trial) for trial in result["trials"]])
            left.minorticks_off()
        kind, cut = headline.split()
        left.set(xlabel="trial (the first is 0)", ylabel=f"share in the {CHOICE_VALUE}")
        left.set_title(f"{kind}, {cut} the forward pass", loc="left", fontsize=9)
        left.legend(frameon=False, fontsize=8)
        kinds = self._of(result)
        known = [
            s
            for s in STORES
            if any(r.value for r in by_label(rows, "shares").get(f"{headline} {s}", []))
        ]
        # a line for each kind of replacement, with dots for its stores and cuts
        for (place, kind), (cut, shift, face), store in product(
            enumerate(kinds), (("before", -0.12, None), ("after", 0.12, "white")), known
        ):
            last = self.row(result, "shares_fraction", f"{kind} {cut} {store}")
            if last.value is not None:
                right.errorbar(
                    [last.value],
                    [place + shift],
                    xerr=[REACH * (last.se or 0.0)],
                    fmt="o",
                    color=COLOURS[store],
                    mfc=face or COLOURS[store],
                    ms=5,
                    capsize=2,
                )
            elif cut == "before" and store == known[0]:
                right.annotate("too little to divide", (0.05, place), fontsize=8, va="center")
        right.set_yticks(range(len(kinds)), kinds)
        right.set_ylim(len(kinds) - 0.5, -0.5)
        right.axvline(0, color="#bbbbbb", lw=0.8, zorder=0)
        right.set_xlim(min(-0.1, right.get_xlim()[0]), max(1.1, right.get_xlim()[1]))
        right.set_xlabel("fraction of what was learned, last trial")
        right.set_title(
            "by what is put in place (filled: before,\nopen: after the pass)",
            loc="left",
            fontsize=9,
        )
        return figure

    def _typical(self, agent: Agent, chunks: Chunks, trials: Sequence[int]) -> Typical:
        """The mean over other episodes at the trials and cuts; empty if no kind asks for it."""
        found: Typical = {}
        if mean.__name__ not in self.kinds:
            return found
        player = copy.deepcopy(agent)

        def observe(trial: Trial) -> None:
            if trial.t in trials:
                now = _at_cuts(player, trial.shown, trial.stores)
                found[trial.t] = {cut: averaged(stores) for cut, stores in now.items()}

        seed = TUNING_SEED + chunks.seed
        others = Chunk(chunks.setting, seed, 0, min(chunks.n, AVERAGED))
        rollout(player, others.episodes(), seed, observe=observe)
        return found

    def _trials(self, family: Family) -> list[int]:
        if self.trials is None:
            return spaced_choices(family, 8)
        horizon = family.horizon
        trials = sorted({require_count("trials", t, 0) for t in self.trials})
        if not trials or trials[-1] >= horizon:
            raise InvalidTask(f"trials must be from 0 to {horizon - 1}, got {list(self.trials)}")
        return trials


def _headline(result: Result) -> str:
    """Kind and cut of the numbers in the sentence, among those that were measured."""
    return HEADLINE if HEADLINE in result["total"] else next(iter(result["total"]))


def _at_cuts(agent: Agent, shown: Array, stores: Stores) -> dict[str, Stores]:
    """The stores at each of the :data:`CUTS`."""
    return dict(zip(CUTS, (stores, agent.take_in(shown, stores)), strict=True))


class _Lesioning(Watch):
    """The measurement, over all chunks.

    Args:
        agent: that plays.
        trials: at which to measure.
        kinds: of replacement.
        typical: the means that ``mean`` puts in place.
        n: episodes in all.
    """

    def __init__(
        self, agent: Agent, trials: Sequence[int], kinds: Sequence[str], typical: Typical, n: int
    ) -> None:
        self.agent, self.unplayed = agent, copy.deepcopy(agent)
        self.trials, self.kinds, self.typical, self.n = trials, kinds, typical, n
        self.read: set[str] = set()
        self.curve, self.returns, self.contained = LearningCurve(), 0.0, True
        self.games = {f"{kind} {cut}": Sample() for kind, cut in product(kinds, CUTS)}
        self.leaks = Sample()
        self.matches = {kind: np.zeros(len(trials)) for kind in kinds}

    def begin(self, chunk: Chunk, episodes: Episodes) -> _Lesions:
        """Lesions at the chosen trials of a chunk."""
        self.seen = _Lesions(
            self.agent, self.unplayed, chunk, episodes, self.trials, self.kinds, self.typical
        )
        return self.seen

    def end(self, trace: Trace) -> None:
        """Pool what was measured and played."""
        seen = self.seen
        self.curve.add(trace)
        self.returns += float(trace.value.sum())
        for name, game in self.games.items():
            game.add(np.stack(seen.games[name], axis=1))
        self.leaks.add(np.stack(seen.leaks, axis=1))
        self.contained &= seen.shift <= SAME
        self.read |= seen.read
        for kind, with_donor in seen.matched.items():
            self.matches[kind] += np.array(with_donor) / self.n

    def result(self) -> Result:
        """See :meth:`Locus.watch`."""
        found = {
            name: _divided(game, self.matches[name.split()[0]] >= 1.0 - MOST_ALONE)
            for name, game in self.games.items()
        }
        return {
            "trials": self.trials,
            **self.curve.summary(),
            "expected_return": number(self.returns / self.n),
            **{key: {name: each[key] for name, each in found.items()} for key in _KEYS},
            "donors": {
                kind: with_donor.tolist()
                for kind, with_donor in self.matches.items()
                if kind in (FORCED, matched.__name__)
            },
            "read": " and ".join(sorted(self.read)),
            "leak": _leak(*self.leaks.columns),
            "contained": self.contained,
        }


class _Lesions:
    """Observer that acts from every subset of stores at the chosen trials.

    Attributes:
        games: by kind and cut, for each trial [10, N]: expected value of the act from every
            subset of stores, then of a random and of the best choice.
        leaks: for each trial [3, N]: what a fresh copy's choice from the same stores lacks in
            expected value, then that of a random and of the best choice.
        shift: greatest difference between the probabilities of the agent and the copy.
        matched: by kind, for each trial how many episodes have a donor.
        read: stores to which the pass adds what the choice is then read from; none if it adds
            nothing.
    """

    def __init__(
        self,
        agent: Agent,
        unplayed: Agent,
        chunk: Chunk,
        episodes: Episodes,
        trials: Sequence[int],
        kinds: Sequence[str],
        typical: Typical,
    ) -> None:
        self.agent, self.episodes, self.trials, self.kinds = agent, episodes, trials, kinds
        self.typical = typical
        self.unplayed, self.start_seed = unplayed, chunk.start_seed
        self.earlier = {t // 2 for t in trials}
        self.past: dict[int, dict[str, Stores]] = {}
        self.read: set[str] = set()
        self.games: dict[str, list[Array]] = {f"{k} {cut}": [] for k, cut in product(kinds, CUTS)}
        self.leaks: list[Array] = []
        self.shift = 0.0
        self.matched: dict[str, list[int]] = {kind: [] for kind in kinds}

    def __call__(self, trial: Trial) -> None:
        t, following = trial.t, [each for each in self.trials if each > trial.t]
        if t == 0 or t in self.earlier:
            self.past[t] = _at_cuts(self.agent, trial.shown, trial.stores)
        if t in self.trials:
            self._give_to_copy(trial)
            kinds = [kind for kind in self.kinds if kind != FORCED or t == 0]  # nothing to force
            values = trial.privileged_value
            self._measure(kinds, t, trial.shown, trial.stores, trial.last, values)
        if t + 1 in self.trials and FORCED in self.kinds:
            self._force(trial)
        needed = {0, *(each // 2 for each in following)}
        self.past = {each: stores for each, stores in self.past.items() if each in needed}

    def _measure(
        self,
        kinds: Sequence[str],
        t: int,
        shown: Array,
        stores: Stores,
        last: Transition | None,
        value: Array,
    ) -> None:
        """Play the games of some kinds at trial t.

        Args:
            kinds: of replacement.
            t: trial number.
            shown: to the agent, [N, S].
            stores: before the forward pass.
            last: what happened in the trial before.
            value: privileged value of each action, [N, K].
        """
        n, now = len(value), _at_cuts(self.agent, shown, stores)
        self.read |= _added(*now.values())
        moments = {cut: self._moment(cut, t, now[cut], last) for cut in CUTS}
        bounds = choice_bounds(value)
        plain = {cut: self._value(cut, t, shown, now[cut], value) for cut in CUTS}
        for kind in kinds:
            replace = REPLACEMENTS[matched.__name__ if kind == FORCED else kind]
            of_match = replace is matched
            self.matched[kind].append(n_matched(last, n) if of_match else n)
            outcomes: dict[str, list[Array]] = {}
            for cut in CUTS:
                if cut == "after" and now["after"] is now["before"]:  # nothing is left to take in
                    outcomes[cut] = outcomes["before"]
                    continue
                replaced = replace(moments[cut])
                by_loss: dict[tuple[str, ...], Array] = {(): plain[cut]}
                for lost in _losses(now[cut]):
                    if lost not in by_loss:
                        lesioned = now[cut].restore(replaced, lost)
                        try:
                            by_loss[lost] = self._value(cut, t, shown, lesioned, value)
                        except NonFinite as error:
                            gone = f"with {' and '.join(lost)} replaced ({kind})"
                            raise NonFinite(f"{gone}, {error}") from error
                outcomes[cut] = [by_loss[lost] for lost in _losses(now[cut])]
            for cut, found in outcomes.items():
                columns = np.stack([*found, *bounds])
                if of_match or replace is resample:
                    columns = as_clusters(columns, donors_of(moments[cut], of_match))
                self.games[f"{kind} {cut}"].append(columns)

    def _moment(self, cut: str, t: int, stores: Stores, last: Transition | None) -> Moment:
        """Trial t at a cut, with all that may be put in place."""
        start, earlier = self.past[0][cut], self.past[t // 2][cut]
        typical = self.typical.get(t, {}).get(cut, Stores())
        return Moment(t, stores, start, earlier, last, self.episodes.crn, typical)

    def _value(self, cut: str, t: int, shown: Array, stores: Stores, value: Array) -> Array:
        """Expected value of the choice from stores at a cut, [N]."""
        if cut == "before":
            probs, _ = act(self.agent, t, shown, stores)
        else:
            probs = read_out(self.agent, t, shown, stores)
        expected: Array = (probs * value).sum(axis=1)
        return expected

    def _force(self, trial: Trial) -> None:
        """Play on from trial t with an action at random, and measure at the next trial."""
        branch = copy.deepcopy(self.episodes)
        t, n = trial.t, len(branch)
        _, after = act(self.agent, t, trial.shown, trial.stores)
        arms = branch.family.n_arms
        action = choose(np.full((n, arms), 1.0 / arms), branch.crn.uniform("forced", t))
        reward, _ = branch.step(action)
        stores = self.agent.learn(after, trial.shown, action, reward)
        last = Transition(trial.stimulus, action, reward)
        value = branch.privileged_value()
        shown = value if self.agent.omniscient else branch.stimulus()
        self._measure([FORCED], t + 1, shown, stores, last, value)

    def _give_to_copy(self, trial: Trial) -> None:
        """Have the copy choose from the stores of other episodes, which it has not played.

        It starts anew each time, so that a table which all copies share is empty too.
        """
        self.unplayed.start(len(trial.probs), np.random.default_rng(self.start_seed))
        other = donors(self.episodes.crn, trial.t)
        probs, _ = act(self.unplayed, trial.t, trial.shown[other], trial.stores.rows(other))
        lacking, value = trial.probs[other] - probs, trial.privileged_value[other]
        self.leaks.append(np.stack([(lacking * value).sum(axis=1), *choice_bounds(value)]))
        self.shift = max(self.shift, float(np.abs(lacking).max()))


def _added(before: Stores, after: Stores) -> set[str]:
    """The stores to which a forward pass adds an array that was not there before it."""
    return {s for s in STORES if getattr(after, s).keys() - getattr(before, s).keys()}


def _leak(lacking: Array, chance: Array, best: Array) -> list[float | None]:
    """Choice value that a fresh copy lacks, by trial; arguments are expected values [trials, M]."""
    return numbers(lacking.mean(axis=1) / mean_gap(chance, best))


def _losses(stores: Stores) -> list[tuple[str, ...]]:
    """For every coalition the stores that are lost, but for those that hold nothing anyway."""
    return [
        tuple(store for store in STORES if store not in kept and getattr(stores, store))
        for kept in KEPT.values()
    ]


_KEYS = (
    *("shares_fraction", "shares_fraction_se", "total", "total_se", "shares", "shares_se"),
    *("values", "values_se", "interactions", "interactions_se"),
    *("interactions_fraction", "interactions_fraction_se"),
)
"""Quantities that are measured under every kind of replacement and at both cuts."""


def _divided(game: Sample, known: Array) -> Result:
    """The choice value v of every subset, and the shares and interactions of its total.

    Args:
        game: expected value from every subset, chance and best, [10, trials, M].
        known: at which trials the intervention could be made, [trials].
    """
    *outcomes, chance, best = game.columns
    value, deviation = choice_value(np.stack(outcomes), chance, best)
    value = np.where(known, value, np.nan)
    error = game.standard_error(deviation)
    total, total_deviation = value[-1] - value[0], deviation[-1] - deviation[0]
    total_error = game.standard_error(total_deviation)
    sure = np.abs(total) - REACH * total_error > TOO_LITTLE
    divisible = np.where(sure, total, np.nan)

    def parts(kind: str, names: Sequence[str], divide: Callable[[Array], Array]) -> Result:
        """Named parts of the total, what fractions of it they are, and their standard errors."""
        part, part_deviation = divide(value), divide(deviation)
        fraction = part / divisible
        # of a ratio, linearised around its value
        spread = (part_deviation - fraction[..., None] * total_deviation) / divisible[:, None]
        return {
            kind: _named(names, part),
            f"{kind}_se": _named(names, game.standard_error(part_deviation)),
            f"{kind}_fraction": _named(names, fraction),
            f"{kind}_fraction_se": _named(names, game.standard_error(spread)),
        }

    return {
        "values": _named(KEPT, value),
        "values_se": _named(KEPT, error),
        "total": numbers(total),
        "total_se": numbers(total_error),
        **parts("shares", STORES, shapley_values),
        **parts("interactions", PAIRS, shapley_interactions),
    }


def _named(names: Iterable[str], found: Array) -> dict[str, list[float | None]]:
    """Rows [R, trials] by name, ready for JSON."""
    return {name: numbers(row) for name, row in zip(names, found, strict=True)}
