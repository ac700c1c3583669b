"""Whether computing longer on the same evidence makes the choice better."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from metalocus.agents.agent import STORES, Agent, Array, Stores, best_arms, one_hot, spread
from metalocus.agents.rollout import TUNING_SEED, Trial, act, fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.envs.checks import require_count
from metalocus.experiments.instruments.vectors import Vectors
from metalocus.experiments.probes.base import NO_CHOICE, Probe, Result
from metalocus.experiments.probes.figures import LINES, NARROW, by_label, column, dots
from metalocus.experiments.probes.rows import REACH, Row
from metalocus.experiments.scoring.chunks import Chunk, Chunks
from metalocus.experiments.scoring.curves import choice_value, number
from metalocus.experiments.scoring.sample import Sample

TICKS = 8
"""Acts on one observation: enough to see a plan of ten steps almost whole."""
TRIALS = 12
"""Trials at which the observation is repeated, evenly over the episode and not the first."""
CLOCK_EPISODES = 16
"""Played to find clocks: what changes alike in so many episodes is no evidence."""
LEAST = 0.005
"""Change of the choice value that is called one."""
FITTED = 400
"""Episodes, half of them to fit decoders and half to try them: as many as 200 choices need."""
PENALTY = 1.0
"""Of the decoders' weights, for vectors whose numbers have unit spread."""
CHOICES = ("most probable", "sampled")
READINGS = ("held", "running")
"""Clocks are put back after every act, or run on."""
SWAPS = ("to the other action's", "within the same action's")
Clocks = Mapping[tuple[str, str], Array]
"""Flags [...] of the numbers of an array of the stores that are clocks, by store and key."""
ROUNDING = 1e-6
"""Of a change, relative: that of a clock in single precision which has counted to ten."""
OFTEN = 2
"""Measured trials at which a number must look like a clock; at one it may do so by chance."""


