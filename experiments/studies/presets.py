"""How much is trained and measured, of which agent and on which settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.discovery import unknown
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import BANDIT, REVERSAL, NamedSetting


@dataclass(frozen=True)
class Preset:
    """One size of a debate, and what it is about.

    Attributes:
        name: as given on the command line.
        about: one line.
        seeds: training seeds, 0 up to this.
        steps: environment steps for each agent; an agent that is not named takes as many as the
            LSTM.
        episodes: fresh episodes that each measurement plays.
        agent: name of the trainable agent that claims are about.
        settings: what it is trained and measured on.
        agent_kwargs: arguments of that agent.
    """

    name: str
    about: str
    seeds: int
    steps: Mapping[str, int]
    episodes: int
    agent: str = "lstm"
    settings: tuple[NamedSetting, ...] = (BANDIT, REVERSAL)
    agent_kwargs: Mapping[str, Any] = field(default_factory=dict)

    def about_agent(
        self,
        agent: str | None,
        setting: NamedSetting | None,
        agent_kwargs: Mapping[str, Any] | None = None,
    ) -> Preset:
        """The same size, about another agent or setting.

        Args:
            agent: name of a trainable agent; None for this preset's.
            setting: instead of this preset's settings; None for these.
            agent_kwargs: arguments of the agent.

        Raises:
            InvalidTask: no such trainable agent.
        """
        if agent is not None:
            TRAINABLES.find(agent)
        settings = self.settings if setting is None else (setting,)
        own = dict(agent_kwargs or {})
        return replace(self, agent=agent or self.agent, settings=settings, agent_kwargs=own)

    def run(
        self,
        agent: str,
        setting: Setting,
        seed: int,
        part: float = 1.0,
        n_tasks: int | None = None,
    ) -> RunConfig:
        """The training run of an agent on a setting.

        Args:
            agent: name of a trainable agent.
            setting: what it is trained on.
            seed: of training.
            part: of the agent's usual steps; 0 for the untrained network.
            n_tasks: number of fixed tasks to train on, other ones at every seed; None for tasks
                from the whole distribution.
        """
        few = {} if n_tasks is None else {"n_tasks": n_tasks, "task_seed": seed}
        steps = round(part * self.steps.get(agent, self.steps["lstm"]))
        kwargs = {**setting.kwargs, **few}
        given = self.agent_kwargs if agent == self.agent else {}
        task = Setting(setting.env, **kwargs)
        return RunConfig.suited(task, agent, steps, seed, agent_kwargs=given)


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            "does everything run? (its verdicts mean nothing)",
            seeds=2,
            steps={"lstm": 60_000, "mlp": 20_000, "mlp_feedback": 20_000},
            episodes=200,
        ),
        Preset(
            "quick",
            "measured on 4,000 episodes",
            seeds=3,
            steps={"lstm": 4_000_000, "mlp": 600_000, "mlp_feedback": 500_000},
            episodes=4000,
        ),
        Preset(
            "full",
            "trained longer, measured on 10,000 episodes",
            seeds=10,
            steps={"lstm": 24_000_000, "mlp": 4_000_000, "mlp_feedback": 4_000_000},
            episodes=10_000,
        ),
    )
}


def preset_of(name: str) -> Preset:
    """The preset of a name; :class:`InvalidTask` if there is none."""
    if name not in PRESETS:
        raise InvalidTask(unknown("preset", name, PRESETS))
    return PRESETS[name]
