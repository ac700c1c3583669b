"""A model that was trained elsewhere as a run: SequencePPO's zips, and RecurrentPPO's."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule
from torch import Tensor

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import content_digest
from metalocus.agents.ppo.policy import HEAD, SequencePolicy
from metalocus.agents.ppo.sb3_zip import STORED
from metalocus.agents.ppo.settings import plain
from metalocus.agents.trained.foreign import load_foreign
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.checks import require
from metalocus.experiments.porting.exchange import write_imported
from metalocus.experiments.runs.arguments import train_defaults
from metalocus.experiments.runs.build import build_policy, fill
from metalocus.experiments.runs.config import RL, RunConfig
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.runs.records import versions
from metalocus.experiments.runs.subject import load_own_model

OWN, RECURRENT = "SequencePPO", "RecurrentPPO"
ELSEWHERE = "elsewhere"
"""In a run's versions, in place of the version of metalocus that trained it."""


def adopt(file: Path, out: Path, algo: str, setting: Setting) -> Path:
    """Make a run directory of a zip that ``save`` wrote; returns it.

    The run's name and its source digest are of the weights, so that it is never taken for a run
    that was trained here with the same settings. Nothing in the zip is unpickled.

    Args:
        file: the zip.
        out: folder of runs.
        algo: ``SequencePPO`` or ``RecurrentPPO``.
        setting: what it was trained on.

    Raises:
        InvalidTask: no agent of ours has its architecture; or there is no such environment.
        Corrupt: the file is no such zip, or does not fit the setting.
        WrongUse: the run exists under ``out``, finished or not.
    """
    if algo == OWN:
        agent, kwargs, training, weights = _own(file, setting)
    elif algo == RECURRENT:
        agent, kwargs, training, weights = _recurrent(file, setting)
    else:
        raise InvalidTask(
            f"only zips of {OWN} and {RECURRENT} become runs; those of {algo} are probed and"
            " evaluated as they are, with --algo"
        )
    steps, seed, n_envs = _counters(file)
    config = RunConfig(setting, agent, steps, seed, n_envs, "cpu", kwargs, training)
    require_possible(config)
    policy = build_policy(config)
    try:
        fill(policy, weights)
    except ValueError as error:
        raise InvalidTask(f"{file} is no {agent} with {kwargs}: {error}") from None
    source = content_digest(dict(policy.state_dict()), {})[:16]
    made_by = {
        "run": config.name_under(source),
        "source": source,
        "versions": versions() | {"metalocus": ELSEWHERE},
    }
    account = {"algo": algo, "imported": file.name, "steps": steps}
    return write_imported(out, config, policy, account, made_by)


Found = tuple[str, dict[str, Any], dict[str, Any], Mapping[str, Tensor]]
"""Name of the agent, its arguments, those of training, and weights."""


def _own(file: Path, setting: Setting) -> Found:
    """Of a zip that ``SequencePPO.save`` wrote."""
    model = load_own_model(file, setting)
    policy = model.policy
    _require_tanh(policy.activation_fn)
    layout = setting.layout
    seen = list(range(layout.size)) if policy.inputs is None else policy.inputs
    for name, agent in TRAINABLES.items():
        told = {} if agent.from_layout is None else dict(agent.from_layout(layout))
        given = policy.cell_kwargs
        alike = agent.cell.name == policy.cell_name and list(layout.indices(agent.sees)) == seen
        known = agent.cell_kwargs.keys() <= given.keys() and {**given, **told} == given
        if alike and known:
            own = {key: value for key, value in given.items() if key not in told}
            return name, own | _heads(policy), _training(model, file), policy.state_dict()
    raise InvalidTask(
        f"no agent is a {policy.cell_name} that sees positions {seen} of the observation;"
        " probe and evaluate take the zip as it is, with --algo"
    )


def _heads(policy: SequencePolicy) -> dict[str, Any]:
    """Arguments of the policy beside the cell's."""
    heads = plain(policy.net_arch)
    own = {"critic": policy.critic, "action_values": policy.action_values}
    return own if heads == [HEAD] else {**own, "net_arch": heads}


def _training(model: SequencePPO, file: Path) -> dict[str, Any]:
    """Arguments of training that a run can hold; one line on those that it cannot."""
    found, lost = {}, set(_read(file)["_described"]["not stored"])
    defaults = train_defaults(RL)
    for name in defaults.keys() & STORED.keys() - lost:
        value = getattr(model, STORED[name])
        value = value.value_schedule if isinstance(value, FloatSchedule) else value
        value = value.val if isinstance(value, ConstantSchedule) else value
        if not callable(value):
            found[name] = value
        elif _numbers(value) != _numbers(defaults[name]):
            lost.add(name)
    if lost & defaults.keys():
        names = ", ".join(sorted(lost & defaults.keys()))
        warnings.warn(f"{file.name}: schedules are not carried over: {names}", stacklevel=3)
    return found


def _numbers(value: Any) -> Any:
    """A schedule as its kind and numbers."""
    return (type(value), vars(value)) if callable(value) else value


def _recurrent(file: Path, setting: Setting) -> Found:
    """Of a zip that sb3-contrib's ``RecurrentPPO.save`` wrote: its LSTM is our cell ``lstm``."""
    policy = load_foreign(file, RECURRENT, setting).policy
    assert isinstance(policy, RecurrentActorCriticPolicy)
    _require_tanh(policy.activation_fn)
    separate = policy.lstm_critic is not None
    require(
        separate or policy.shared_lstm,
        f"{file} has a critic without memory (enable_critic_lstm=False); no agent has one; probe"
        " and evaluate take the zip as it is, with --algo",
    )
    weights: dict[str, Tensor] = {}
    cells = {"lstm_actor": "cell", "lstm_critic": "critic_cell"}
    for name, tensor in policy.state_dict().items():
        module, _, rest = name.partition(".")
        if module in cells:
            kind, _, layer = rest.rpartition("_l")
            name = f"{cells[module]}.layers.{layer}.{kind}_l0"
        weights[name] = tensor
    kwargs = {
        "hidden_size": policy.lstm_actor.hidden_size,
        "n_layers": policy.lstm_actor.num_layers,
        "critic": "separate" if separate else "detached",
        "action_values": False,
        "net_arch": plain(policy.net_arch),
    }
    warnings.warn(
        f"{file.name}: how {RECURRENT} trained it is not carried over; the run's arguments of"
        f" training are {OWN}'s",
        stacklevel=3,
    )
    return "lstm", kwargs, {}, weights


def _require_tanh(activation: type) -> None:
    require(
        activation is torch.nn.Tanh,
        f"heads with {activation.__name__} cannot be carried over, only those with Tanh; probe and"
        " evaluate take the zip as it is, with --algo",
    )


def _counters(file: Path) -> tuple[int, int, int]:
    """Steps, seed (0 if it had none) and environments, of a zip that was read before."""
    data = _read(file)
    return int(data["num_timesteps"]), int(data.get("seed") or 0), int(data.get("n_envs") or 1)


def _read(file: Path) -> dict[str, Any]:
    """The attributes of the model in a zip that was read before."""
    with zipfile.ZipFile(file) as archive:
        found: dict[str, Any] = json.loads(archive.read("data"))
    return found
