"""Is the Bayes-optimal learner a fixed point of the training that is said to find it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from metalocus.agents.agent import Agent
from metalocus.agents.catalogue import best_reference
from metalocus.experiments.claims.base import RECURRENCE, WEIGHTS, Claim, Prediction, Values
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import BANDIT, FIVE_ARMS, REVERSAL, RULES
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset

MARGIN = 0.02
"""Of equivalence, in all claims: it tells apart greedy and near-optimal play."""
CLONED = 0.5
"""Part of the usual steps for which the reference is imitated; cross-entropy is learned sooner."""
HELD = 0.98
"""Score from which on a clone holds the algorithm of the reference, which scores 1: what RL makes
of a worse one says nothing of the best learner."""
FURTHER = 0.5
"""Part of the usual steps for which the clone is trained on by RL."""


class FixedPoint(Claim):
    """A clone of the best reference, the clone trained on by RL, and RL from the start.

    All have the same network. The clone imitates the best reference of the task on its own
    histories. If training moves away from it, what RL finds is something else; if the clone is
    better than what RL finds from the start, the trainer is short and not the store.
    """

    number: ClassVar[int] = 17
    name: ClassVar[str] = "fixed_point"
    statement: ClassVar[str] = (
        "A clone of the best reference stays as good when RL trains it on, and RL from the start "
        "becomes as good as the clone: the network can hold the algorithm and RL finds it."
    )
    holds: ClassVar[Mapping[str, str]] = {
        RECURRENCE: "plain RL turns the recurrent network into a learning algorithm about as good "
        "as can be",
        WEIGHTS: "where a learner falls short it is the rule that trained it, not the store",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "clone": "score of the clone: 0 is random choice, 1 the reference that it imitates",
        "stays": "score of the clone trained on by RL minus that of the clone; no number where the "
        f"clone has less than {HELD}",
        "found": "score of the agent trained by RL from the start minus that of the clone; no "
        f"number where the clone has less than {HELD}",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "clone",
            ">=",
            HELD,
            "the network can hold an algorithm as good as the reference",
            "the reference's score less the margin of equivalence",
        ),
        Prediction(
            RECURRENCE,
            "stays",
            ">=",
            -MARGIN,
            "the best learner is a fixed point of RL",
            "the margin of equivalence in all claims",
        ),
        Prediction(
            RECURRENCE,
            "found",
            ">=",
            -MARGIN,
            "RL from the start finds an algorithm as good as the clone",
            "the margin of equivalence in all claims",
        ),
    )
    settings = (BANDIT, FIVE_ARMS, REVERSAL, RULES)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """The clone and the agent that is trained by RL from the start."""
        found = {}
        for setting in self.asked_on(preset):
            taught = {"reference": best_reference(setting.family).name}
            found[f"clone/{setting.name}"] = preset.run(
                preset.agent, setting, seed, CLONED, trainer="imitate", train_kwargs=taught
            )
            found[f"found/{setting.name}"] = preset.run(preset.agent, setting, seed)
        return found

    def later_runs(self, preset: Preset, seed: int, folder: Path) -> Iterator[dict[str, RunConfig]]:
        """The clone, trained on by RL."""
        clones = self.runs(preset, seed)
        yield {
            f"stays/{setting.name}": preset.run(
                preset.agent,
                setting,
                seed,
                FURTHER,
                train_kwargs={"start": str(folder / clones[f"clone/{setting.name}"].name)},
            )
            for setting in self.asked_on(preset)
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Values:
        """Scores on fresh tasks."""
        values: Values = {name: {} for name in self.quantities}
        for setting in self.asked_on(preset):
            of = {
                kind: score(agents[f"{kind}/{setting.name}"], setting, preset.episodes, seed)
                for kind in ("clone", "stays", "found")
            }
            values["clone"][setting.name] = of["clone"]
            for kind in ("stays", "found"):
                beside = of[kind] - of["clone"]
                values[kind][setting.name] = beside if of["clone"] >= HELD else None
        return values
