"""What a training run is: the settings that decide its result, and the name they give it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from metalocus.agents.catalogue import find_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.settings import plain
from metalocus.agents.trainers import online
from metalocus.agents.trainers.base import TRAINERS
from metalocus.envs import FAMILIES, Setting
from metalocus.envs.checks import require, short_repr
from metalocus.experiments.runs.arguments import (
    REFERENCE,
    agent_defaults,
    differing,
    env_defaults,
    listed,
    train_defaults,
)
from metalocus.experiments.runs.made_with import made_with, require_there
from metalocus.experiments.runs.named import title_of
from metalocus.experiments.runs.other_runs import (
    deciding,
    shown,
    with_runs,
)
from metalocus.experiments.runs.source import source_digest

ENGINE = "metalocus.experiments.runs.build"
"""The module that builds what is trained: the engine is all that it imports."""
REPLICAS = "metalocus.experiments.runs.replicas"
"""The module that builds what is trained online."""
LONGEST_SLUG, LONGEST_SLUGS = 32, 80
"""Characters of a run's name that one argument may take, and all: a file system takes 255."""
RL = "rl"
"""The trainer of a run that names none; it stands in no run's name."""
_OWN = ("agent", "agent_kwargs", "trainer", "train_kwargs", "steps", "seed", "n_envs", "device")


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
        train_kwargs: arguments of the trainer's algorithm, for ``rl`` of
            :class:`~metalocus.agents.ppo.algorithm.SequencePPO`, of types that JSON has. Of any
            trainer ``start`` is the folder of a run whose weights training begins with.
        trainer: name of one in ``agents/trainers``.

    Raises:
        InvalidTask: an argument has no form in JSON, or is a folder that holds no finished run.
    """

    setting: Setting
    agent: str
    steps: int
    seed: int
    n_envs: int
    device: str = "cpu"
    agent_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    train_kwargs: Mapping[str, Any] = field(default_factory=dict, hash=False)
    trainer: str = RL

    def __post_init__(self) -> None:
        for name in ("agent_kwargs", "train_kwargs"):
            object.__setattr__(self, name, _as_json(name, getattr(self, name)))
        object.__setattr__(self, "train_kwargs", with_runs(self.train_kwargs))

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
        trainer: str = RL,
    ) -> RunConfig:
        """A run with as many environments as suit the agent and the length of the episodes.

        One rollout of one episode in each is at most the steps asked for, if that can be. Of what
        learns online there are
        :data:`~metalocus.agents.trainers.online.REPLICAS` of each learning rate.

        Raises:
            InvalidTask: no such environment or agent.
        """
        rollout = TRAINABLES.find(agent).rollout
        most = min(rollout, steps) if steps > 0 else rollout
        n_envs = max(1, most // setting.family.horizon)
        given = dict(agent_kwargs or {}), dict(train_kwargs or {})
        if trainer == online.TRAINER.name:
            rate = given[1].get("rate")
            n_envs = online.REPLICAS * max(len(rate) if isinstance(rate, list) else 1, 1)
        return cls(setting, agent, steps, seed, n_envs, device, *given, trainer)

    @property
    def rollout(self) -> int:
        """Steps of one rollout: by default an episode in every environment."""
        length: int = self.train_kwargs.get("n_steps") or self.setting.family.horizon
        return self.n_envs * length

    @property
    def source(self) -> str:
        """A digest of the code that decides the result.

        That is the engine, the trainer, the cell, the family, and a reference that is imitated.
        """
        return source_digest(ENGINE, *self._modules)

    @property
    def _modules(self) -> tuple[str, ...]:
        """The modules of the agent, its cell, the family, the trainer and whom it imitates."""
        cell, family = TRAINABLES.find(self.agent).cell, FAMILIES.find(self.setting.env)
        reference = self.train_kwargs.get(REFERENCE)
        named = [find_named(reference).__module__] if isinstance(reference, str) else []
        own = TRAINABLES.home(self.agent), cell.__module__, family.__module__
        built = [REPLICAS] if self.trainer == online.TRAINER.name else []
        return *own, TRAINERS.home(self.trainer), *built, *named

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
        decided |= {"agent": self.agent, "agent_kwargs": agent}
        decided |= {"train_kwargs": deciding(training)}
        decided |= {"steps": self.steps, "n_envs": self.n_envs, "device": self.device}
        if self.trainer != RL:
            decided["trainer"] = self.trainer
        text = json.dumps({**decided, "source": source}, sort_keys=True)
        short = self.setting.env.removeprefix("metalocus/").lower()
        slugs = _slugs({**env, **agent, **shown(training)})
        by = [] if self.trainer == RL else [_slug(self.trainer)]
        parts = [_slug(self.agent), _slug(short), *by, *slugs]
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
        trained = listed("" if self.trainer == RL else self.trainer, shown(training))
        if trained:
            parts.append(trained)
        return " · ".join([*parts, f"seed {self.seed}"])

    def differing(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        """The arguments of environment, agent and training that differ from the defaults.

        Raises:
            InvalidTask: no such environment or agent.
        """
        return (
            differing(self.setting.kwargs, env_defaults(self.setting)),
            differing(self.agent_kwargs, self._agent_defaults),
            differing(self.train_kwargs, train_defaults(self.trainer)),
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
        known = known and self.trainer in TRAINERS
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
        texts = setting.env, config.agent, config.device, config.trainer
        if not all(isinstance(each, str) for each in texts):
            raise ValueError("not the settings of a run")
        try:
            require_there(setting.env, config.agent, config.trainer, outside)
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
