"""What can be read off a store by a linear decoder, and whether the choice reads it too."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.figure import Figure

from metalocus.agents.agent import EXACT, STORES, Agent, Array, Stores
from metalocus.agents.catalogue import best_reference
from metalocus.agents.rollout import (
    TUNING_SEED,
    Trial,
    act,
    fresh_episodes,
    read_out,
    rollout,
)
from metalocus.agents.trained.frozen import FEATURES
from metalocus.envs import Family, Setting
from metalocus.experiments.instruments.beliefs import TARGETS, Beliefs
from metalocus.experiments.instruments.decoder import MOST, NEARLY_ALL, Decoder
from metalocus.experiments.instruments.raw_history import RawHistory
from metalocus.experiments.instruments.spacing import spaced_choices
from metalocus.experiments.instruments.task import no_later_choice
from metalocus.experiments.instruments.untrained import untrained
from metalocus.experiments.instruments.vectors import Vectors, n_episodes
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.probes.figures import by_label, dots, line
from metalocus.experiments.probes.rows import counted, rounded
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.curves import NO_GAP, choice_bounds, number
from metalocus.experiments.scoring.figures import STORE_COLOURS as COLOURS
from metalocus.experiments.scoring.sample import Sample, require_finite

FIT_EPISODES = 1000
"""Decoders are fitted on, of other seeds than the reported ones. An LSTM's R² at the hundredth
trial is then .02 below that with four times as many."""
TRIALS = 6
"""Measured, spaced by ratio."""
DRAWS = 4
"""Random subspaces that a removal is compared with; their mean errs by half as much as one's."""
POOLED_MOST = 2500
"""Numbers of a store up to which trials are pooled; a longer one is a window, whose places mean
another trial at each trial."""
MAIN = {"belief": "beliefs", "mean": "expected rewards"}
"""Targets that selectivity, directions and removal are about, the first that there is."""
SHORT = {
    "last trial": "the last action and reward",
    "untrained": "the network untrained",
    "history": "the raw history, projected as wide",
    "random features": "wide random features of it",
}
"""What else is decoded from, with a few words for it."""
SETS = (*STORES, FEATURES, "all")
BEFORE = " before"
"""Added to a set's name: before the forward pass has taken in the last feedback."""
_SEED = 0
"""Of what is drawn on no episode: the agent's widths, and random subspaces."""


