"""What is put in place of stores, and when: the named interventions that all probes share.

A lesion takes something away only if something else is put in its place, and a share in what was
learned may change with what that is. So every kind has a name, and numbers are shown under each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from metalocus.agents.agent import STORES, Agent, Array, Stores
from metalocus.agents.replicas.agent import REPLICA
from metalocus.agents.rollout import Transition
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.experiments.scoring.chunks import Chunks

CUTS = {
    "before": "before the forward pass, the last action and reward being context",
    "after": "after the forward pass has taken them in, only the choice being left",
}
"""The moments within a trial at which stores can be replaced."""


@dataclass(frozen=True)
class Moment:
    """N episodes at one moment of a trial, at which stores may be replaced.

    Attributes:
        t: trial number.
        stores: of the episodes as they are, arrays [N, ...].
        start: at the same moment of the first trial.
        earlier: at the same moment of trial ``t // 2``.
        last: what happened in the trial before; None at the first.
        crn: chance of the episodes, [N].
        typical: the mean over other episodes at the same moment, arrays [1, ...]; see
            :func:`averaged`. Empty if there are none.
    """

    t: int
    stores: Stores
    start: Stores
    earlier: Stores
    last: Transition | None
    crn: CommonRandomNumbers
    typical: Stores = field(default_factory=Stores)


Replacement = Callable[[Moment], Stores]
"""Gives the stores, arrays [N, ...], that some of an episode's own are replaced by."""


def reset(moment: Moment) -> Stores:
    """Those of the episode's start."""
    return moment.start


def mean(moment: Moment) -> Stores:
    """The mean over other episodes, none of which is measured.

    The mean over the measured ones leans to the arms that are better in these.
    """
    return moment.typical.rows(np.zeros(len(moment.crn), dtype=np.int64))


def resample(moment: Moment) -> Stores:
    """Those of another episode at the same trial, one donor for all that is replaced."""
    return moment.stores.rows(donors_of(moment))


def matched(moment: Moment) -> Stores:
    """Those of another episode that has the same stimulus, action and reward just behind it.

    An episode that is alone in this keeps its own; :func:`n_matched` says how many have a donor.
    """
    return moment.stores.rows(donors_of(moment, match=True))


def rollback(moment: Moment) -> Stores:
    """Its own of an earlier trial, that of half the number."""
    return moment.earlier


REPLACEMENTS: Mapping[str, Replacement] = {
    "resample": resample,
    "reset": reset,
    "mean": mean,
    "matched": matched,
    "rollback": rollback,
}
"""Every replacement by name, the one that headlines show first."""
FORCED = "forced"
"""As ``matched``, after a last action drawn uniformly at random, so that it tells nothing."""
KINDS = {
    "resample": "another episode's, same trial",
    "reset": "the episode's start",
    "mean": "the mean over other episodes",
    "matched": "another episode's with the same last stimulus, action and reward",
    FORCED: "the same, the last action drawn at random",
    "rollback": "its own of half the trials ago",
}
"""Every kind of intervention, with what is put in place."""
MOST_ALONE = 0.05
"""If more of the episodes have no match, as where rewards are continuous, there is no number."""


BLOCKING = ("resample", "reset")
"""The kinds that keep a store from carrying anything when they replace it before every act."""


def held(agent: Agent, chunks: Chunks) -> list[str]:
    """The stores in which an agent carries anything."""
    start = agent.start(1, np.random.default_rng(chunks.seed))
    return [store for store in STORES if getattr(start, store)]


class EveryTrial:
    """Intervention for :func:`~metalocus.agents.rollout.rollout`: a replacement before every act.

    Args:
        kind: one of :data:`BLOCKING`.
        names: of the stores that are replaced.
        crn: chance of the episodes.
    """

    def __init__(self, kind: str, names: Iterable[str], crn: CommonRandomNumbers) -> None:
        self.replace, self.names, self.crn = REPLACEMENTS[kind], tuple(names), crn
        self.start = Stores()

    def __call__(self, t: int, stores: Stores) -> Stores:
        """Stores to read at trial t; the first trial shows what the start was."""
        if t == 0:
            self.start = stores
        if not self.names:
            return stores
        moment = Moment(t, self._needed(stores), self.start, self.start, None, self.crn)
        return stores.restore(self.replace(moment), self.names)

    def _needed(self, stores: Stores) -> Stores:
        """What is replaced, and which episodes are of one replica: all else need not be copied."""
        needed = Stores(**{name: getattr(stores, name) for name in self.names})
        replica = {key: each for key, each in stores.weights.items() if key == REPLICA}
        return needed.updated(Stores(weights=replica))


