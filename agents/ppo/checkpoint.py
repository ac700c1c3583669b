"""Saving a model so that it continues bit for bit, and loading it without unpickling.

A checkpoint is one safetensors file. Its tensors are everything that training reads:
parameters, optimizer moments, the environment's episodes, what is carried, the reward
scale, PyTorch's generators. Its header says which run it is of, what made it, and where the
counters stood, with a SHA-256 of all that and of the tensors, since safetensors itself accepts
a flipped byte.
"""

from __future__ import annotations

import json
import os
import platform
import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt, Tensors, read_tensors, write_tensors
from metalocus.envs.sb3 import BatchVecEnv

COUNTERS = ("num_timesteps", "_n_updates", "_total_timesteps", "_open_ended")
"""Attributes of the model: how much is done, and what of how much."""


def save_checkpoint(
    model: SequencePPO,
    path: Path,
    spent: Mapping[str, float],
    identity: Mapping[str, Any],
    places: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Write all that the next rollout and update read; call it between rollouts.

    Args:
        model: as it is.
        path: of the file.
        spent: what training took so far; :func:`load_checkpoint` returns it.
        identity: what the caller knows the run by, JSON-able; the model's own settings and
            environment are recorded beside it.
        places: where the run was made up to here, JSON-able; :func:`load_checkpoint` returns them.
    """
    env = model.get_env()
    assert env is not None
    tensors = {f"policy.{name}": value for name, value in model.policy.state_dict().items()}
    for i, moments in model.policy.optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{i}.{name}": torch.as_tensor(v) for name, v in moments.items()}
    tensors |= {f"carry.{name}": value for name, value in model._last_carry.items()}
    arrays = {"obs": model._last_obs, "starts": model._last_episode_starts}
    if model.reward_scale is not None:
        arrays["running"] = model.reward_scale.running
    if isinstance(env.unwrapped, BatchVecEnv):
        state = env.unwrapped.state_dict()
        arrays |= {f"env.{name}": value for name, value in state.items()}
    tensors |= {name: torch.from_numpy(np.array(value)) for name, value in arrays.items()}
    tensors["rng"] = torch.get_rng_state()
    if model.device.type == "cuda":
        tensors["rng.cuda"] = torch.cuda.get_rng_state(model.device)
    header = {
        "identity": _identity(model, identity),
        "machine": machine(model.device),
        "counters": _counters(model),
        "spent": dict(spent),
        "places": list(places),
    }
    write_tensors(path, tensors, header)


def load_checkpoint(
    model: SequencePPO, path: Path, identity: Mapping[str, Any]
) -> tuple[dict[str, float], Any]:
    """Continue as the saved model would have; ``model`` must be set up alike.

    Warns if the checkpoint was made by other versions or another instruction set, since the
    results can then not be equal bit for bit.

    Args:
        model: new, with the same arguments in the same environment.
        path: of the file.
        identity: as given to :func:`save_checkpoint`.

    Returns:
        What training took, and where the run was made up to there, as given to
        :func:`save_checkpoint`.

    Raises:
        Corrupt: the file is damaged, or of another run.
    """
    tensors, header = read_tensors(path)
    if header.keys() != {"identity", "machine", "counters", "spent", "places", "sha256"}:
        raise Corrupt(f"{path} is not a checkpoint; delete it")
    _refuse_if(path, _difference(header["identity"], _identity(model, identity)))
    try:
        _restore_learner(model, tensors)
        _restore_rollout(model, tensors)
        _restore_counters(model, tensors, header["counters"])
    except (KeyError, RuntimeError, ValueError) as error:
        _refuse_if(path, str(error).splitlines()[0])
    warn_if_elsewhere(path, header["machine"], model.device)
    return header["spent"], header["places"]


def warn_if_elsewhere(path: Path, saved: Mapping[str, Any], device: torch.device) -> None:
    """Warn if a checkpoint was made where the bits of what follows may be others.

    Args:
        path: of the checkpoint.
        saved: :func:`machine` where it was made.
        device: that is used here.
    """
    other = _difference(saved, machine(device))
    if other:
        warnings.warn(
            f"{path} was made elsewhere ({other}): what follows will not be equal bit for bit to"
            " an uninterrupted run",
            stacklevel=3,
        )


def machine(device: torch.device) -> dict[str, Any]:
    """What decides the bits of the same computation: versions, instruction set, threads."""
    return {
        "python": platform.python_version(),
        "metalocus": version("metalocus"),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "instruction set": torch.backends.cpu.get_cpu_capability(),
        "ATEN_CPU_CAPABILITY": os.environ.get("ATEN_CPU_CAPABILITY"),
        "architecture": platform.machine(),
        "threads": torch.get_num_threads(),
        "accelerator": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
    }


def _identity(model: SequencePPO, given: Mapping[str, Any]) -> dict[str, Any]:
    """Which run it is, as JSON would have it: as told, and as far as the model knows."""
    env = model.get_env()
    assert env is not None
    known = {
        "policy": model.policy_kwargs,
        "seed": model.seed,
        "n_steps": model.n_steps,
        "n_envs": model.n_envs,
        "scale_rewards": model.scale_rewards,
        "device": model.device.type,
        "observations": str(model.observation_space),
        "actions": str(model.action_space),
    }
    if isinstance(env.unwrapped, BatchVecEnv):
        known["environment"] = env.unwrapped.setting.to_dict()  # in any order of arguments
    text = json.dumps({**given, **known}, default=lambda kind: getattr(kind, "__name__", "other"))
    read: dict[str, Any] = json.loads(text)
    return read


def _difference(saved: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """All entries that differ, in words; nothing if none does."""
    names = sorted(saved.keys() | here.keys())
    return ", ".join(
        f"its {name} is {saved.get(name)}, here {here.get(name)}"
        for name in names
        if saved.get(name) != here.get(name)
    )


def _refuse_if(path: Path, reason: str) -> None:
    """Raise :class:`Corrupt` if there is a reason."""
    if reason:
        rest = "continue that run, or move the file away to begin anew"
        raise Corrupt(f"{path} belongs to another run ({reason}); {rest}") from None


def _restore_learner(model: SequencePPO, tensors: Tensors) -> None:
    """Parameters, optimizer and generators."""
    model.policy.load_state_dict(_under("policy.", tensors))
    _load_optimizer(model.policy.optimizer, _under("optimizer.", tensors))
    torch.set_rng_state(tensors["rng"])
    if model.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["rng.cuda"], model.device)


def _restore_rollout(model: SequencePPO, tensors: Tensors) -> None:
    """Episodes, what is carried into them, and what is seen of them."""
    env = model.get_env()
    assert env is not None
    carry = _under("carry.", tensors)
    shapes = {name: value.shape for name, value in carry.items()} | {"obs": tensors["obs"].shape}
    expected = {name: value.shape for name, value in model._last_carry.items()}
    expected["obs"] = torch.Size((model.n_envs, *(model.observation_space.shape or ())))
    if shapes != expected:
        raise ValueError(f"its episodes have the shapes {shapes}")
    model._last_carry = {name: value.to(model.device) for name, value in carry.items()}
    model._last_obs = tensors["obs"].numpy()
    model._last_episode_starts = tensors["starts"].numpy()
    if isinstance(env.unwrapped, BatchVecEnv):
        state = _under("env.", tensors)
        env.unwrapped.load_state_dict({name: value.numpy() for name, value in state.items()})


def _restore_counters(model: SequencePPO, tensors: Tensors, counters: dict[str, Any]) -> None:
    """Steps and updates so far and as announced, and the running scale of rewards."""
    vars(model).update({name: counters[name] for name in COUNTERS})
    if model.reward_scale is not None:
        model.reward_scale.running = tensors["running"].numpy()
        vars(model.reward_scale).update(counters["reward_scale"])


def _counters(model: SequencePPO) -> dict[str, Any]:
    counters: dict[str, Any] = {name: vars(model)[name] for name in COUNTERS}
    if model.reward_scale is not None:
        scale = vars(model.reward_scale)
        counters["reward_scale"] = {name: scale[name] for name in ("count", "mean", "sum_squares")}
    return counters


def _load_optimizer(optimizer: torch.optim.Optimizer, flat: Tensors) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in flat.items():
        index, name = key.split(".", 1)
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _under(prefix: str, tensors: Tensors) -> Tensors:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}