class Ponder(Probe):
    """Runs an agent's act k times on one observation before the choice counts.

    See docs/probes/ponder.md for the method, sources and controls.

    Args:
        ticks: acts on an observation, at least 2.
    """

    name: ClassVar[str] = "ponder"
    question: ClassVar[str] = "does computing longer on equal evidence make its choice better?"
    quantities: ClassVar[dict[str, str]] = {
        "gain": "choice value gained by repeating the observation",
        "gain_by_acts": "choice value gained over one act, by acts on the observation",
        "most_probable": "choice value of the most probable action, by acts on the observation",
        "sampled": "choice value of an action drawn from its probabilities",
        "decoded": "accuracy of the next trial's action, decoded from the stores",
        "swapped": "probability that moves to another action when the decoded one is swapped",
        "changed": "change of the probabilities by repeating (0 none, 1 all)",
    }
    shown: ClassVar[int] = 6

    def __init__(self, ticks: int = TICKS) -> None:
        self.ticks = require_count("ticks", ticks, 2)

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """Values are of all measured trials together; decoders are of the one in the middle."""
        clocks = _clocks(agent, chunks.setting)
        sample = Sample()
        for chunk in chunks:
            sample.add(self._values(agent, chunk, clocks))
        first = Chunk(chunks.setting, chunks.seed, 0, min(FITTED, chunks.n))
        return self._summary(sample) | self._decoded(agent, first, clocks)

    def _values(self, agent: Agent, chunk: Chunk, clocks: Clocks) -> Array:
        """Sums over measured trials, [2 + 1 + 4 K, N]: chance, best, change, and by reading."""
        found, trials = np.zeros((3 + 4 * self.ticks, chunk.n)), _trials(chunk.setting)

        def observe(trial: Trial) -> None:
            if trial.t not in trials:
                return
            value = trial.privileged_value
            found[0] += value.mean(axis=1)
            found[1] += value.max(axis=1)
            place = 3
            for reading in READINGS:
                ticks = _ticks(agent, trial, self.ticks, clocks if reading == "held" else {})
                every = [probs for probs, _ in ticks]
                for probs in every:
                    found[place] += (spread(best_arms(probs)) * value).sum(axis=1)
                    found[place + 1] += (probs * value).sum(axis=1)
                    place += 2
                if reading == "held":
                    found[2] += 0.5 * np.abs(every[-1] - every[0]).sum(axis=1) / len(trials)

        rollout(agent, chunk.episodes(), chunk.start_seed, observe=observe)
        return found

    def _summary(self, sample: Sample) -> Result:
        """Choice values by ticks, and what the last gains over the first."""
        chance, best, changed = sample.columns[:3]
        values = sample.columns[3:].reshape(2, self.ticks, 2, -1)
        result: Result = {
            "changed": float(changed.mean()),
            "changed_se": float(sample.standard_error(changed)),
        }

        def put(quantity: str, label: str, value: Array) -> None:
            mean, deviation = choice_value(value[None], chance[None], best[None])
            result.setdefault(quantity, {})[label] = number(mean[0])
            error = number(sample.standard_error(deviation)[0])
            result.setdefault(f"{quantity}_se", {})[label] = error

        for choice, kind in enumerate(("most_probable", "sampled")):
            for reading, by_tick in zip(READINGS, values, strict=True):
                label, first = f"{CHOICES[choice]}, clock {reading}", by_tick[0, choice]
                for tick, value in enumerate(by_tick[:, choice], start=1):
                    put(kind, f"{_acts(tick)}, clock {reading}", value)
                    put("gain_by_acts", f"{label}, {_acts(tick)}", value - first + chance)
                put("gain", label, by_tick[-1, choice] - first + chance)
        return result

    def _decoded(self, agent: Agent, chunk: Chunk, clocks: Clocks) -> Result:
        """What the stores tell of the next action by tick, and what swapping it does."""
        at = [t for t in _trials(chunk.setting) if t < chunk.setting.family.horizon - 1]
        if not at:
            return {}
        middle, seen = at[len(at) // 2], list[Trial]()

        def observe(trial: Trial) -> None:
            if trial.t == middle:
                seen.append(trial)

        trace = rollout(agent, chunk.episodes(), chunk.start_seed, observe=observe)
        ticks = _ticks(agent, seen[0], self.ticks, clocks)
        chosen = one_hot(trace.action[middle], chunk.setting.family.n_arms)
        told = {"this trial alone": np.concatenate([seen[0].stimulus, chosen], axis=1)}
        beside = told["this trial alone"]
        for tick, (_, stores) in enumerate(ticks, start=1):
            told[_acts(tick)] = np.concatenate([_vectors(stores, chunk.n), beside], axis=1)
        result: Result = {"decoded": {}, "decoded_se": {}}
        for label, features in told.items():
            right = _right(features, one_hot(trace.action[middle + 1], chosen.shape[1]))
            result["decoded"][label] = float(right.mean())
            result["decoded_se"][label] = float(right.std() / np.sqrt(len(right)))
        u = chunk.episodes().crn.uniform("swap", 0, np.arange(3)[None])
        return result | _swapped(agent, seen[0], ticks[-1], u)

    def sentence(self, result: Result) -> str:
        """The gain of the most probable action, the clock held."""
        gains = [self.row(result, "gain", f"{kind}, clock held") for kind in CHOICES]
        if gains[0].value is None:
            return NO_CHOICE
        helps = "does not make its choice better"
        if all((gain.low or 0.0) > LEAST for gain in gains):
            helps = "makes its choice better"
        elif all((gain.high or 0.0) < -LEAST for gain in gains):
            helps = "makes its choice worse"
        changed, times = self.row(result, "changed"), list(result["most_probable"])[-1].split()[0]
        return (
            f"Acting {times} times on an observation {helps}: with the clock held the choice value"
            f" of its most probable action changes by {gains[0]}, that of its choice by"
            f" {gains[1]}, and its probabilities move by {changed}."
        )

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """Choice value by acts, the next action decoded by acts, and what swapping it does."""
        rows = self.rows(result)
        left, middle, right = figure.subplots(1, 3, width_ratios=[1.3, 1.0, 1.0])
        _draw_values(left, rows)
        _draw_decoded(middle, by_label(rows, "decoded"))
        swapped = by_label(rows, "swapped")
        if swapped:
            names = [textwrap.fill(label, 14) for label in swapped]
            dots(right, [each[0] for each in swapped.values()], names, [LINES[1][0], LINES[7][0]])
            right.set_xlabel("probability gained by\nthe other action")
        else:
            right.set_visible(False)
        return figure


def _draw_values(ax: Axes, rows: Sequence[Row]) -> None:
    """What is gained over one act, by acts."""
    labels = by_label(rows, "gain_by_acts")
    for i, kind in enumerate(CHOICES):
        for reading, dash in zip(READINGS, ("-", ":"), strict=True):
            name = f"{kind}, clock {reading}"
            found = [each[0] for label, each in labels.items() if label.startswith(f"{name}, ")]
            values, errors = column(found, "value", "se")
            bars: dict[str, Any] = {"color": LINES[1 + i][0], "ls": dash, "ms": 3, "capsize": 2}
            acts = np.arange(1, len(found) + 1) + 0.08 * (i - 0.5)
            ax.errorbar(acts, values, REACH * errors, fmt="o", label=name, **bars)
    low, high = ax.get_ylim()
    low, high = min(-NARROW / 5, low), max(NARROW / 5, high)
    ax.set_ylim(low, high + 0.35 * (high - low))
    ax.axhline(0, color="#bbbbbb", lw=0.8, zorder=0)
    ax.set(xlabel="acts on the observation", ylabel="choice value gained\nover one act")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=7.5, loc="upper left")


