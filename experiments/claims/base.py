"""What a claim is: a statement, the predictions of each side, a measurement, a verdict.

Predictions are written in the claim's file and registered before anything is run
(:mod:`~metalocus.experiments.claims.registered`). The verdict follows from the predictions and
the measured values alone, task by task.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask
from metalocus.envs.discovery import Registry, classes
from metalocus.experiments.claims.judging import judged
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.scoring.score import return_bounds
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study, require_measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECURRENCE = "recurrence"
WEIGHTS = "weights"
SIDES = {
    RECURRENCE: "a recurrent policy trained by plain RL on a distribution of tasks becomes a"
    " learning algorithm of its own, run by its activations while its weights stand still; that"
    " algorithm may differ from, and be better than, the one that trained it",
    WEIGHTS: "an RL algorithm could carry out in the weights whatever the recurrent updates do;"
    " where today's algorithms fall short, that is a fact about their rule, not about the store;"
    " what recurrence adds would have to happen inside one forward pass; and what trained policies"
    " do need not look like an RL algorithm or a search",
}
"""The two sides of the debate, each with its position in words (Wang et al. 2016, 2018,
Botvinick et al. 2019; the replies of Mikulik)."""
ENOUGH = 100
"""Episodes that show whether random choice earns as much as the best reference."""
SHOWN = "shown"
"""The key under which a measurement may keep more than its quantities, for the figure."""
Values = dict[str, dict[str, float | None]]
"""Measured numbers by quantity and task; None where there is no such number."""


@dataclass(frozen=True)
class Prediction:
    """What one side expects of a measured quantity, on each task that it is measured on.

    Attributes:
        side: one of ``SIDES``.
        quantity: a key of the claim's ``quantities``.
        relation: ``>=``, ``<=``, or ``within`` for between -bound and bound.
        bound: border of the predicted region, fixed before the runs.
        says: the prediction in words, a sentence without its full stop; ``the agent`` is the one
            that the claim is about.
        why: the reason for the bound, and what it must tell apart.
        by_construction: the way the agents are built decides the outcome before anything is
            trained. Such a prediction checks the measurement and is no finding.
    """

    side: str
    quantity: str
    relation: str
    bound: float
    says: str
    why: str
    by_construction: bool = False


class Claim(Study, ABC):
    """One claim of the debate: a study whose measurements are judged.

    Subclasses in ``experiments/claims`` are found by their presence there. The agent that a claim
    is about is the preset's.

    Attributes:
        number: its place in the report; None for checks of the apparatus.
        name: as given on the command line.
        statement: what is claimed.
        holds: who holds what, by side; a side that does not dispute the statement is left out.
        quantities: what is measured, by name, in words.
        predictions: of the sides, as a holder would sign them.
        settings: the tasks it is judged on.
        most_seeds: set where one seed's training takes over ten CPU minutes.
        players: agents without training that the claim sets beside the one that it is about.
        small: constants of its module, or of another one in ``experiments`` as
            ``probes.strategy.FITTED_CHOICES``, with values that make it quick, where the preset's
            steps and episodes do not; tests of every claim set them.
    """

    number: ClassVar[int | None]
    name: ClassVar[str]
    statement: ClassVar[str]
    holds: ClassVar[Mapping[str, str]]
    quantities: ClassVar[Mapping[str, str]]
    predictions: ClassVar[tuple[Prediction, ...]]
    settings: ClassVar[tuple[NamedSetting, ...]]
    players: ClassVar[tuple[str, ...]] = ()
    small: ClassVar[Mapping[str, Any]] = {}

    def asked_on(self, preset: Preset) -> tuple[NamedSetting, ...]:
        """The tasks: those of the claim, or the first of them, or another that is asked about."""
        return (preset.setting,) if preset.setting is not None else self.settings[: preset.tasks]

    def why_not(self, preset: Preset) -> str | None:
        """Why the claim cannot be asked of a preset's agent and setting; None if it can.

        Here: a setting without a score, or that one of ``players`` cannot play.
        """
        for setting in self.asked_on(preset):
            try:
                return_bounds(setting, ENOUGH, seed=0)
                for name in self.players:
                    make_named(name, setting.family)
            except InvalidTask as error:
                return str(error)
        return None

    @abstractmethod
    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The training runs of one seed, by the name that :meth:`measure` knows them by."""

    @abstractmethod
    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """The quantities of one training seed, each by task.

        What the figure needs beside them may be kept under the key ``SHOWN``.

        Args:
            agents: the trained agents of :meth:`runs`.
            preset: how many episodes to play.
            seed: of the fresh episodes.
        """

    def drawn(self, shown: list[Any]) -> Figure | None:
        """The figure that shows the answer; None for the measured values beside the bounds.

        The first line of a claim's own docstring here is the caption.

        Args:
            shown: what :meth:`measure` kept under ``SHOWN``, by training seed in order.
        """
        return None

    def verdict(self, measured: Mapping[int, Measured]) -> dict[str, Any]:
        """Every prediction judged on every task, ready for JSON.

        Args:
            measured: what :meth:`measure` gave, by training seed.

        Raises:
            NonFinite: a measured number is not finite.
            ValueError: training seeds differ in the tasks or quantities that were measured.
        """
        require_measured(self.name, measured)
        seeds = [values for _, values in sorted(measured.items())]
        by_task = {
            name: {task: [values[name][task] for values in seeds] for task in seeds[0][name]}
            for name in self.quantities
        }
        quantities, predictions = judged(by_task, [asdict(each) for each in self.predictions])
        return {
            "claim": self.name,
            "number": self.number,
            "statement": self.statement,
            "holds": dict(self.holds),
            "seeds": {"run": len(seeds), "most": self.most_seeds},
            "quantities": {
                name: {"about": about, "tasks": quantities[name]}
                for name, about in self.quantities.items()
            },
            "predictions": predictions,
            "shown": [values[SHOWN] for values in seeds if SHOWN in values],
        }


def _claims(module: ModuleType) -> Iterator[tuple[str, Claim]]:
    for name, cls in classes(Claim)(module):  # type: ignore[type-abstract]
        yield name, cls()


CLAIMS = Registry("claim", "metalocus.experiments.claims", _claims)
"""Every claim in ``experiments/claims``, by name."""


def in_order(claims: Iterable[Claim]) -> list[Claim]:
    """Claims by number, those without one last."""
    return sorted(claims, key=lambda claim: (claim.number is None, claim.number or 0, claim.name))


def claim_called(word: str) -> Claim:
    """The claim of a number or name.

    Raises:
        InvalidTask: there is none.
    """
    numbered = {str(claim.number): claim for claim in CLAIMS.values()}
    return numbered[word] if word.isdecimal() and word in numbered else CLAIMS.find(word)
