"""What a training run is: the settings that decide its result, and the name they give it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import FAMILIES, InvalidTask, Setting
from metalocus.envs.checks import MOST_ROWS, require, require_count
from metalocus.experiments.runs.source import source_digest

DEVICES = ("cpu", "cuda")
ENGINE = "metalocus.experiments.runs.build"
"""The module that builds what is trained: the engine is all that it imports."""
MOST_BYTES = 2**32
"""Memory that one rollout may take: half of a machine of 8 GiB."""
NUMBERS_A_STEP = 64
"""Kept of a transition beside its observation, at least: features, action, reward, targets."""
LARGEST_SEED = 2**32 - 1
"""NumPy's global generator, which Stable-Baselines3 seeds, takes no larger one."""


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Attributes:
        setting: what is trained on.
        agent: a trainable agent's name.
        steps: environment steps to train for; 0 gives the untrained agent.
        seed: of weights, actions and tasks.
        n_envs: environments stepped together.
        device: ``cpu`` or ``cuda``.
    """

    setting: Setting
    agent: str
    steps: int
    seed: int
    n_envs: int
    device: str = "cpu"

    @classmethod
    def suited(
        cls, setting: Setting, agent: str, steps: int, seed: int = 0, device: str = "cpu"
    ) -> RunConfig:
        """A run with as many environments as suit the agent and the length of the episodes.

        One rollout of one episode in each is at most the steps asked for, if that can be.

        Raises:
            InvalidTask: no such environment or agent.
        """
        rollout = TRAINABLES.find(agent).rollout
        most = min(rollout, steps) if steps > 0 else rollout
        n_envs = max(1, most // setting.family.horizon)
        return cls(setting, agent, steps, seed, n_envs, device)

    def check(self) -> None:
        """Raise :class:`InvalidTask`, in one line, unless the run can be made."""
        self.setting.episodes()
        TRAINABLES.find(self.agent)
        require_count("steps", self.steps, 0)
        require_count("seed", self.seed, 0, LARGEST_SEED)
        require_count("n_envs", self.n_envs, 1, MOST_ROWS)
        self.setting.family.check_size(self.n_envs)
        self._check_rollout()
        if self.device not in DEVICES:
            raise InvalidTask(f"device must be one of {', '.join(DEVICES)}, got {self.device!r}")

    @property
    def rollout(self) -> int:
        """Steps of one rollout: an episode in every environment."""
        return self.n_envs * self.setting.family.horizon

    def _check_rollout(self) -> None:
        """Raise :class:`InvalidTask` if one rollout cannot be held in memory."""
        needed = self.rollout * (self.setting.layout.size + NUMBERS_A_STEP) * 4
        refusal = (
            f"one rollout of {self.n_envs} environments would take {needed / 2**30:,.1f} GiB of"
            f" memory, more than {MOST_BYTES // 2**30} GiB; lower n_envs or the horizon"
        )
        require(needed <= MOST_BYTES, refusal)

    @property
    def source(self) -> str:
        """A digest of the code that decides the result: the engine, the cell and the family."""
        cell, family = TRAINABLES.find(self.agent).cell, FAMILIES.find(self.setting.env)
        return source_digest(ENGINE, cell.__module__, family.__module__)

    @property
    def name(self) -> str:
        """The name of the run when it is made by the source as it is now.

        Raises:
            InvalidTask: no such environment or agent.
        """
        return self.name_under(self.source)

    def name_under(self, source: str) -> str:
        """Readable and unique: agent, environment, hash of everything but the seed, seed.

        Args:
            source: the digest of the code that makes or made the run.
        """
        rest = {key: value for key, value in self.to_dict().items() if key != "seed"}
        text = json.dumps({**rest, "source": source}, sort_keys=True)
        short = self.setting.env.removeprefix("metalocus/").lower()
        return f"{self.agent}-{short}-{hashlib.sha256(text.encode()).hexdigest()[:8]}-s{self.seed}"

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON; ``env`` and ``env_kwargs`` are the setting's."""
        own = ("agent", "steps", "seed", "n_envs", "device")
        return {**self.setting.to_dict(), **{name: getattr(self, name) for name in own}}

    def to_json(self) -> str:
        """As text that :meth:`from_json` reads."""
        return json.dumps(self.to_dict(), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> RunConfig:
        """From :meth:`to_json`.

        Raises:
            ValueError: it is something else.
        """
        try:
            found = json.loads(text)
            setting = Setting(found.pop("env"), **found.pop("env_kwargs"))
            config = cls(setting, **found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("not the settings of a run") from None
        if not all(isinstance(each, str) for each in (setting.env, config.agent, config.device)):
            raise ValueError("not the settings of a run")
        return config
