"""Probes that need nothing but to watch an agent play; several can watch the same episodes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from metalocus.agents.agent import Agent
from metalocus.agents.rollout import Observer, Trace, Trial, rollout
from metalocus.envs import Episodes
from metalocus.experiments.probes.base import Probe, Result
from metalocus.experiments.scoring.chunks import Chunk, Chunks


class Watch(ABC):
    """What one probe keeps of what it sees.

    Attributes:
        shadows: agents that it needs to take in the same transitions.
    """

    shadows: Sequence[Agent] = ()

    @abstractmethod
    def begin(self, chunk: Chunk, episodes: Episodes) -> Observer:
        """What watches a chunk, whose episodes are at their first trial.

        The shadows of a trial that it is shown are those of this watch alone.
        """

    @abstractmethod
    def end(self, trace: Trace) -> None:
        """Keep what is needed of the chunk that has been played."""

    @abstractmethod
    def result(self) -> Result:
        """The measurement."""


class WatchingProbe(Probe):
    """A probe that changes nothing in the course of the episodes."""

    @abstractmethod
    def watch(self, agent: Agent, chunks: Chunks) -> Watch:
        """What is to watch the agent, before it plays."""

    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """What is found by watching."""
        return watched([self], agent, chunks)[0]


def watched(probes: Sequence[WatchingProbe], agent: Agent, chunks: Chunks) -> list[Result]:
    """The measurements of several probes while the agent plays once."""
    watches = [probe.watch(agent, chunks) for probe in probes]
    shadows = [shadow for watch in watches for shadow in watch.shadows]
    for chunk in chunks:
        episodes = chunk.episodes()
        observers = [watch.begin(chunk, episodes) for watch in watches]

        def observe(trial: Trial, observers: Sequence[Observer] = observers) -> None:
            at = 0
            for watch, observer in zip(watches, observers, strict=True):
                own = trial.shadows[at : at + len(watch.shadows)]
                observer(replace(trial, shadows=own))
                at += len(own)

        trace = rollout(agent, episodes, chunk.start_seed, shadows=shadows, observe=observe)
        for watch in watches:
            watch.end(trace)
    return [watch.result() for watch in watches]