def _draw_decoded(ax: Axes, decoded: Mapping[str, list[Row]]) -> None:
    """Accuracy of the next trial's action, by acts; nothing if there is none."""
    if not decoded:
        ax.set_visible(False)
        return
    alone, *after = (each[0] for each in decoded.values())
    values, errors = column(after, "value", "se")
    acts = range(1, len(after) + 1)
    bars: dict[str, Any] = {"color": LINES[3][0], "ms": 3, "capsize": 2}
    ax.errorbar(acts, values, REACH * errors, fmt="o-", label="from the stores too", **bars)
    ax.axhline(alone.value or 0.0, color="#888888", ls=":", label=alone.label)
    ax.set(xlabel="acts on the observation", ylim=(0.0, 1.05))
    ax.set_ylabel("accuracy of decoding\nthe next trial's action")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.legend(frameon=False, fontsize=7.5, loc="lower right")


def _ticks(agent: Agent, trial: Trial, n: int, clocks: Clocks) -> list[tuple[Array, Stores]]:
    """Probabilities [N, K] and stores after each of n acts on a trial's observation.

    Args:
        agent: acts, without learning between.
        trial: gives the observation, and the stores before the first act.
        n: acts.
        clocks: numbers of the stores that are put back after every act.
    """

    def put_back(store: str, key: str, array: Array) -> Array:
        if (store, key) not in clocks:
            return array
        return np.where(clocks[store, key], getattr(trial.stores, store)[key], array)

    stores, found = trial.stores, []
    for _ in range(n):
        probs, after = act(agent, trial.t, trial.shown, stores)
        stores = after.map(put_back)
        found.append((probs, stores))
    return found


def _trials(setting: Setting) -> list[int]:
    """The trials at which an observation is repeated."""
    last = setting.family.horizon - 1
    trials: list[int] = np.unique(np.linspace(0, last, TRIALS).round().astype(int)).tolist()
    return trials[1:] if last else trials


def _clocks(agent: Agent, setting: Setting) -> Clocks:
    """The clocks in an agent's stores, found on episodes that are not measured.

    They are the numbers that an act changes by the same amount in all episodes, wherever each
    began: such a change tells of no evidence.
    """
    trials, times = _trials(setting), dict[tuple[str, str], Array]()

    def observe(trial: Trial) -> None:
        if trial.t not in trials:
            return
        _, after = act(agent, trial.t, trial.shown, trial.stores)
        for store in STORES:
            for key, new in getattr(after, store).items():
                old = getattr(trial.stores, store).get(key, new)
                if old is not new and old.shape == new.shape:
                    change = new.astype(np.float64) - old
                    same = np.isclose(change, change[:1], rtol=ROUNDING, atol=0.0).all(axis=0)
                    times[store, key] = times.get((store, key), 0) + (same & (change[0] != 0.0))

    rollout(agent, fresh_episodes(setting, CLOCK_EPISODES, TUNING_SEED), observe=observe)
    often = min(OFTEN, len(trials))
    return {name: found >= often for name, found in times.items() if (found >= often).any()}


