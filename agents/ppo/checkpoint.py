"""Saving a model so that it continues bit for bit, and loading it without unpickling.

A checkpoint is one safetensors file. Its tensors are everything that training reads:
parameters, optimizer moments, the environment's episodes, what is carried, the reward
scale, PyTorch's generators. Its header holds the counters and a SHA-256 of them and of the
tensors, since safetensors itself accepts a flipped byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from metalocus.agents.ppo.files import Corrupt, Tensors, read_tensors, write_tensors
from metalocus.envs.sb3 import BatchVecEnv

if TYPE_CHECKING:
    from metalocus.agents.ppo.algorithm import SequencePPO


def save_checkpoint(
    model: SequencePPO, path: Path, spent: Mapping[str, float] | None = None
) -> None:
    """Write all that the next rollout and update read; call it between rollouts.

    Args:
        spent: what training took so far; :func:`load_checkpoint` returns it.
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
    write_tensors(path, tensors, {"counters": _counters(model), "spent": dict(spent or {})})


def load_checkpoint(model: SequencePPO, path: Path) -> dict[str, float]:
    """Continue as the saved model would have; ``model`` must be set up alike.

    Returns:
        What training it took, as given to :func:`save_checkpoint`.

    Raises:
        Corrupt: the file is damaged, or belongs to a model of other shapes.
    """
    tensors, header = read_tensors(path)
    try:
        _restore_learner(model, tensors)
        _restore_rollout(model, tensors)
        counters = header["counters"]
        model.num_timesteps, model._n_updates = counters["num_timesteps"], counters["n_updates"]
        if model.reward_scale is not None:
            model.reward_scale.running = tensors["running"].numpy()
            vars(model.reward_scale).update(counters["reward_scale"])
        spent: dict[str, float] = header["spent"]
    except (KeyError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise Corrupt(f"{path} belongs to another model ({reason}); delete it") from None
    return spent


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


def _counters(model: SequencePPO) -> dict[str, Any]:
    counters: dict[str, Any] = {
        "num_timesteps": model.num_timesteps,
        "n_updates": model._n_updates,
    }
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
