"""What a replication is: what a paper did and found, what is run here, and when that agrees."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.envs import Setting
from metalocus.envs.discovery import Registry
from metalocus.experiments.runs.arguments import START
from metalocus.experiments.runs.config import RL, RunConfig
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study

SIZES = {
    size.name: size
    for size in (
        Preset(
            "smoke",
            "does everything run? (its numbers mean nothing)",
            seeds=1,
            part=1.0,
            most_steps=1000,
            episodes=40,
        ),
        Preset(
            "quick", "one seed, trained for an eighth of the steps", 1, part=0.125, episodes=2000
        ),
        Preset(
            "full",
            "three seeds, each measured on 10,000 fresh episodes",
            3,
            part=1.0,
            episodes=10_000,
        ),
    )
}
"""How much is trained and measured."""
RELATIONS = (">=", "<=", "near")
Quantity = tuple[str, str]
"""A part, and the name of what was measured or published of it."""


@dataclass(frozen=True)
class Training:
    """How one agent of a part is trained.

    Attributes:
        setting: what on.
        agent: a trainable agent's name.
        steps: at full size.
        agent_kwargs: arguments of the agent.
        train_kwargs: arguments of the trainer.
        trainer: its name.
        start: name of another training of the part, with whose weights this one begins; by
            default it begins with new ones.
        n_envs: environments stepped together at full size; None for what suits the agent.
    """

    setting: Setting
    agent: str
    steps: int
    agent_kwargs: Mapping[str, Any] = field(default_factory=dict)
    train_kwargs: Mapping[str, Any] = field(default_factory=dict)
    trainer: str = RL
    start: str = ""
    n_envs: int | None = None

    def run(self, size: Preset, seed: int, start: Path | None = None) -> RunConfig:
        """The run at a size and a training seed.

        Args:
            size: how much is trained.
            seed: of training.
            start: folder of the finished run that it begins with.
        """
        steps = round(size.part * self.steps)
        steps = min(steps, size.most_steps or steps)
        begun = {} if start is None else {START: str(start)}
        given = self.agent_kwargs, {**self.train_kwargs, **begun}, self.trainer
        run = RunConfig.suited(self.setting, self.agent, steps, seed, size.device, *given)
        if self.n_envs is None:
            return run
        most = max(1, steps // self.setting.family.horizon)  # one rollout is no more than all steps
        return replace(run, n_envs=min(self.n_envs, most))


@dataclass(frozen=True)
class Part(Study):
    """What is trained and measured together, such as one cell of a table.

    Attributes:
        label: its name, unique among all parts of all replications.
        about: a few words.
        minutes: CPU minutes a seed at full size, an estimate.
        beside: title of the figure's panel that it shares with other parts; by default its own.
    """

    label: str
    about: str
    minutes: float
    beside: str = ""

    @property
    def name(self) -> str:
        """The label."""
        return self.label

    def training(self, seed: int) -> Mapping[str, Training]:
        """What is trained at a seed, by the name in :meth:`measure`; by default nothing."""
        return {}

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The training runs of one seed that begin with new weights."""
        return {
            name: each.run(preset, seed)
            for name, each in self.training(seed).items()
            if not each.start
        }

    def later_runs(self, preset: Preset, seed: int, folder: Path) -> Iterator[dict[str, RunConfig]]:
        """The training runs of one seed that begin with the weights of others, by stages."""
        trainings, found = self.training(seed), self.runs(preset, seed)
        while len(found) < len(trainings):
            stage = {
                name: each.run(preset, seed, folder / found[each.start].name)
                for name, each in trainings.items()
                if name not in found and each.start in found
            }
            if not stage:
                raise ValueError(f"{self.label}: a training begins with one that there is not")
            yield stage
            found |= stage

    @property
    def panel(self) -> str:
        """Title of its panel in the figure."""
        return self.beside or self.about

    def sized(self, preset: Preset) -> Preset:
        """The size at which it is run: what is not trained has one seed, that of its episodes."""
        return preset if self.training(0) else replace(preset, seeds=1)

    @abstractmethod
    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The quantities of one seed, by name; ``x_se`` is the standard error of ``x``."""


def difference(one: float | None, other: float | None) -> float | None:
    """One minus the other; None without both."""
    return None if one is None or other is None else one - other


@dataclass(frozen=True)
class Published:
    """A figure of the paper.

    Attributes:
        part: that it belongs to.
        quantity: what of it is measured here.
        value: as printed.
        error: its standard error over the paper's episodes; None where nothing tells it.
        source: of the figure.
    """

    part: str
    quantity: str
    value: float
    error: float | None
    source: str


class Outcome(StrEnum):
    """What became of a check."""

    PASSED = "passed"
    MISSED = "missed"
    NOT_RUN = "not run yet"


@dataclass(frozen=True)
class Check:
    """What counts as a replication; it passes if every training seed is in the region.

    Attributes:
        part: that it is about.
        quantity: of it.
        relation: ``>=`` or ``<=`` the bound, or ``near``: no further from it than the tolerance.
        bound: border, or middle, of the region.
        why: the reason for bound and tolerance.
        tolerance: how far beyond the bound still passes.
    """

    part: str
    quantity: str
    relation: str
    bound: float
    why: str
    tolerance: float = 0.0

    def holds(self, value: float) -> bool:
        """Whether one seed's value is in the region."""
        if self.relation == "near":
            return abs(value - self.bound) <= self.tolerance
        beyond = value - self.bound if self.relation == ">=" else self.bound - value
        return beyond >= -self.tolerance

    def outcome(self, values: Sequence[float | None]) -> Outcome:
        """Of the values of all seeds; a seed without a number misses."""
        if not values:
            return Outcome.NOT_RUN
        every = all(value is not None and self.holds(value) for value in values)
        return Outcome.PASSED if every else Outcome.MISSED

    @property
    def region(self) -> str:
        """The region in symbols."""
        if self.relation == "near":
            return f"{self.bound:g} ± {self.tolerance:.2g}"
        return f"{self.relation} {self.bound:g}" + (
            f" (tolerance {self.tolerance:.2g})" if self.tolerance else ""
        )


