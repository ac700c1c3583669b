"""What a probe is: an intervention on an agent's stores and a measurement of what follows.

A probe never looks inside an agent; it sees stores and action probabilities alone. So
every probe works with every agent, and a new probe is one new file in ``probes/``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from matplotlib import style
from matplotlib.figure import Figure

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import Observer, Trace, Trial, rollout
from metalocus.envs import Episodes, InvalidTask, Setting
from metalocus.envs.checks import require
from metalocus.envs.discovery import Registry, classes
from metalocus.experiments.probes.figures import everything, new_figure
from metalocus.experiments.probes.rows import Row, tidy
from metalocus.experiments.scoring.chunks import Chunk, Chunks, named
from metalocus.experiments.scoring.figures import STYLE

Result = dict[str, Any]
NO_CHOICE = "No arm is better than another here, so there is nothing to learn and no choice value."
"""The sentence where choice values do not exist."""


class Probe(ABC):
    """One measurement. Subclasses in ``experiments/probes`` are found by their presence there.

    Attributes:
        name: as given on the command line.
        question: one line for ``metalocus list``: what the measurement answers.
        quantities: what the numbers of a result are, by their key; the first are what the table
            and the figure show. If it is empty, a number is called by the last key before it.
        shown: how many of them.
        example: name of an agent, and a small setting, on which there is an answer; the tests that
            hold for every probe run on it.
        in_pairs: whether an episode is given another's stores, so that its numbers depend on
            which episodes are played together.
    """

    name: ClassVar[str]
    question: ClassVar[str]
    quantities: ClassVar[Mapping[str, str]] = {}
    shown: ClassVar[int] = 4
    example: ClassVar[tuple[str, Setting]] = (
        "counts_split",
        Setting("metalocus/BernoulliBandit-v0", horizon=6),
    )
    in_pairs: ClassVar[bool] = False

    def run(
        self,
        agent: Agent,
        setting: Setting,
        episodes: int = 4000,
        seed: int = 0,
    ) -> Result:
        """Measure an agent on fresh episodes of a setting.

        Returns:
            What was run, and the measurement: named numbers and lists, ready for JSON.
            Lists named after trials are indexed by them; None stands for no number.

        Raises:
            InvalidTask: the environment does not exist, a number is out of range, or the probe
                has no answer for the agent on the setting; see :meth:`why_not`.
            NonFinite: the agent gave, or the probe found, a number that is not finite.
        """
        reason = self.why_not(agent, setting)
        if reason is not None:
            raise InvalidTask(reason)
        chunks = Chunks(setting, episodes, seed)
        about = {"probe": self.name, **setting.to_dict(), "episodes": chunks.n, "seed": chunks.seed}
        with named(agent, setting):
            found = {**about, **self.measure(agent, chunks)}
        given = dict.fromkeys(row.quantity for row in self.rows(found))
        require(
            not self.quantities or not given.keys().isdisjoint(self.quantities),
            f"probe {self.name} says that it measures {', '.join(self.quantities)}, and gives none"
            f" of these but {', '.join(given) or 'no number'}",
        )
        return found

    def why_not(self, agent: Agent, setting: Setting) -> str | None:
        """Why the probe has no answer for an agent on a setting; None if it has one."""
        return None

    @classmethod
    def on_example(cls) -> tuple[Probe, Agent, Setting]:
        """The probe with the agent and the setting of its example."""
        name, setting = cls.example
        return cls(), make_named(name, setting.family), setting

    @abstractmethod
    def measure(self, agent: Agent, chunks: Chunks) -> Result:
        """The measurement itself: play chunk after chunk, pool what is measured, summarise.

        What is pooled is a few numbers of each episode, in a
        :class:`~metalocus.experiments.scoring.sample.Sample`.
        """

    def sentence(self, result: Result) -> str:
        """What was found, with its 95% interval, in one sentence; by default the first number."""
        first = next((row for row in self.rows(result) if row.value is not None), None)
        if first is None:
            return "Nothing could be measured here."
        of = f" of {first.label}" if first.label else ""
        at = "" if first.trial is None else f" at trial {first.trial}"
        return f"{self.quantities.get(first.quantity, first.quantity)}{of}{at}: {first}."

    def rows(self, result: Result) -> list[Row]:
        """Every number of a result, see :func:`~metalocus.experiments.probes.rows.tidy`."""
        return tidy(result, self.quantities)

    def draw(self, result: Result) -> Figure:
        """The finding as a figure, under the question, what was measured, and the sentence."""
        with style.context(STYLE):
            question = self.question[:1].upper() + self.question[1:]
            lines = question, str(result.get("title", result["env"])), self.sentence(result)
            return self.drawn(new_figure(lines), result)

    def drawn(self, figure: Figure, result: Result) -> Figure:
        """An empty figure filled; by default with a panel for every quantity shown."""
        return everything(figure, self.rows(result), dict(self.shown_quantities()))

    def shown_quantities(self) -> list[tuple[str, str]]:
        """The quantities that table and figure show, each with what it is."""
        return list(self.quantities.items())[: self.shown]

    def row(self, result: Result, quantity: str, label: str = "") -> Row:
        """One number of a result, that of the last trial if there is one for every trial."""
        found = [r for r in self.rows(result) if (r.quantity, r.label) == (quantity, label)]
        return found[-1] if found else Row(None, label, quantity, None)


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


PROBES = Registry("probe", "metalocus.experiments.probes", classes(Probe))  # type: ignore[type-abstract]
"""Every probe in ``experiments/probes``, by name."""
