"""The policy and the model of a run: untrained, or with given weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from stable_baselines3.common.utils import ConstantSchedule
from torch import Tensor

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.ppo.prediction import predicts_in
from metalocus.agents.trainers.base import TRAINERS
from metalocus.envs import InvalidTask
from metalocus.envs.checks import require, short_repr
from metalocus.envs.layout import action_space, observation_space
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.runs.arguments import POLICY, START

if TYPE_CHECKING:  # so that the code of a RunConfig is not among what decides a run's result
    from metalocus.experiments.runs.config import RunConfig

MOST_WEIGHTS = 2**32
"""Bytes that the weights of a policy may take: half of a machine of 8 GiB."""
SEED_SPACING = 2**20
"""Row i of run s is seeded s * SEED_SPACING + i, so that no two runs share a task stream."""


class NoOptimizer:
    """In place of the optimizer of a policy that is not trained.

    The first one of PyTorch imports its compiler, which takes as long as all the rest: three
    seconds.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None: ...


def build_policy(config: RunConfig) -> SequencePolicy:
    """The untrained policy of a run, on the CPU; it has no optimizer."""
    return _policy(config, **policy_kwargs(config))


def build_model(config: RunConfig) -> SequencePPO:
    """The untrained model of a run, in its environment.

    Raises:
        InvalidTask: an argument of training is impossible.
    """
    env = BatchVecEnv(config.setting.env, config.n_envs, **config.setting.kwargs)
    model = _model(config, env, {}, seed=config.seed, device=config.device)
    env.seed(config.seed * SEED_SPACING)
    return model


def policy_kwargs(config: RunConfig) -> dict[str, Any]:
    """The arguments of a run's policy: what its agent is, changed by what the run gives it."""
    found = TRAINABLES.find(config.agent).arguments(config.setting.layout)
    own = {name: value for name, value in config.agent_kwargs.items() if name in POLICY}
    cell = {name: value for name, value in config.agent_kwargs.items() if name not in POLICY}
    if config.train_kwargs.get("prediction_coef"):
        own["predicts"] = predicts_in(config.setting.layout)
    return {**found, "cell_kwargs": {**found["cell_kwargs"], **cell}, **own}


def try_out(config: RunConfig) -> None:
    """Build a run's model with one environment, and take a step.

    The state of random number generators stays as it is.

    Raises:
        InvalidTask: the model cannot be built with the arguments given, or is too large.
    """
    try:
        _require_small(config)
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            policy = build_policy(config)
            obs = torch.as_tensor(config.setting.episodes().observation())
            policy(obs, policy.initial_carry(1), torch.ones(1))
            env = BatchVecEnv(config.setting.env, 1, **config.setting.kwargs)
            _model(config, env, {"optimizer_class": NoOptimizer})
    except InvalidTask:
        raise
    except Exception as error:  # of whatever kind a constructor or a kernel raises
        given = {**config.agent_kwargs, **config.train_kwargs}
        arguments = " ".join(f"{name}={short_repr(value)}" for name, value in given.items())
        reason = str(error).partition("\n")[0]
        raise InvalidTask(f"{config.agent} cannot be built with {arguments}: {reason}") from None


def _model(
    config: RunConfig, env: BatchVecEnv, policy: Mapping[str, Any], **given: Any
) -> SequencePPO:
    own = {name: value for name, value in config.train_kwargs.items() if name != START}
    algorithm = TRAINERS.find(config.trainer).algorithm
    assert algorithm is not None  # where there is none, replicas are trained
    kwargs = {**policy_kwargs(config), **policy}
    return algorithm("SequencePolicy", env, policy_kwargs=kwargs, **own, **given)


def _policy(config: RunConfig, **kwargs: Any) -> SequencePolicy:
    layout = config.setting.layout
    spaces = observation_space(layout), action_space(layout)
    kwargs["optimizer_class"] = NoOptimizer
    return SequencePolicy(*spaces, ConstantSchedule(0.0), **kwargs)


def _require_small(config: RunConfig) -> None:
    """Raise :class:`InvalidTask` if the weights are too many, before any is allocated."""
    with torch.device("meta"):
        weights = _policy(config, **{**policy_kwargs(config), "ortho_init": False}).state_dict()
    needed = sum(each.nbytes for each in weights.values())
    refusal = (
        f"the weights of {config.agent} would take {needed / 2**30:,.1f} GiB of memory,"
        f" more than {MOST_WEIGHTS // 2**30} GiB; make it smaller"
    )
    require(needed <= MOST_WEIGHTS, refusal)


def fill(policy: SequencePolicy, weights: Mapping[str, Tensor]) -> None:
    """Give a policy weights that were read from a file.

    Raises:
        ValueError: they are not those of such a policy, or not finite; the message is one line.
    """
    own = policy.state_dict()
    if not isinstance(weights, Mapping) or weights.keys() != own.keys():
        raise ValueError("it has other parts")
    for name, tensor in own.items():
        given = weights[name]
        if not isinstance(given, Tensor) or given.layout != tensor.layout:
            raise ValueError(f"{name} is no plain tensor")
        if (given.dtype, given.shape) != (tensor.dtype, tensor.shape):
            has = f"{tuple(given.shape)} of {given.dtype}"
            raise ValueError(f"{name} is {has}, not {tuple(tensor.shape)} of {tensor.dtype}")
        if not torch.isfinite(given).all():
            raise ValueError(f"{name} is not finite")
    policy.load_state_dict(dict(weights))