class Decode(Probe):
    """Decodes what the best reference believes from each store, then takes it out of the store.

    The reference takes in the agent's own transitions; what it believes are the ``TARGETS`` of
    :mod:`~metalocus.experiments.instruments.beliefs`. At each measured trial a ridge regression is
    fitted on ``FIT_EPISODES`` other episodes, its penalty chosen on episodes held out whole, and

        R² = 1 - E|y - ŷ|² / E|y - ȳ|²

    is that on the reported episodes. The main target is the belief over the task's hidden states,
    or the expected rewards where there are none. *Selectivity* is its R² minus that of control
    targets, which give every transition (trial, action, reward) a random worth and add them up: as
    the target does, but of no use to any choice (Hewitt & Liang 2019, "Designing and interpreting
    probes with control tasks", for regression on a history). *Lost* is what the
    choice loses when the decoded subspace is projected out of the store, beside a change of equal
    rank and norm in random others (Elazar et al. 2021, "Amnesic probing"). These are uncorrelated
    with the decoded ones, and of the store's own covariance: any directions whatever would hold a
    part of what is decoded, and where the store hardly varies a change of that norm is unlike any.

    Args:
        trials: trials at which to measure, from 0; if None, six spaced by ratio up to the last.
    """

    name: ClassVar[str] = "decode"
    question: ClassVar[str] = "can the belief be read off a store, and does the choice read it?"
    quantities: ClassVar[Mapping[str, str]] = {
        "decoded": "R² of what is decoded linearly, by target and store, on held-out episodes",
        "lost": "choice value lost when a subspace is taken out of the store",
        "selectivity": "R² of the belief minus that of control targets",
        "directions": f"principal directions that hold {NEARLY_ALL:.0%} of what is decoded",
        "pooled": "R² of one decoder for all measured trials",
        "shuffled": "R² of the belief, the decoder fitted on shuffled tasks",
        "width": "principal directions decoded from",
        "exact": "whether the reference is Bayes-optimal (0 no, 1 yes)",
    }
    shown: ClassVar[int] = 4

    def __init__(self, trials: Sequence[int] | None = None) -> None:
        self.trials = trials

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Only where a reference has a belief, and a choice can go by it."""
        if best_reference(setting.family).omniscient:
            return f"no reference of {setting.family.name} has a belief to decode"
        return no_later_choice(setting.family)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Lists over the measured ``trials``.

        ``decoded`` is by target, then by set: a store after the forward pass has taken in the last
        feedback, ``before`` it, or a baseline. ``lost`` is by set, then ``decoded`` or ``random``.
        """
        family = chunks.setting.family
        trials = spaced_choices(family, TRIALS) if self.trials is None else list(self.trials)
        reference, fresh = best_reference(family), untrained(agent)
        shadows = [reference, *([] if fresh is None else [fresh])]
        fit = _Fit(agent, Beliefs(reference), family, trials)
        tuning = fresh_episodes(chunks.setting.whole(), FIT_EPISODES, TUNING_SEED + chunks.seed)
        rollout(agent, tuning, TUNING_SEED + chunks.seed, shadows=shadows, observe=fit)
        fit.pool()
        sums: dict[tuple[str, ...], Sample] = {}
        nested: dict[tuple[int, str], Array] = {}
        for chunk in chunks:
            score = _Score(agent, Beliefs(reference), fit)
            rollout(agent, chunk.episodes(), chunk.start_seed, shadows=shadows, observe=score)
            for key, columns in score.found.items():
                sums.setdefault(key, Sample()).add(columns)
            for at, losses in score.nested.items():
                nested[at] = nested.get(at, 0.0) + losses
        fixed_tasks = chunks.setting.kwargs.get("n_tasks") is not None
        return {
            "reference": reference.name,
            "exact": reference.optimality(family) == EXACT and not fixed_tasks,
            "trials": trials,
            **_tables(sums, trials),
            "directions": _by_set(
                {at: fit.decoders[at].enough(losses) for at, losses in nested.items()}, trials
            ),
            "width": _by_set(
                {at: len(each.ridge.spread) for at, each in fit.decoders.items()}, trials
            ),
        }

    def sentence(self, result: Result) -> str:
        """R² from each store and baseline; of the best store what the choice loses without it."""
        main = headline(result.get("decoded", ())) or "mean"
        rows = {kept: self.row(result, "decoded", f"{main} {kept}") for kept in (*STORES, *SHORT)}
        known = {kept: row for kept, row in rows.items() if row.value is not None}
        stores = [kept for kept in STORES if kept in known]
        if not stores:
            return "Its stores hold nothing from which a belief could be decoded."
        best = max(stores, key=lambda kept: known[kept].value or 0.0)
        few = self.row(result, "directions", best).value
        along = "" if few is None else f"{NEARLY_ALL:.0%} of it along {counted(few, 'direction')}, "
        more = f" ({along}selectivity {self.row(result, 'selectivity', best)})"
        found = (f"{known[kept]} from {kept}{more if kept == best else ''}" for kept in stores)
        beside = (f"{SHORT[kept]} {rounded(known[kept].value)}" for kept in SHORT if kept in known)
        said = (
            f"At trial {known[best].trial} {MAIN[main]} are decoded with R²"
            f" {', '.join(found)}; beside: {', '.join(beside)}"
        )
        lost, random = (self.row(result, "lost", f"{best} {of}") for of in ("decoded", "random"))
        if lost.value is None:
            return f"{said}."
        control = f"as much in random others {random}"
        if random.value is None:
            control = f"and no other direction of {best} is left to compare with"
        return (
            f"{said}; taken out of {best} before the forward pass they cost {lost} of choice value,"
            f" {control}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Left, R² of the expected rewards by trial; right, what their removal costs."""
        rows = self.rows(result)
        left, right = figure.subplots(1, 2, width_ratios=[1.2, 1])
        found, main = by_label(rows, "decoded"), headline(result.get("decoded", ())) or "mean"
        looks = {
            **{store: (colour, "-") for store, colour in COLOURS.items()},
            FEATURES: ("black", "-"),
            "last trial": ("#56B4E9", ":"),
            "untrained": ("#888888", ":"),
            "history": ("#CC79A7", "--"),
            "random features": ("#E69F00", "--"),
        }
        for kept, (colour, dash) in looks.items():
            if f"{main} {kept}" in found:
                line(left, found[f"{main} {kept}"], kept, colour, dash)
        shuffled = by_label(rows, "shuffled").get("all", [])
        line(left, shuffled, "shuffled tasks", "#bbbbbb", "-.")
        left.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
        left.set_ylim(-0.1, 1.05)
        left.set(xlabel="trial (the first is 0)", ylabel=f"R² of the {MAIN[main]}")
        if len(result["trials"]) > 1 and result["trials"][0] > 0:
            left.set_xscale("log")
            left.set_xticks(result["trials"], [str(trial) for trial in result["trials"]])
            left.minorticks_off()
        left.legend(
            frameon=False, fontsize=8, ncols=3, loc="upper center", bbox_to_anchor=(0.5, -0.2)
        )
        lost = by_label(rows, "lost")
        ends = {label: each[-1] for label, each in lost.items() if not label.startswith("all")}
        names = [", ".join(label.split()) for label in ends]
        colours = [
            "#aaaaaa" if label.endswith("random") else COLOURS.get(label.split()[0], "black")
            for label in ends
        ]
        if ends:
            dots(right, list(ends.values()), names, colours)
        right.set_xlabel("choice value lost at the last trial")
        taken = "taken out of the store:\ndecoded or random directions"
        right.set_title(taken, loc="left", fontsize=9)
        return figure


def headline(targets: Iterable[str]) -> str | None:
    """The target that is taken out of the stores: the belief, else the expected rewards."""
    return next((name for name in MAIN if name in targets), None)


class _Watch(ABC):
    """What a trial gives to decode from and to decode.

    Args:
        agent: that plays.
        beliefs: of the reference, the first shadow.
        history: of the episodes.
    """

    def __init__(self, agent: Agent, beliefs: Beliefs, history: RawHistory) -> None:
        self.agent, self.beliefs, self.history = agent, beliefs, history

    def __call__(self, trial: Trial) -> None:
        """Follow the episodes; look at the measured trials."""
        n = len(trial.probs)
        self.history.take_in(trial.t, n, trial.last)
        targets = self.beliefs(trial)
        if trial.t in self.history.trials:
            targets["control"] = self.history.control(trial.t)
            if (main := headline(targets)) is not None:
                targets["shuffled"] = self.shuffled(targets[main])
            for name, values in targets.items():
                require_finite(f"{name} at trial {trial.t}", values)
            self.look(trial, self.agent.take_in(trial.shown, trial.stores), targets)

    def shuffled(self, target: Array) -> Array:
        """What a decoder of shuffled tasks is given as the main target [N, Q]."""
        return target

    @abstractmethod
    def look(self, trial: Trial, taken_in: Stores, targets: Mapping[str, Array]) -> None:
        """At a measured trial."""

    def sets(self, trial: Trial, taken_in: Stores) -> dict[str, Stores]:
        """All that is decoded from, by name."""
        found = {**_sets(taken_in), **_sets(trial.stores, BEFORE)}
        if len(trial.shadows) > 1 and n_episodes(trial.shadows[1][1]):
            found["untrained"] = trial.shadows[1][1]
        return {**found, **self.history.baselines(trial.t)}


class _Fit(_Watch):
    """Fits the decoders.

    Attributes:
        decoders: by trial and set.
        removals: of the main target, by trial and set.
        blocks: places of the targets, by trial and name.
        pooled: decoders for all measured trials, by set.
    """

    def __init__(
        self, agent: Agent, beliefs: Beliefs, family: Family, trials: Sequence[int]
    ) -> None:
        start = agent.start(1, np.random.default_rng(_SEED))
        width = min(MOST, Vectors([start]).width) if n_episodes(start) else 1
        super().__init__(agent, beliefs, RawHistory(family, width, trials))
        self.decoders: dict[tuple[int, str], Decoder] = {}
        self.removals: dict[tuple[int, str], tuple[Decoder, Array, list[Array]]] = {}
        self.blocks: dict[int, dict[str, slice]] = {}
        self.pooled: dict[str, Decoder] = {}
        self._kept: list[tuple[dict[str, Stores], Array]] = []

    def shuffled(self, target: Array) -> Array:
        """That of another episode; the decoder is then tried on the right one."""
        return np.roll(target, 1, axis=0)

    def look(self, trial: Trial, taken_in: Stores, targets: Mapping[str, Array]) -> None:
        """Fit the decoders of this trial."""
        t, ends = trial.t, np.cumsum([0, *(y.shape[1] for y in targets.values())])
        blocks = {
            name: slice(int(a), int(b))
            for name, a, b in zip(targets, ends[:-1], ends[1:], strict=True)
        }
        self.blocks[t] = blocks
        y = np.concatenate(list(targets.values()), axis=1)
        sets = self.sets(trial, taken_in)
        made: dict[tuple[int, ...], Decoder] = {}
        for name, stores in sets.items():  # some hold the very same arrays
            same = _identity(stores)
            if same not in made:
                made[same] = Decoder([stores], y[None], blocks)
            self.decoders[t, name] = made[same]
        if (main := headline(targets)) is not None:
            for name, stores in _editable(trial.stores, taken_in).items():
                self._remove(t, name, stores, targets[main])
        short = {
            name: stores
            for name, stores in sets.items()
            if name in SETS and self.decoders[t, name].vectors.width <= POOLED_MOST
        }
        self._kept.append((short, y))

    def _remove(self, t: int, name: str, stores: Stores, target: Array) -> None:
        """Fit what is taken out of a set, and draw the random directions beside it."""
        place = slice(0, target.shape[1])
        decoder = Decoder([stores], target[None], {"main": place})
        read, rng = decoder.read(place), np.random.default_rng([_SEED, t])
        random = [decoder.others(read, rng) for _ in range(DRAWS)]
        self.removals[t, name] = decoder, read, [each for each in random if each.size]

    def pool(self) -> None:
        """Fit one decoder for all trials at which there is the same to decode, by set."""
        last = self.history.trials[-1]
        alike = [t for t in self.history.trials if self.blocks[t] == self.blocks[last]]
        kept = dict(zip(self.history.trials, self._kept, strict=True))
        for name in kept[last][0] if len(alike) > 1 else ():
            sample = [kept[t][0][name] for t in alike]
            y = np.stack([kept[t][1] for t in alike])
            self.pooled[name] = Decoder(sample, y, self.blocks[last])
        self.alike = {t: at for at, t in enumerate(alike)}
        self._kept = []


class _Score(_Watch):
    """Applies the decoders to other episodes.

    Attributes:
        found: by what is measured, columns [C, N] of the episodes, see :func:`_tables`.
        nested: summed squared errors [M] of the main target, by trial and set, with the
            first principal directions alone.
    """

    def __init__(self, agent: Agent, beliefs: Beliefs, fit: _Fit) -> None:
        history = fit.history
        super().__init__(agent, beliefs, history.anew())
        self.fit = fit
        self.found: dict[tuple[str, ...], Array] = {}
        self.nested: dict[tuple[int, str], Array] = {}

    def look(self, trial: Trial, taken_in: Stores, targets: Mapping[str, Array]) -> None:
        """Errors of the decoders of this trial, and the choices from edited stores."""
        t, fit = trial.t, self.fit
        blocks = fit.blocks[t]
        y = np.concatenate(list(targets.values()), axis=1)
        made: dict[tuple[int, ...], dict[str, Array]] = {}
        for name, stores in self.sets(trial, taken_in).items():
            decoder, same = fit.decoders[t, name], _identity(stores)
            if same not in made:
                made[same] = decoder.errors(stores, y, blocks)
            errors = made[same]
            for target in blocks:
                if target in TARGETS:
                    self.found["decoded", target, name, str(t)] = errors[target]
            if (main := headline(blocks)) is not None:
                both = np.concatenate([errors[main], errors["control"]])
                self.found["selectivity", name, str(t)] = both
                self.found["shuffled", name, str(t)] = errors["shuffled"]
                if name in SETS or name.removesuffix(BEFORE) in SETS:
                    self.nested[t, name] = decoder.nested(stores, y, blocks[main])
            if name in fit.pooled and t in fit.alike:
                at = fit.alike[t]
                pooled = fit.pooled[name].errors(stores, y, blocks, at)
                for target in (each for each in blocks if each in TARGETS):
                    key = ("pooled", target, name)
                    self.found[key] = self.found.get(key, 0.0) + pooled[target]
        self._take_out(trial, taken_in)

    def _take_out(self, trial: Trial, taken_in: Stores) -> None:
        """Value of the choice as it is, with the decoded and with random directions taken out."""
        worth = trial.privileged_value
        bounds = choice_bounds(worth)
        value = (trial.probs * worth).sum(axis=1)
        for name, stores in _editable(trial.stores, taken_in).items():
            if (trial.t, name) not in self.fit.removals:
                continue
            decoder, read, random = self.fit.removals[trial.t, name]
            edited = [decoder.without(stores, read, instead) for instead in (None, *random)]
            values = [
                (self._choice(trial, taken_in, name, each) * worth).sum(axis=1) for each in edited
            ]
            random = [np.mean(values[1:], axis=0)] if len(values) > 1 else []
            columns = [value, values[0], *random, *bounds]
            self.found["lost", name, str(trial.t)] = np.stack(columns)

    def _choice(self, trial: Trial, taken_in: Stores, name: str, edited: Stores) -> Array:
        """Action probabilities with a part of the stores edited, [N, K]."""
        if name == FEATURES:
            return read_out(self.agent, trial.t, trial.shown, taken_in.updated(edited))
        return act(self.agent, trial.t, trial.shown, trial.stores.updated(edited))[0]


def _sets(stores: Stores, suffix: str = "") -> dict[str, Stores]:
    """Each store by name, what the read-out reads apart, and all together; no empty one."""
    found: dict[str, Stores] = {}
    for name in STORES:
        store = dict(getattr(stores, name))
        features = store.pop(FEATURES, None)
        if store:
            found[name + suffix] = Stores(**{name: store})
        if features is not None:
            found[FEATURES + suffix] = Stores(**{name: {FEATURES: features}})
    return {**found, "all" + suffix: stores} if found else {}


def _identity(stores: Stores) -> tuple[int, ...]:
    """Equal for stores of the same arrays."""
    return tuple(id(array) for store in STORES for array in getattr(stores, store).values())


def _editable(before: Stores, taken_in: Stores) -> dict[str, Stores]:
    """The real numbers of each set: of stores before the forward pass, of features after it."""
    after, found = _sets(taken_in), _sets(before)
    if FEATURES in after:
        found[FEATURES] = after[FEATURES]
    real: dict[str, Stores] = {}
    for name, stores in found.items():
        numbers = {
            store: {k: a for k, a in getattr(stores, store).items() if a.dtype.kind == "f"}
            for store in STORES
        }
        each = Stores(**numbers)
        if n_episodes(each) and _identity(each) not in map(_identity, real.values()):
            real[name] = each
    return real


def _by_set(found: Mapping[tuple[int, str], Any], trials: Sequence[int]) -> dict[str, list[Any]]:
    """Numbers by trial and set as lists over the trials, by set."""
    names = dict.fromkeys(name for _, name in found)
    return {name: [found.get((t, name)) for t in trials] for name in names}


def _tables(sums: Mapping[tuple[str, ...], Sample], trials: Sequence[int]) -> Result:
    """Means and standard errors by quantity, then by label, in lists over the trials."""
    result: Result = {}
    for key, sample in sums.items():
        quantity, *labels = key
        if quantity == "lost":
            name, t = labels
            for of, (mean, error) in zip(("decoded", "random"), _lost(sample), strict=True):
                _put(result, [quantity, name, of], trials.index(int(t)), len(trials), mean, error)
        elif quantity == "pooled":
            mean, error = _r2(sample)
            _put(result, [quantity, *labels], None, 0, mean, error)
        else:
            *names, t = labels
            mean, error = _r2(sample)
            _put(result, [quantity, *names], trials.index(int(t)), len(trials), mean, error)
    return result


def _put(
    result: Result,
    path: Sequence[str],
    at: int | None,
    length: int,
    mean: float | None,
    error: float | None,
) -> None:
    """Write a number and its standard error at the end of a path of keys."""
    for first, value in ((path[0], mean), (f"{path[0]}_se", error)):
        inside = result.setdefault(first, {})
        for key in path[1:-1]:
            inside = inside.setdefault(key, {})
        if at is None:
            inside[path[-1]] = value
        else:
            inside.setdefault(path[-1], [None] * length)[at] = value


def _r2(sample: Sample) -> tuple[float | None, float | None]:
    """R² of columns (squared error, that of the mean), less a second R² if there are four."""
    columns = sample.columns
    value, deviation = 0.0, np.zeros(columns.shape[-1])
    for sign, (error, whole) in zip(
        (1.0, -1.0), columns.reshape(-1, 2, columns.shape[-1]), strict=False
    ):
        if whole.mean() <= NO_GAP**2:
            return None, None
        ratio = error.mean() / whole.mean()
        value += sign * (1.0 - ratio)
        deviation = deviation - sign * (error - ratio * whole) / whole.mean()
    return number(value), number(float(sample.standard_error(deviation)))


def _lost(sample: Sample) -> list[tuple[float | None, float | None]]:
    """Choice value lost with the decoded directions taken out, and with random others."""
    value, *without, chance, best = sample.columns
    gap = (best - chance).mean()
    if gap <= NO_GAP:
        return [(None, None)] * 2
    found: list[tuple[float | None, float | None]] = []
    for edited in without:
        mean = (value - edited).mean() / gap
        deviation = (value - edited - mean * (best - chance)) / gap
        found.append((number(mean), number(float(sample.standard_error(deviation)))))
    return [*found, (None, None)][:2]  # there may be no other directions