def _right(features: Array, classes: Array) -> Array:
    """Whether a class is decoded, for every other row; the decoder is fitted to the rest.

    Ridge regression on the classes' indicators, in its dual form: as many equations as rows are
    fitted, however wide the features.

    Args:
        features: [N, D].
        classes: one-hot [N, K].
    """
    x = np.concatenate([features, np.ones((len(features), 1))], axis=1).astype(np.float64)
    fit, tried = x[::2], x[1::2]
    weights = np.linalg.solve(fit @ fit.T + PENALTY * np.eye(len(fit)), classes[::2])
    decoded = (tried @ fit.T @ weights).argmax(axis=1)
    right: Array = decoded == classes[1::2].argmax(axis=1)
    return right


def _swapped(agent: Agent, trial: Trial, last: tuple[Array, Stores], u: Array) -> Result:
    """Probability gained by an action when the stores are moved from another's to its own.

    The stores are moved by the difference between their means over the episodes in which either
    action is the most probable, found on every other episode and tried on the rest. The control
    moves them as far along the line between two episodes that have the same most probable action.

    Args:
        agent: acts once more after the move.
        trial: gives the observation.
        last: probabilities [N, K] and stores of the act before.
        u: chance, [N, 3].
    """
    probs, stores = last
    if not _hold_anything(stores):
        return {}
    vectors = Vectors([stores])
    x, chosen = vectors.of(stores), probs.argmax(axis=1)
    groups = {a: np.flatnonzero(chosen[::2] == a) * 2 for a in range(probs.shape[1])}
    groups = {a: rows for a, rows in groups.items() if len(rows) > 1}
    tried = np.flatnonzero(np.isin(chosen, list(groups)) & (np.arange(len(x)) % 2 == 1))
    if len(groups) < 2 or len(tried) < 2:
        return {}
    to, moved = chosen.copy(), {label: x.copy() for label in SWAPS}
    for row in tried:
        to[row], *steps = _moves(x, groups, chosen[row], u[row])
        for at, step in zip(moved.values(), steps, strict=True):
            at[row] += step
    plain = act(agent, trial.t, trial.shown, stores)[0]
    result: Result = {"swapped": {}, "swapped_se": {}}
    for label, at in moved.items():
        after = act(agent, trial.t, trial.shown, vectors.back(at, stores))[0]
        change = (after - plain)[tried, to[tried]]
        result["swapped"][label] = float(change.mean())
        result["swapped_se"][label] = float(change.std() / np.sqrt(len(change)))
    return result


def _moves(x: Array, groups: Mapping[int, Array], own: int, u: Array) -> tuple[int, Array, Array]:
    """Another action, the move [D] to its group, and one as long within the own group.

    Args:
        x: vectors [N, D].
        groups: rows of every action's group.
        own: action.
        u: chance, [3].
    """
    others, rows = [a for a in groups if a != own], groups[own]
    other = others[int(u[0] * len(others))]
    step = x[groups[other]].mean(axis=0) - x[rows].mean(axis=0)
    first = int(u[1] * len(rows))
    second = (first + 1 + int(u[2] * (len(rows) - 1))) % len(rows)
    between = x[rows[second]] - x[rows[first]]
    length = np.linalg.norm(between)
    return other, step, between * (np.linalg.norm(step) / length if length else 0.0)


def _vectors(stores: Stores, n: int) -> Array:
    """The stores of n episodes as vectors, [n, D]; of no numbers if they hold nothing."""
    return Vectors([stores]).of(stores) if _hold_anything(stores) else np.empty((n, 0))


def _hold_anything(stores: Stores) -> bool:
    return any(getattr(stores, store) for store in STORES)


def _acts(n: int) -> str:
    return f"{n} act{'' if n == 1 else 's'}"