def averaged(stores: Stores) -> Stores:
    """The mean over episodes, arrays [1, ...]; of what are no real numbers the most frequent."""

    def middle(_store: str, _key: str, array: Array) -> Array:
        if array.dtype.kind == "f":
            found: Array = array.mean(axis=0, keepdims=True)
            return found
        from scipy.stats import mode  # a slow import, needed here alone

        whole = array.astype(np.int64) if array.dtype.kind == "b" else array
        found = mode(whole, axis=0, keepdims=True).mode.astype(array.dtype)
        return found

    return stores.map(middle)


def n_matched(last: Transition | None, n: int) -> int:
    """How many of n episodes have a donor with the same last stimulus, action and reward."""
    _, sizes = np.unique(_kinds(last, n), return_counts=True)
    return int(sizes[sizes > 1].sum())


def donors_of(moment: Moment, match: bool = False) -> Array:
    """For every episode the one whose stores it is given, [N], of all or of those that match.

    Episodes of replicas, networks with weights of their own, exchange with those of the same one.
    """
    none = np.zeros(len(moment.crn), dtype=np.int64)
    kinds = _kinds(moment.last, len(moment.crn)) if match else none
    replica = moment.stores.weights.get(REPLICA, none)
    return donors(moment.crn, moment.t, replica * (kinds.max() + 1) + kinds)


def donors(crn: CommonRandomNumbers, t: int, kinds: Array | None = None) -> Array:
    """For every episode another one at random, of the same kind, [N]; itself if it is alone.

    The episodes of a kind are paired at random and swap; if their number is odd, the last three
    pass on in a circle. So every episode is the donor of one, and only the episodes of a pair
    depend on each other, as :func:`as_clusters` needs.

    Args:
        crn: chance of the episodes.
        t: trial number.
        kinds: [N] whole numbers; None if all are of one kind.
    """
    n = len(crn)
    kinds = np.zeros(n, dtype=np.int64) if kinds is None else kinds
    order = np.lexsort((crn.bits("donor", t), kinds))
    first = np.flatnonzero(np.diff(kinds[order], prepend=-1))
    size = np.diff(np.append(first, n))
    rank = np.arange(n) - np.repeat(first, size)
    following = np.arange(n) + np.where(rank % 2 == 0, 1, -1)
    last, odd = first + size - 1, size % 2 == 1
    following[last[odd]] = np.maximum(last[odd] - 2, first[odd])  # closes the circle of three
    second = last[odd & (size > 1)] - 1
    following[second] = second + 1
    found = np.empty(n, dtype=np.int64)
    found[order] = order[following]
    return found


def as_clusters(columns: Array, donor: Array) -> Array:
    """Numbers [..., N] of episodes, with the covariance that episodes of swapped stores have.

    The numbers of an episode depend on its donor's too, so that the episodes are not independent;
    their pairs are. Every number is replaced by the mean over its pair (or circle), its distance
    from the mean of all being stretched by the root of the pair's size. The mean stays, and the
    covariance over N episodes taken as independent is that of the independent pairs (Liang &
    Zeger 1986, "Longitudinal data analysis using generalized linear models", the robust variance).

    Args:
        columns: measured, [..., N].
        donor: of every episode, from :func:`donors`, [N].
    """
    own, third = np.arange(len(donor)), donor[donor]
    size = np.where(donor == own, 1, np.where(third == own, 2, 3))
    total = columns + columns[..., donor] * (size > 1) + columns[..., third] * (size > 2)
    mean = columns.mean(axis=-1, keepdims=True)
    stretched = np.sqrt(size) * (total / size - mean)
    clusters: Array = mean + stretched - stretched.mean(axis=-1, keepdims=True)
    return clusters


def _kinds(last: Transition | None, n: int) -> Array:
    """A number for every episode [N], equal where stimulus, action and reward are."""
    if last is None:
        return np.zeros(n, dtype=np.int64)
    seen = np.column_stack([last.action, last.reward, last.stimulus])
    return np.unique(seen, axis=0, return_inverse=True)[1].reshape(n)
