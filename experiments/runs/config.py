"""What a training run is: the settings that decide its result, and the name they give it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.settings import plain
from metalocus.envs import FAMILIES, InvalidTask, Setting
from metalocus.envs.checks import MOST_ROWS, require, require_count, short_repr
from metalocus.experiments.runs.arguments import (
    agent_defaults,
    differing,
    env_defaults,
    listed,
    require_alike,
    require_known,
    require_sizes,
    train_defaults,
)
from metalocus.experiments.runs.build import try_out
from metalocus.experiments.runs.made_with import made_with, require_there
from metalocus.experiments.runs.named import title_of
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
LONGEST_SLUG, LONGEST_SLUGS = 32, 80
"""Characters of a run's name that one argument may take, and all: a file system takes 255."""
_OWN = ("agent", "agent_kwargs", "train_kwargs", "steps", "seed", "n_envs", "device")


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
        agent_kwargs: arguments of the agent's cell, and of its policy
            (:data:`~metalocus.experiments.runs.arguments.POLICY`), of types that JSON has.
        train_kwargs: arguments of :class:`~metalocus.agents.ppo.algorithm.SequencePPO`, of types
            that JSON has.

    Raises:
        InvalidTask: an argument has no form in JSON.
    """

    setting: Setting
    agent: str
    steps: int
    seed: int
    n_envs: int
    device: str = "cpu"
    agent_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    train_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        for name in ("agent_kwargs", "train_kwargs"):
            object.__setattr__(self, name, _as_json(name, getattr(self, name)))

    @classmethod
    def suited(
        cls,
        setting: Setting,
        agent: str,
        steps: int,
        seed: int = 0,
        device: str = "cpu",
        agent_kwargs: Mapping[str, Any] | None = None,
        train_kwargs: Mapping[str, Any] | None = None,
    ) -> RunConfig:
        """A run with as many environments as suit the agent and the length of the episodes.

        One rollout of one episode in each is at most the steps asked for, if that can be.

        Raises:
            InvalidTask: no such environment or agent.
        """
        rollout = TRAINABLES.find(agent).rollout
        most = min(rollout, steps) if steps > 0 else rollout
        n_envs = max(1, most // setting.family.horizon)
        given = dict(agent_kwargs or {}), dict(train_kwargs or {})
        return cls(setting, agent, steps, seed, n_envs, device, *given)

    def check(self) -> None:
        """Raise :class:`InvalidTask`, in one line, unless the run can be made."""
        self.setting.episodes()
        TRAINABLES.find(self.agent)
        require_count("steps", self.steps, 0)
        require_count("seed", self.seed, 0, LARGEST_SEED)
        require_count("n_envs", self.n_envs, 1, MOST_ROWS)
        self.setting.family.check_size(self.n_envs)
        if self.agent_kwargs or self.train_kwargs:
            require_known(f"argument of {self.agent}", self.agent_kwargs, self._agent_defaults)
            require_known("argument of training", self.train_kwargs, train_defaults())
            require_alike(self.agent_kwargs, self._agent_defaults)
            require_sizes(self.agent_kwargs, self._agent_defaults)
            try_out(self)
        self._check_rollout()
        if self.device not in DEVICES:
            raise InvalidTask(f"device must be one of {', '.join(DEVICES)}, got {self.device!r}")

    @property
    def rollout(self) -> int:
        """Steps of one rollout: by default an episode in every environment."""
        length: int = self.train_kwargs.get("n_steps") or self.setting.family.horizon
        return self.n_envs * length

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
        return source_digest(ENGINE, *self._modules)

    @property
    def _modules(self) -> tuple[str, ...]:
        """The modules of the agent, of its cell and of the family."""
        cell, family = TRAINABLES.find(self.agent).cell, FAMILIES.find(self.setting.env)
        return TRAINABLES.home(self.agent), cell.__module__, family.__module__

    @property
    def name(self) -> str:
        """The name of the run when it is made by the source as it is now.

        Raises:
            InvalidTask: no such environment or agent.
        """
        return self.name_under(self.source)

    def name_under(self, source: str) -> str:
        """Readable and unique: agent, environment, what differs from the defaults, hash, seed.

        The hash is of everything but the seed; arguments that are given as they are by default
        change neither it nor the name.

        Args:
            source: the digest of the code that makes or made the run.

        Raises:
            InvalidTask: no such environment or agent.
        """
        env, agent, training = self.differing()
        decided: dict[str, Any] = {"env": self.setting.env, "env_kwargs": env}
        decided |= {"agent": self.agent, "agent_kwargs": agent, "train_kwargs": training}
        decided |= {"steps": self.steps, "n_envs": self.n_envs, "device": self.device}
        text = json.dumps({**decided, "source": source}, sort_keys=True)
        short = self.setting.env.removeprefix("metalocus/").lower()
        slugs = _slugs({**env, **agent, **training})
        parts = [_slug(self.agent), _slug(short), *slugs]
        parts += [hashlib.sha256(text.encode()).hexdigest()[:8], f"s{self.seed}"]
        return "-".join(parts)

    @property
    def title(self) -> str:
        """For people: agent, task, training, and what differs from the defaults in each; the seed.

        Raises:
            InvalidTask: no such environment or agent.
        """
        _, agent, training = self.differing()
        parts = [listed(self.agent, agent), title_of(self.setting)]
        if training:
            parts.append(", ".join(f"{name} {value}" for name, value in training.items()))
        return " · ".join([*parts, f"seed {self.seed}"])

    def differing(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The arguments of environment, agent and training that differ from the defaults.

        Raises:
            InvalidTask: no such environment or agent.
        """
        return (
            differing(self.setting.kwargs, env_defaults(self.setting)),
            differing(self.agent_kwargs, self._agent_defaults),
            differing(self.train_kwargs, train_defaults()),
        )

    @property
    def _agent_defaults(self) -> dict[str, Any]:
        return agent_defaults(TRAINABLES.find(self.agent), self.setting.layout)

    def to_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON; ``env`` and ``env_kwargs`` are the setting's."""
        return {**self.setting.to_dict(), **{name: getattr(self, name) for name in _OWN}}

    def to_json(self) -> str:
        """As text that :meth:`from_json` reads; also says which code from outside it takes."""
        return json.dumps({**self.to_dict(), **self._made_with()}, indent=2, sort_keys=True)

    def _made_with(self) -> dict[str, Any]:
        """Where agent and environment are from, if they are from outside the package."""
        known = self.agent in TRAINABLES and self.setting.env in FAMILIES
        found = made_with(*self._modules) if known else []
        return {"made_with": found} if found else {}

    @classmethod
    def from_json(cls, text: str | bytes) -> RunConfig:
        """From :meth:`to_json`.

        Raises:
            ValueError: it is something else.
            InvalidTask: it takes code from outside the package that is not loaded; the message
                says which, and nothing is imported.
        """
        try:
            found = json.loads(text)
            outside = found.pop("made_with", [])
            setting = Setting(found.pop("env"), **found.pop("env_kwargs"))
            config = cls(setting, **found)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise ValueError("not the settings of a run") from None
        if not all(isinstance(each, str) for each in (setting.env, config.agent, config.device)):
            raise ValueError("not the settings of a run")
        try:
            require_there(setting.env, config.agent, outside)
        except TypeError:
            raise ValueError("not the settings of a run") from None
        return config


def _as_json(name: str, given: Any) -> dict[str, Any]:
    """Arguments as JSON gives them back, or :class:`InvalidTask`."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(plain(given)))
        fits = isinstance(found, dict)
    except (TypeError, ValueError, RecursionError):
        fits = False
    types = "numbers, texts, flags, None or lists and dicts of them, by name"
    require(fits, f"{name} must be {types}, got {short_repr(given)}")
    return found


def _slugs(given: Mapping[str, Any]) -> list[str]:
    """Arguments as parts of a name; those beyond what a name can hold are left out."""
    found: list[str] = []
    for name, value in given.items():
        slug = _slug(f"{name}_{value}")[:LONGEST_SLUG]
        if sum(map(len, found)) + len(slug) <= LONGEST_SLUGS:
            found.append(slug)
    return found


def _slug(text: str) -> str:
    """A text without what a file system or a terminal may take for something else."""
    return re.sub(r"[^\w.-]+", "_", text, flags=re.ASCII).strip("_.-")
