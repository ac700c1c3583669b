"""How behaviour and what the probes find come up together in training, at log-spaced lengths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from metalocus.agents.agent import Agent
from metalocus.envs import InvalidTask
from metalocus.experiments.debate.curves import BESIDE, CURVES
from metalocus.experiments.probes.base import PROBES
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting
from metalocus.experiments.studies.presets import Preset
from metalocus.experiments.studies.study import Measured, Study, require_measured

PARTS = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Lengths of training, as parts of the whole: half-decades, which the eye tells apart."""
AGENTS = ("gru", *BESIDE)
"""Beside the agent that the claims are about: another recurrent cell, and one-step memory."""
PROBED = 1000
"""Episodes of a probe: its intervals are narrower than the steps from one length to the next."""


@dataclass(frozen=True)
class Number:
    """One number of a probe, which stands for what it finds.

    Attributes:
        probe: its name.
        quantity: key of the number in the probe's result.
        label: of the part that is meant, as in the probe's rows; empty for the whole.
        about: in words, for a legend.
    """

    probe: str
    quantity: str
    label: str
    about: str

    def of(self, agent: Agent, setting: NamedSetting, episodes: int, seed: int) -> float | None:
        """The number, at the last trial if there is one for every trial.

        Returns:
            None where the probe has no answer: for the task, or since too little is learned.
        """
        probe = PROBES.find(self.probe)()
        with suppress(InvalidTask):
            result = probe.run(agent, setting, episodes, seed)
            return probe.row(result, self.quantity, self.label).value
        return None


NUMBERS = (
    Number("carry", "final", "resample all", "choice value in the last quarter"),
    Number("optimality", "agreed", "", "choices that are optimal"),
    Number("locus", "shares", "resample before state", "value held in the state (locus)"),
    Number("transplant", "moved", "all", "moved by exchanged stores (transplant)"),
    Number("decode", "selectivity", "all", "belief decoded, selectivity (decode)"),
    Number("reward_channel", "follows", "", "follows the reward input (reward_channel)"),
    Number("influence", "log_odds", "reward lag 1", "log-odds after a reward, nats (influence)"),
    Number("latency", "recovered", "", "recovered after a switch (latency)"),
    Number("ponder", "gain", "most probable, clock held", "gained by acting twice (ponder)"),
)
"""Behaviour first, then the probes that take four CPU seconds or less. Each is 0 where there is
nothing to find, and all but the log-odds are 1 at most, so that they have one axis."""


class Development(Study):
    """Behaviour and probes at log-spaced lengths of training, on one axis.

    At three seeds: nothing is judged by it, and one takes over ten CPU minutes with the probes.
    """

    name = "development"
    most_seeds = 3

    def runs(self, preset: Preset, seed: int) -> dict[str, RunConfig]:
        """Every agent on the settings of the curves for every length, each a run of its own."""
        return {
            f"{agent}/{setting.name}/{part}": preset.run(agent, setting, seed, part=part)
            for setting in CURVES.asked_on(preset)
            for agent in (preset.agent, *AGENTS)
            for part in PARTS
        }

    def measure(self, agents: Mapping[str, Agent], preset: Preset, seed: int) -> dict[str, Any]:
        """The numbers of one training seed.

        Returns:
            By setting its ``title``, ``steps`` of each length, and by agent and number a list over
            lengths; None where a probe has no answer.
        """
        episodes = min(PROBED, preset.episodes)
        return {
            setting.name: {
                "title": setting.title,
                "steps": [preset.steps(setting, part) for part in PARTS],
                "numbers": {
                    agent: {
                        number.about: [
                            number.of(
                                agents[f"{agent}/{setting.name}/{part}"], setting, episodes, seed
                            )
                            for part in PARTS
                        ]
                        for number in NUMBERS
                    }
                    for agent in (preset.agent, *AGENTS)
                },
            }
            for setting in CURVES.asked_on(preset)
        }

    def average(self, measured: Mapping[int, Measured]) -> dict[str, Any]:
        """Means over those training seeds that have a number; None where none has.

        Returns:
            As :meth:`measure`, and by setting the number of ``seeds``.

        Raises:
            NonFinite: a number is not finite.
            ValueError: training seeds differ in what was measured.
        """
        require_measured(self.name, measured)
        first, *rest = (values for _, values in sorted(measured.items()))
        return {
            task: {
                **own,
                "seeds": len(measured),
                "numbers": {
                    agent: {
                        about: _means(
                            [
                                own["numbers"][agent][about],
                                *(each[task]["numbers"][agent][about] for each in rest),
                            ]
                        )
                        for about in numbers
                    }
                    for agent, numbers in own["numbers"].items()
                },
            }
            for task, own in first.items()
        }


def _means(seeds: Sequence[Sequence[float | None]]) -> list[float | None]:
    """At every length the mean of the seeds that have a number."""
    found: list[float | None] = []
    for column in zip(*seeds, strict=True):
        known = [value for value in column if value is not None]
        found.append(sum(known) / len(known) if known else None)
    return found


DEVELOPMENT = Development()
