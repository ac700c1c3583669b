"""What a trainer is, and how the ones in ``agents/trainers`` are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.envs.discovery import Registry


@dataclass(frozen=True)
class Trainer:
    """A way to train any agent; what it makes is the same kind of run, whatever the trainer.

    Attributes:
        name: as given on the command line.
        summary: one line for ``metalocus list trainers``.
        algorithm: is made with a policy, an environment and arguments, and then learns; None
            where every environment has a network of its own, which no such algorithm trains.
        takes: the classes whose constructors have the arguments that a run can give; by default
            the algorithm alone.
    """

    name: str
    summary: str
    algorithm: type[SequencePPO] | None
    takes: tuple[type, ...] = ()

    @property
    def constructors(self) -> tuple[type, ...]:
        """The classes whose arguments a run can give, the most special first."""
        own = () if self.algorithm is None else (self.algorithm,)
        return self.takes or own


def _trainer(module: ModuleType) -> Iterator[tuple[str, Trainer]]:
    found = getattr(module, "TRAINER", None)
    if isinstance(found, Trainer):
        yield found.name, found


TRAINERS = Registry("trainer", "metalocus.agents.trainers", _trainer)
"""Every trainer, by name: the ``TRAINER`` of each module in ``agents/trainers``."""
