"""The arguments of a run: what may be given to environment, agent and trainer, and the defaults.

What an agent is built of (its cell's arguments, and the critic and the heads of its policy) is told
from how it is trained (those of its trainer's algorithm, such as
:class:`~metalocus.agents.ppo.algorithm.SequencePPO`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from stable_baselines3.common.policies import ActorCriticPolicy

from metalocus.agents.cells.base import TRAINABLES, Trainable
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.ppo.settings import defaults_of, plain
from metalocus.agents.trainers.base import TRAINERS
from metalocus.envs import FAMILIES, Setting
from metalocus.envs.episodes import Episodes
from metalocus.envs.layout import Layout
from metalocus.envs.registry import EPISODE_OPTIONS

POLICY = ("critic", "action_values", "net_arch", "ortho_init")
"""Arguments of the policy beside those of its cell that an agent can be given."""
START, REFERENCE = "start", "reference"
RUN_ARGUMENTS = (START, REFERENCE)
"""Arguments of training that may be another run."""
_DECIDED = frozenset(
    {
        *("policy", "env", "policy_kwargs", "seed", "device", "verbose", "tensorboard_log"),
        *("rollout_buffer_class", "rollout_buffer_kwargs", "use_sde", "sde_sample_freq"),
        "_init_setup_model",
    }
)
"""Arguments of an algorithm that the run decides, or that are no numbers or flags."""
_NO_NUMBER = math.nan
"""Of an argument that an agent does not have: an empty place in TensorBoard's table."""


def env_defaults(setting: Setting) -> dict[str, Any]:
    """The arguments of a setting's environment with their defaults.

    Raises:
        InvalidTask: no such environment.
    """
    own = defaults_of(FAMILIES.find(setting.env))
    options = defaults_of(Episodes)
    return own | {name: options[name] for name in EPISODE_OPTIONS}


def agent_defaults(agent: Trainable, layout: Layout) -> dict[str, Any]:
    """The arguments that an agent can be given with their defaults, its cell's first."""
    told = {} if agent.from_layout is None else agent.from_layout(layout)
    cell = defaults_of(agent.cell) | plain(agent.cell_kwargs)
    policy = defaults_of(ActorCriticPolicy) | defaults_of(SequencePolicy)
    own = {name: value for name, value in cell.items() if name not in told}
    return own | {name: policy[name] for name in POLICY}


def train_defaults(trainer: str) -> dict[str, Any]:
    """The arguments of training with their defaults; schedules as they are.

    Raises:
        InvalidTask: no such trainer.
    """
    found: dict[str, Any] = {}
    for made in TRAINERS.find(trainer).constructors:
        found |= {name: value for name, value in defaults_of(made).items() if name not in found}
    own = {name: value for name, value in found.items() if name not in _DECIDED}
    return own | {START: None}


def differing(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The given arguments that differ from their defaults, in the order of those."""
    known = [name for name in defaults if name in given]
    rest = sorted(given.keys() - defaults.keys())
    return {
        name: given[name]
        for name in (*known, *rest)
        if name not in defaults or not _same(given[name], defaults[name])
    }


def listed(name: str, given: Mapping[str, Any]) -> str:
    """A name and arguments, for people: ``lstm, hidden_size 32``."""
    said = [name, *(f"{argument} {value}" for argument, value in given.items())]
    return ", ".join(part for part in said if part)


def argument_values(
    agent: Trainable,
    layout: Layout,
    agent_kwargs: Mapping[str, Any],
    trainer: str,
    train_kwargs: Mapping[str, Any],
) -> dict[str, float | str]:
    """Every argument of agent and trainer with its value, under the same names for every run.

    A schedule is told by its first value. What agent or trainer does not have is NaN, or no text.
    """
    found: dict[str, float | str] = {}
    trained = train_defaults(trainer)
    for name, default in _all_trainers().items():
        value = train_kwargs.get(name, trained.get(name))
        like = "" if name in RUN_ARGUMENTS else default
        found[name] = _cell(value(1.0) if callable(value) else value, like)
    own = agent_defaults(agent, layout)
    for name, default in _all_agents().items():
        found[name] = _cell(agent_kwargs.get(name, own.get(name)), default)
    return found


def _all_trainers() -> dict[str, Any]:
    """The arguments of all trainers, each with the default of one that has it."""
    found: dict[str, Any] = {}
    for name in TRAINERS:
        found = train_defaults(name) | found
    return found


def _all_agents() -> dict[str, Any]:
    """The arguments of all agents, each with the default of one that has it.

    They are told of a layout that shows everything, since some agents cannot play others.
    """
    found: dict[str, Any] = {}
    layout = Setting("metalocus/BernoulliBandit-v0").layout
    for agent in TRAINABLES.values():
        found = agent_defaults(agent, layout) | found
    return found


def _cell(value: Any, default: Any) -> float | str:
    """A value in a column of the table: all of a column are numbers, or all are text."""
    text = isinstance(default, bool | str) or isinstance(value, bool | str | list | dict)
    if text:
        return "" if value is None else str(value)
    return _NO_NUMBER if value is None else float(value)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal; True is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
