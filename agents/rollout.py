"""Playing episodes: an agent on a family, with interventions on its stores.

Two agents play the same episodes under common random numbers: the same tasks, the same rewards for
the same actions, and the same actions from equal probabilities.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import STORES, Agent, NonFinite, Stores
from metalocus.envs import Episodes, Family, Setting
from metalocus.envs.checks import require
from metalocus.envs.common_random_numbers import CommonRandomNumbers, Keys, seed_keys
from metalocus.envs.family import MOST_BYTES

Array = NDArray[Any]
Intervention = Callable[[int, Stores], Stores]
Observer = Callable[["Trial"], None]
TUNING_SEED = 10_000
"""Episodes of the seeds from here to twice as far are for tuning; no report uses them."""
TOLERANCE = 1e-3
"""How far probabilities may sum from 1; in single precision a thousand actions err by 1e-4."""


@dataclass(frozen=True)
class Transition:
    """What happened in one trial of N episodes.

    Attributes:
        stimulus: shown, [N, S].
        action: chosen, [N].
        reward: received, [N].
    """

    stimulus: Array
    action: Array
    reward: Array


@dataclass(frozen=True)
class Trial:
    """One trial of N episodes, as an observer sees it before the action is taken.

    Attributes:
        t: trial number, the same in all episodes.
        last: what happened in the trial before; None at the first.
        stimulus: [N, S].
        shown: what the agent sees: the stimulus [N, S], or the privileged value [N, K] if it is
            omniscient.
        stores: what the agent is about to read, arrays [N, ...].
        probs: its action probabilities, [N, K].
        privileged_value: what each action is worth to one who knows the task, [N, K].
        shadows: for each shadowing agent, which has seen the same history, its action
            probabilities [N, K] and its stores after the act.
    """

    t: int
    last: Transition | None
    stimulus: Array
    shown: Array
    stores: Stores
    probs: Array
    privileged_value: Array
    shadows: tuple[tuple[Array, Stores], ...]


@dataclass(frozen=True)
class Trace:
    """What happened in N episodes of T trials with K actions.

    Attributes:
        action: chosen, [T, N].
        reward: received, [T, N].
        probs: action probabilities, [T, N, K].
        means: true expected reward of each action, [T, N, K].
        privileged_value: what each action is worth to one who knows the task, what it leads to
            included, [T, N, K].
        start: stores at the episodes' start, arrays [N, ...].
        end: stores after the last transition, arrays [N, ...].
    """

    action: Array
    reward: Array
    probs: Array
    means: Array
    privileged_value: Array
    start: Stores
    end: Stores

    @property
    def value(self) -> Array:
        """Expected reward of the choice, over the policy and the true means, [T, N]."""
        value: Array = (self.probs * self.means).sum(axis=2)
        return value

    @property
    def total(self) -> Array:
        """Return of each episode, the sum of its rewards, [N]."""
        total: Array = self.reward.sum(axis=0)
        return total


def fresh_episodes(setting: Setting, n: int, seed: int, *, first: int = 0) -> Episodes:
    """Evaluation episodes of a setting from number ``first`` on, each the same for any n."""
    return setting.episodes(fresh_keys(n, seed, first))


def fresh_keys(n: int, seed: int, first: int = 0) -> Keys:
    """Keys [N] of the evaluation episodes of a seed."""
    return CommonRandomNumbers(seed_keys(seed, 1)).bits(
        "episode", index=np.arange(first, first + n)
    )


def rollout(
    agent: Agent,
    episodes: Episodes,
    seed: int = 0,
    *,
    greedy: bool = False,
    intervene: Intervention | None = None,
    shadows: Sequence[Agent] = (),
    observe: Observer | None = None,
) -> Trace:
    """Play every row of ``episodes`` to its end.

    Args:
        agent: plays.
        episodes: at their first trial.
        seed: of what the agents themselves draw at the start.
        greedy: take the most probable action instead of sampling.
        intervene: called before each act with the trial number and the stores; returns the
            stores that the agent reads instead.
        shadows: agents that take in the same transitions without acting; none omniscient.
        observe: called at every trial, before the action is taken.

    Raises:
        NonFinite: an agent's stores hold NaN, its probabilities are no distribution, or a
            stimulus or reward is not finite.
        InvalidTask: what is returned would take more memory than ``MOST_BYTES``.
    """
    _require_room(len(episodes), episodes.family)
    size = episodes.family.horizon, len(episodes)
    actions, rewards = np.empty(size, dtype=np.int64), np.empty(size)
    probs, means, privileged = (_by_action(*size, episodes.family.n_arms) for _ in range(3))
    stores = start = agent.start(len(episodes), np.random.default_rng(seed))
    shadow_stores = [shadow.start(len(episodes), np.random.default_rng(seed)) for shadow in shadows]
    last: Transition | None = None
    for t in range(size[0]):
        stimulus = episodes.stimulus()
        _require_finite("stimulus", stimulus, t)
        means[t], privileged[t] = episodes.means(), episodes.privileged_value()
        shown = privileged[t] if agent.omniscient else stimulus
        if intervene is not None:
            stores = intervene(t, stores)
        probs[t], after = act(agent, t, shown, stores)
        shadow_acts = tuple(
            act(shadow, t, stimulus, before)
            for shadow, before in zip(shadows, shadow_stores, strict=True)
        )
        if observe is not None:
            observe(Trial(t, last, stimulus, shown, stores, probs[t], privileged[t], shadow_acts))
        actions[t] = choose(probs[t], episodes.crn.uniform("policy", t), greedy)
        rewards[t], _ = episodes.step(actions[t])
        _require_finite("reward", rewards[t], t)
        stores = agent.learn(after, shown, actions[t], rewards[t])
        last = Transition(stimulus, actions[t], rewards[t])
        shadow_stores = [
            shadow.learn(acted, stimulus, actions[t], rewards[t])
            for shadow, (_, acted) in zip(shadows, shadow_acts, strict=True)
        ]
    return Trace(actions, rewards, probs, means, privileged, start, stores)


def _by_action(t: int, n: int, k: int) -> Array:
    """An array [T, N, K], by action in memory: NumPy is slow to sum over a short last axis."""
    return np.empty((t, k, n)).transpose(0, 2, 1)


def _require_room(n: int, family: Family) -> None:
    """Raise :class:`InvalidTask` if the arrays of a :class:`Trace` would take too much memory."""
    numbers_a_trial = 2 + 3 * family.n_arms  # action, reward; probabilities, means, values
    needed = 8 * n * family.horizon * numbers_a_trial
    require(
        needed <= MOST_BYTES,
        f"what happens in {n:,} episodes of {family.horizon:,} trials would take {needed:,} bytes,"
        f" the limit is {MOST_BYTES:,}; use fewer trials, arms or episodes",
    )


def choose(probs: Array, u: Array, greedy: bool = False) -> Array:
    """Actions [N] from probabilities [N, K]: the most probable, or by inversion of u [N]."""
    chosen: Array
    if greedy:
        chosen = probs.argmax(axis=1)
    else:
        cumulative = np.cumsum(probs, axis=1)
        chosen = (u[:, None] * cumulative[:, -1:] >= cumulative[:, :-1]).sum(axis=1)
    return chosen


def act(agent: Agent, t: int, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
    """:meth:`Agent.act` at trial t, with what it reads and what it gives checked.

    Raises:
        NonFinite: a store holds NaN, or the probabilities are no distribution.
    """
    who = f"{type(agent).__name__}, trial {t}"
    _require_numbers(who, stores, agent.spreads_nan)
    probs, after = agent.act(stimulus, stores)
    try:
        _require_distributions(who, probs)
    except NonFinite:
        _require_numbers(who, stores)  # the cause, if it is in what was not searched
        raise
    return probs, after


def read_out(agent: Agent, t: int, stimulus: Array, taken_in: Stores) -> Array:
    """:meth:`Agent.read_out` at trial t, checked in the same way."""
    who = f"{type(agent).__name__}, trial {t}"
    _require_numbers(who, taken_in)
    probs = agent.read_out(stimulus, taken_in)
    _require_distributions(who, probs)
    return probs


def _require_numbers(who: str, stores: Stores, but: frozenset[str] = frozenset()) -> None:
    """Raise :class:`NonFinite` if a store holds NaN, in other arrays than those named."""
    for store in STORES:
        for key, array in getattr(stores, store).items():
            if array.dtype.kind != "f" or not array.size or key in but:
                continue
            # the least of them is NaN if any is, and takes no array of flags to find
            if np.isnan(array.min()):
                row = _first(np.isnan(array))
                raise NonFinite(f"{who}, episode {row}: the {store} {key!r} is not a number")


def _require_distributions(who: str, probs: Array) -> None:
    """Raise :class:`NonFinite` unless every row of probabilities [N, K] is a distribution."""
    off = np.abs(probs.sum(axis=1) - 1.0)
    if probs.min() >= 0.0 and off.max() <= TOLERANCE:  # no array of flags; neither if any is NaN
        return
    fine = (probs >= 0.0).all(axis=1) & (off <= TOLERANCE)
    if not fine.all():
        row = _first(~fine)
        raise NonFinite(
            f"{who}, episode {row}: the action probabilities {probs[row].tolist()} "
            "are not finite, or no distribution"
        )


def _require_finite(what: str, array: Array, t: int) -> None:
    """Raise :class:`NonFinite` unless all numbers of an array [N, ...] are finite at trial t."""
    finite = np.isfinite(array)
    if not finite.all():
        raise NonFinite(f"the {what} of episode {_first(~finite)} at trial {t} is not finite")


def _first(flags: Array) -> int:
    """First row of flags [N, ...] that has a True."""
    return int(flags.reshape(len(flags), -1).any(axis=1).argmax())
