"""An agent read on both kinds of histories, and the strategies fitted to what it would do there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from metalocus.agents.agent import Agent, Array, ReferencePolicy
from metalocus.experiments.scoring.chunks import Chunk
from metalocus.experiments.strategies.evidence import Evidence, evidence, scored
from metalocus.experiments.strategies.fitting import entropy, fitted, surprise
from metalocus.experiments.strategies.histories import History, foreign_histories, played, replayed
from metalocus.experiments.strategies.strategy import Strategy

KINDS = ("disagreeing", "own")
"""Histories: where the strategies disagree, made by others; and those the agent makes itself."""
OFFERED = 4
"""Histories by others of each episode, of which the one with most disagreement is used."""
LEADERS = 3
"""At least so many strategies are asked whether they disagree; all that explain half are."""


@dataclass(frozen=True)
class Read:
    """An agent on some histories.

    Attributes:
        seen: the histories.
        probs: its probabilities of the choices, [T, N, K].
    """

    seen: Evidence
    probs: Array


class Reader:
    """Reads an agent, and fits strategies to it.

    Args:
        agent: whose probabilities are read.
        strategies: that are fitted.
        references: which these read.

    Attributes:
        parameters: of each strategy under each kind of histories, [1, p]; after :meth:`fit`.
        leaders: strategies that explain most of the agent's own choices; after :meth:`fit`.
    """

    def __init__(
        self,
        agent: Agent,
        strategies: Sequence[Strategy],
        references: Mapping[str, ReferencePolicy],
    ) -> None:
        self.agent, self.strategies, self.references = agent, strategies, references
        self.parameters: dict[str, dict[str, Array]] = {}
        self.leaders: list[Strategy] = []

    def fit(self, chunk: Chunk) -> dict[str, Read]:
        """Fit the strategies to both kinds of histories of a chunk, which are given back.

        What is fitted to the agent's own says which the leaders are, and so what disagreeing is.
        """
        found = {"own": self._read(*self._own(chunk))}
        self._fit("own", found["own"])
        self.leaders = self._leading(found["own"])
        found["disagreeing"] = self._read(*self._disagreeing(chunk))
        self._fit("disagreeing", found["disagreeing"])
        return found

    def both(self, chunk: Chunk) -> Iterator[tuple[str, Read]]:
        """The agent on each kind of histories of a chunk."""
        yield "disagreeing", self._read(*self._disagreeing(chunk))
        yield "own", self._read(*self._own(chunk))

    def excess(self, kind: str, read: Read) -> Array:
        """Cross-entropy of every strategy above the agent's own entropy, nats a choice, [S, N]."""
        own = entropy(read.probs)
        return np.stack([each - own for each in self._surprises(self.parameters[kind], read)])

    def _read(self, history: History, probs: Array) -> Read:
        return Read(evidence(history, self.references), probs[scored(history.family)])

    def _own(self, chunk: Chunk) -> tuple[History, Array]:
        """Histories that it makes itself, and its probabilities on them."""
        return played(self.agent, chunk)

    def _disagreeing(self, chunk: Chunk) -> tuple[History, Array]:
        """Of each episode's histories by others that with most disagreement; its probabilities."""
        chosen: History | None = None
        most = np.full(chunk.n, -np.inf)
        for history in foreign_histories(chunk, OFFERED):
            found = self._disagreement(evidence(history, self.references))
            chosen = history if chosen is None else history.where(found > most, chosen)
            most = np.maximum(most, found)
        assert chosen is not None  # OFFERED is positive
        return chosen, np.stack(
            [probs for probs, _ in replayed(self.agent, chosen, chunk.start_seed)]
        )

    def _fit(self, kind: str, read: Read) -> None:
        self.parameters[kind] = {
            each.name: fitted(each, read.seen, read.probs) for each in self.strategies
        }

    def _surprises(self, parameters: Mapping[str, Array], read: Read) -> Iterator[Array]:
        """Cross-entropy of every strategy, [N] each."""
        for each in self.strategies:
            yield surprise(each.log_probs(read.seen, parameters[each.name])[0], read.probs)

    def _leading(self, read: Read) -> list[Strategy]:
        """Those at half the way from random to its own choices, and the best few in any case."""
        excess = dict(zip(self.strategies, self.excess("own", read).mean(axis=1), strict=True))
        ranked = sorted(self.strategies, key=lambda each: excess[each])
        half = next(excess[each] for each in ranked if each.name == "random") / 2.0
        return [
            each for place, each in enumerate(ranked) if place < LEADERS or excess[each] <= half
        ]

    def _disagreement(self, seen: Evidence) -> Array:
        """Jensen-Shannon divergence of the leaders' predictions, mean over trials, [N]."""
        mean, apart = np.zeros(seen.shape), np.zeros(seen.shape[1])
        parameters = self.parameters["own"]
        for each in self.leaders:
            probs = np.exp(each.log_probs(seen, parameters[each.name])[0])
            mean, apart = mean + probs / len(self.leaders), apart + entropy(probs)
        # rounded, so that equal histories are equal whatever batch they are in
        return np.round(entropy(mean) - apart / len(self.leaders), 9)


@dataclass(frozen=True)
class Verdict:
    """Which strategies explain choices best.

    Attributes:
        simplest: of those that are as good, the one of fewest parameters, then of least excess.
        as_good: not told apart from the one of least excess, in the order of their excess.
    """

    simplest: int
    as_good: tuple[int, ...]


def verdict(
    excess: Sequence[float], reach: Sequence[float], free: Sequence[int], near: float
) -> Verdict:
    """Which strategies are as good as the best.

    Args:
        excess: of each strategy.
        reach: half the interval of its difference from the least.
        free: how many numbers each one fits.
        near: differences up to this count for nothing.
    """
    order = sorted(range(len(excess)), key=lambda i: excess[i])
    least = excess[order[0]]
    as_good = tuple(i for i in order if excess[i] - least <= max(near, reach[i]))
    return Verdict(min(as_good, key=lambda i: (free[i], excess[i])), as_good)
