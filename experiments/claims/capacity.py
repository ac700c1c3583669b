"""Where do activations run out of room before weights do?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from metalocus.agents.agent import Agent
from metalocus.experiments.claims.base import RECURRENCE, SHOWN, WEIGHTS, Claim, Prediction
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.scoring.score import score
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CUES = (4, 16, 32)
"""Bindings that must be kept at once."""
SHOWN_TIMES = 6
"""Trials for each cue."""
SIZES = (32, 64, 128)
"""Units of the recurrent agent; 64 is the default."""
IN_WEIGHTS = ("fast_weights", "maml_value")
"""Agents that keep bindings in per-episode weights."""
PART = 0.5
"""Of the usual steps."""


def binding(n_cues: int) -> NamedSetting:
    """So many random cues, each bound to one of four actions."""
    return NamedSetting(
        f"binding_{n_cues}",
        f"{n_cues} random cues, each bound to one of four actions",
        "metalocus/CueBinding-v0",
        n_cues=n_cues,
        cue_bits=8,
        horizon=SHOWN_TIMES * n_cues,
    )


class Capacity(Claim):
    """Score of a recurrent agent and of agents with fast weights, by the number of bindings.

    If a larger state helps where the number of cues is large, room is what is short; if it
    does not, training is.
    """

    number: ClassVar[int] = 12
    name: ClassVar[str] = "capacity"
    statement: ClassVar[str] = (
        "With many things to bind, a state of activations runs out before weights do."
    )
    holds: ClassVar[Mapping[str, str]] = {
        WEIGHTS: "weights are many and hold more than activations; with little to hold the store "
        "makes no difference",
        RECURRENCE: "activations hold what these tasks need",
    }
    quantities: ClassVar[Mapping[str, str]] = {
        "few": f"score of the best agent with fast weights minus the recurrent agent's, {CUES[0]} "
        "cues",
        "many": f"score of the best agent with fast weights minus the recurrent agent's, "
        f"{CUES[-1]} cues",
        "room": f"score of the recurrent agent with {SIZES[-1]} units minus that with {SIZES[0]}, "
        f"{CUES[-1]} cues",
    }
    predictions: ClassVar[tuple[Prediction, ...]] = (
        Prediction(
            WEIGHTS,
            "few",
            "within",
            0.05,
            "with few bindings the store makes no difference",
            "wider than elsewhere: two networks are compared that were trained differently",
        ),
        Prediction(
            WEIGHTS,
            "many",
            ">=",
            0.05,
            "with many bindings weights hold more than the state does",
            "beyond the margin of the prediction for few",
        ),
        Prediction(
            RECURRENCE,
            "many",
            "<=",
            0.05,
            "the state holds many bindings as well as weights do",
            "the same border",
        ),
        Prediction(
            WEIGHTS,
            "room",
            ">=",
            0.05,
            "with many bindings it is room that the state is short of",
            "beyond the margin of the prediction for few",
        ),
    )
    settings = (binding(CUES[-1]),)
    small: ClassVar[Mapping[str, Any]] = {"CUES": (2, 4), "SHOWN_TIMES": 2, "SIZES": (2, 3, 4)}

    def why_not(self, preset: Preset) -> str | None:
        """Also another task: the number of cues is what is varied."""
        if preset.setting is not None:
            return "capacity is a claim on numbers of cues alone"
        return super().why_not(preset)

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Recurrent agents of every size and agents with fast weights, by the number of cues."""
        found = {}
        for n_cues in CUES:
            task = binding(n_cues)
            for units in SIZES:
                kwargs = {**preset.agent_kwargs, "hidden_size": units}
                run = preset.run(preset.agent, task, seed, PART, agent_kwargs=kwargs)
                found[f"{units} units/{n_cues}"] = run
            for name in IN_WEIGHTS:
                found[f"{name}/{n_cues}"] = preset.run(name, task, seed, PART)
        return found

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> Measured:
        """Scores and their differences."""
        scores = {
            name: score(agent, binding(int(name.split("/")[1])), preset.episodes, seed)
            for name, agent in agents.items()
        }
        recurrent = {n: scores[f"{SIZES[1]} units/{n}"] for n in CUES}
        best = {n: max(scores[f"{name}/{n}"] for name in IN_WEIGHTS) for n in CUES}
        room = scores[f"{SIZES[-1]} units/{CUES[-1]}"] - scores[f"{SIZES[0]} units/{CUES[-1]}"]
        task = self.settings[0].name
        kinds = [*(f"{units} units" for units in SIZES), *IN_WEIGHTS]
        lines = {kind: {str(n): scores[f"{kind}/{n}"] for n in CUES} for kind in kinds}
        return {
            "few": {task: best[CUES[0]] - recurrent[CUES[0]]},
            "many": {task: best[CUES[-1]] - recurrent[CUES[-1]]},
            "room": {task: room},
            SHOWN: {"random cues, each bound to one of four actions": lines},
        }

    def drawn(self, shown: list[Any]) -> Figure:
        """Score by the number of cues."""
        from metalocus.experiments.claims.drawing import lines_by_number

        return lines_by_number(shown, "cues", "score", linear=True)
