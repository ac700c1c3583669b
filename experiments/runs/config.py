"""What a training run is: the settings that decide its result, and the name they give it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.checks import require, require_count

DEVICES = ("cpu", "cuda")
ENGINE = 5
"""Version of the engine's defaults and of the cells' initial weights: raise it when they change,
so that no run is taken for one that was made otherwise."""
LARGEST_SEED = 2**32 - 1
"""NumPy's global generator, which Stable-Baselines3 seeds, takes no larger one."""


@dataclass(frozen=True)
class RunConfig:
    """One training run.

    Attributes:
        env: full id.
        agent: a trainable agent's name.
        steps: environment steps to train for; 0 gives the untrained agent.
        seed: of weights, actions and tasks.
        n_envs: environments stepped together.
        device: ``cpu`` or ``cuda``.
        env_kwargs: the environment's arguments.
    """

    env: str
    agent: str
    steps: int
    seed: int
    n_envs: int
    device: str = "cpu"
    env_kwargs: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def suited(
        cls, setting: Setting, agent: str, steps: int, seed: int = 0, device: str = "cpu"
    ) -> RunConfig:
        """A run with as many environments as suit the agent and the length of the episodes.

        Raises:
            InvalidTask: no such environment or agent.
        """
        n_envs = max(1, TRAINABLES.find(agent).rollout // setting.family.horizon)
        return cls(setting.env, agent, steps, seed, n_envs, device, dict(setting.kwargs))

    @property
    def setting(self) -> Setting:
        """What is trained on."""
        return Setting(self.env, **self.env_kwargs)

    def check(self) -> None:
        """Raise :class:`InvalidTask`, in one line, unless the run can be made."""
        self.setting.episodes()
        TRAINABLES.find(self.agent)
        require_count("steps", self.steps, 0)
        require_count("seed", self.seed, 0)
        require(self.seed <= LARGEST_SEED, f"seed must be at most {LARGEST_SEED}, got {self.seed}")
        require_count("n_envs", self.n_envs, 1)
        if self.device not in DEVICES:
            raise InvalidTask(f"device must be one of {', '.join(DEVICES)}, got {self.device!r}")

    @property
    def name(self) -> str:
        """Readable and unique: agent, environment, hash of everything but the seed, seed."""
        rest = {key: value for key, value in asdict(self).items() if key != "seed"}
        rest["engine"] = ENGINE
        text = json.dumps(rest, sort_keys=True)
        short = self.env.removeprefix("metalocus/").lower()
        return f"{self.agent}-{short}-{hashlib.sha256(text.encode()).hexdigest()[:8]}-s{self.seed}"

    def to_json(self) -> str:
        """As text that :meth:`from_json` reads."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> RunConfig:
        """From :meth:`to_json`; ValueError or TypeError if it is something else."""
        return cls(**json.loads(text))
