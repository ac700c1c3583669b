"""How much is trained and measured, of which agent and on which setting."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.checks import require
from metalocus.envs.discovery import unknown
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.named import NamedSetting

STEPS: Mapping[str, int] = {
    "bandit": 4_000_000,
    "cued": 2_000_000,
    "reversal": 4_000_000,
    "five_arms": 8_000_000,
    "rules": 8_000_000,
    "informative": 4_000_000,
}
"""Environment steps of full training, by the setting's name. As many as let one seed of every claim
take about two hours of one core. On a seed that nothing is judged on, an LSTM reaches .98 on five
arms and on the informative bandit; on rules it is still learning (.84 after twice as many)."""
TRAINING: Mapping[str, Mapping[str, Any]] = {
    "metalocus/InformativeBandit-v0": {
        "gamma": 1.0,
        "ent_coef": 0.3,
        "all_action_coef": 0.0,
        "learning_rate": 3e-3,
    }
}
"""Arguments of training, by environment, where the defaults do not learn. The informative arm pays
least: by default it is given up before what it tells can be used (score .31 after 16M steps); with
more entropy and undiscounted returns it is bought (.98 after 4M; seed 900, which no claim uses)."""
SHORT_ROLLOUT: Mapping[str, int] = {"mlp": 12_800, "mlp_feedback": 25_600}
"""Transitions that the memoryless agents collect before each update where less than the full
training is asked for and episodes have several trials. More than by default takes half the time
and learns as surely: in 2M steps on five arms one-step memory scores .62, .62, .62 (by default
.31, .63, .62), and with the cue shown the other has 1.00 (1.00); seeds 900 to 902 and 900, which
no claim uses."""
SOON = 0.25
"""Part of the usual steps, where less than the full training is asked for, of agents that by then
have learned all they can: one trained on a single task (five arms: score there 1.06 and 1.08, on
all tasks .04 and .00; after all the steps 1.07 and 1.11, .02 and -.01; seeds 900 and 901), and a
memoryless one that sees nothing."""
OTHER_STEPS = 4_000_000
"""Of settings that are not named."""
CORE = (1, 2, 3, 5, 6, 7)
"""The claims that decide the debate, by number; the other ones add to them."""


@dataclass(frozen=True)
class Preset:
    """One size of a debate, and what it is about.

    Attributes:
        name: as given on the command line.
        about: one line.
        seeds: training seeds, 0 up to this.
        part: of the full number of training steps.
        most_steps: of a run, whatever the setting; None for no such bound.
        episodes: fresh episodes that each measurement plays.
        numbers: of the claims that are asked; None for all.
        tasks: how many of a claim's tasks are asked about, the first ones; None for all.
        agent: name of the trainable agent that claims are about.
        setting: that it is trained and measured on; None for those of each claim.
        agent_kwargs: arguments of that agent.
        device: that runs are trained on, ``cpu`` or ``cuda``.
        first: training seed; those before it are left out.
    """

    name: str
    about: str
    seeds: int
    part: float
    episodes: int
    most_steps: int | None = None
    numbers: tuple[int, ...] | None = None
    tasks: int | None = None
    agent: str = "lstm"
    setting: NamedSetting | None = None
    agent_kwargs: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"
    first: int = 0

    def first_seeds(self, n: int | None) -> Preset:
        """The same, with the first n of its training seeds; None for all of them.

        Raises:
            InvalidTask: it does not have that many.
        """
        most = self.seeds if n is None else n
        require(
            1 <= most <= self.seeds,
            f"preset {self.name} has {self.seeds} training seeds; give --seeds from 1 to that",
        )
        return replace(self, seeds=most)

    def about_agent(
        self,
        agent: str | None,
        setting: NamedSetting | None,
        agent_kwargs: Mapping[str, Any] | None = None,
    ) -> Preset:
        """The same size, about another agent or setting.

        Args:
            agent: name of a trainable agent; None for this preset's.
            setting: instead of the claims' settings; None for these.
            agent_kwargs: arguments of the agent.

        Raises:
            InvalidTask: no such trainable agent.
        """
        if agent is not None:
            TRAINABLES.find(agent)
        own = dict(agent_kwargs or {})
        return replace(self, agent=agent or self.agent, setting=setting, agent_kwargs=own)

    def steps(self, setting: NamedSetting, part: float = 1.0) -> int:
        """Training steps on a setting.

        Args:
            setting: that is trained on.
            part: of the usual number.
        """
        full = STEPS.get(setting.name, OTHER_STEPS)
        usual = round(self.part * full)
        return round(part * min(usual, self.most_steps or usual))

    @property
    def soon(self) -> float:
        """Part of the usual steps of agents that soon can learn no more."""
        return 1.0 if self.part == 1 else SOON

    def run(
        self,
        agent: str,
        setting: NamedSetting,
        seed: int,
        part: float = 1.0,
        n_tasks: int | None = None,
        **settings: Any,
    ) -> RunConfig:
        """The training run of an agent on a setting.

        Args:
            agent: name of a trainable agent.
            setting: what it is trained on.
            seed: of training.
            part: of the usual steps; 0 for the untrained network.
            n_tasks: number of fixed tasks to train on, other ones at every seed; None for tasks
                from the whole distribution.
            **settings: ``agent_kwargs``, ``train_kwargs``, ``trainer`` of the run; by default the
                preset's arguments of the agent that claims are about, and those of ``TRAINING``.
        """
        few = {} if n_tasks is None else {"n_tasks": n_tasks, "task_seed": seed}
        task = Setting(setting.env, **{**setting.kwargs, **few})
        given = {
            "device": self.device,
            "agent_kwargs": self.agent_kwargs if agent == self.agent else {},
            "train_kwargs": TRAINING.get(setting.env, {}),
            **settings,
        }
        found = RunConfig.suited(task, agent, self.steps(setting, part), seed, **given)
        horizon, rollout = setting.family.horizon, SHORT_ROLLOUT.get(agent)
        if self.part == 1 or horizon == 1 or rollout is None:
            return found
        return replace(found, n_envs=max(1, min(rollout, found.steps) // horizon))


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "smoke",
            "does everything run? (its verdicts mean nothing)",
            seeds=2,
            part=1.0,
            most_steps=20_000,
            episodes=200,
            numbers=(2,),
            tasks=1,
        ),
        Preset(
            "quick",
            "the core claims on one task each, trained for a quarter of the steps",
            seeds=3,
            part=0.25,
            episodes=2000,
            numbers=CORE,
            tasks=1,
        ),
        Preset(
            "full",
            "all claims, measured on 10,000 episodes",
            seeds=10,
            part=1.0,
            episodes=10_000,
        ),
    )
}


def preset_of(name: str) -> Preset:
    """The preset of a name; :class:`InvalidTask` if there is none."""
    if name not in PRESETS:
        raise InvalidTask(unknown("preset", name, PRESETS))
    return PRESETS[name]