@dataclass(frozen=True)
class Tried:
    """A training by which settings were chosen, or with settings that were given up.

    Attributes:
        task: what on.
        agent: its name, and arguments other than the defaults, also of training.
        steps: trained for.
        seed: of training; settings are chosen at seeds that no replication uses.
        seconds: CPU seconds of it.
        total: mean return on fresh episodes.
        total_se: its standard error.
        regret: to the near-optimum on the same episodes.
        regret_se: its standard error.
    """

    task: str
    agent: str
    steps: int
    seed: int
    seconds: float
    total: float
    total_se: float
    regret: float
    regret_se: float


@dataclass(frozen=True)
class Replication:
    """One published result.

    Attributes:
        name: as given on the command line.
        title: one line for ``metalocus list``.
        source: the paper.
        did: what the paper did.
        otherwise: what is done otherwise here.
        parts: what is run.
        checks: when it counts as replicated.
        published: the paper's figures; none where it has pictures alone.
        tried: the trainings by which its settings were chosen.
        table: the paper's own, by row and column the part and the quantity of it that stand there.
    """

    name: str
    title: str
    source: str
    did: str
    otherwise: str
    parts: tuple[Part, ...]
    checks: tuple[Check, ...]
    published: tuple[Published, ...] = ()
    tried: tuple[Tried, ...] = ()
    table: Mapping[str, Mapping[str, Quantity]] = field(default_factory=dict)

    def part_called(self, name: str) -> Part | None:
        """The part of a name; None if there is none."""
        return next((part for part in self.parts if part.name == name), None)


def _replications(module: ModuleType) -> Iterator[tuple[str, Replication]]:
    found = getattr(module, "REPLICATION", None)
    if isinstance(found, Replication):
        yield found.name, found


REPLICATIONS = Registry("replication", "metalocus.experiments.replications", _replications)
"""Every ``REPLICATION`` of a module in ``experiments/replications``, by name."""
