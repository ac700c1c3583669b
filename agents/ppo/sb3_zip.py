"""SB3's zip files, written whole or not at all, and read without unpickling."""

from __future__ import annotations

import io
import json
import warnings
import zipfile
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.save_util import is_json_serializable, open_path
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from metalocus.agents.ppo.files import Corrupt, write_atomically
from metalocus.agents.ppo.reward_scaling import RewardScale
from metalocus.agents.ppo.schedules import LengtheningHorizon, PowerDecay

File = str | Path | io.BufferedIOBase
SCHEDULES = {
    "learning_rate": "learning_rate",
    "clip_range": "clip_range",
    "clip_range_vf": "clip_range_vf",
    "gamma": "gamma_schedule",
    "gae_lambda": "lambda_schedule",
    "ent_coef": "entropy_schedule",
}
"""Arguments that may be schedules, and the attributes that hold them."""
PLAIN = [
    "policy_kwargs",
    "n_minibatches",
    "n_epochs",
    "normalize_advantage",
    "scale_rewards",
    "center_advantages",
    "all_action_coef",
    "vf_coef",
    "max_grad_norm",
    "target_kl",
    "rollout_buffer_kwargs",
    "verbose",
    "seed",
]
"""Arguments that are held as they are and can be JSON."""
GIVEN = ["n_steps", "batch_size"]
COUNTERS = ("num_timesteps", "_n_updates", "_total_timesteps", "_num_timesteps_at_start")
MOMENTS = ("count", "mean", "sum_squares")
KIND = "schedule"
KINDS: dict[str, Callable[..., Schedule]] = {
    kind.__name__: kind
    for kind in (ConstantSchedule, LinearSchedule, LengtheningHorizon, PowerDecay)
}
"""Schedules that JSON can hold: all their attributes are numbers, named as their arguments."""


class ArchivedPPO(PPO):
    """PPO with a :meth:`load` that runs no code and a :meth:`save` that leaves no half file."""

    reward_scale: RewardScale | None
    _given: dict[str, int | None]

    def save(
        self,
        path: File,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Write SB3's zip; an older file is replaced whole or not at all.

        Args:
            path: ``.zip`` is added to a name without a suffix; or an open file.
            exclude, include: attributes, as for SB3.
        """
        self._described = _description(self)
        if isinstance(path, io.BufferedIOBase):
            super().save(path, exclude, include)
            return
        buffer = io.BytesIO()
        super().save(buffer, exclude, include)
        path = Path(path)
        write_atomically(path if path.suffix else path.with_suffix(".zip"), buffer.getvalue())

    @classmethod
    def load(
        cls,
        path: File,
        env: GymEnv | None = None,
        device: torch.device | str = "cpu",
        custom_objects: dict[str, Any] | None = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        trust_pickle: bool = False,
        **kwargs: Any,
    ) -> Self:
        """The model that :meth:`save` wrote, in an environment given; nothing is unpickled.

        Parameters, optimizer, counters, reward scale and arguments come back, but for those that
        only a pickle can hold: a policy class or schedule function of your own, and
        ``policy_kwargs`` with objects in them. Give these again; a schedule that is not given is
        the default, with a warning.

        Args:
            path: ``.zip`` is tried too; or an open file.
            env: to play in, from its beginning; may be left out with ``trust_pickle``.
            device: to compute on.
            custom_objects: ``policy_class`` and arguments, instead of those stored.
            print_system_info, force_reset: as for SB3, which heeds them with ``trust_pickle``.
            trust_pickle: let SB3 load the file, which runs whatever code is in it.
            **kwargs: arguments of the constructor, instead of those stored.

        Raises:
            Corrupt: the file is not such a zip, or does not fit the environment.
            ValueError: something is missing that must be given.
        """
        if trust_pickle:
            return cls._load_trusted(
                path, env, device, custom_objects, print_system_info, force_reset, **kwargs
            )
        if env is None:
            raise ValueError(
                f"give {cls.__name__}.load the environment as env=...; only trust_pickle=True,"
                " which runs whatever code is in the file, can do without"
            )
        given = {**(custom_objects or {}), **kwargs}
        policy = given.pop("policy_class", "SequencePolicy")
        counters, described, weights = _read(path, device)
        unfit = f"{path} does not fit the environment and arguments"
        with _refused(unfit):
            arguments = _arguments(described["arguments"])
        _require_rest(arguments, given)
        with _refused(unfit):
            model = cls(policy, env, device=device, **{**arguments, **given})
            model.set_parameters(weights, device=device)
            _restore(model, counters, described["moments"])
        return model

    @classmethod
    def _load_trusted(cls, path: File, env: GymEnv | None, *args: Any, **kwargs: Any) -> Self:
        """By SB3, whose keyword arguments name attributes."""
        if {"n_steps", "batch_size"} & kwargs.keys():
            raise ValueError("with trust_pickle=True n_steps and batch_size stay as they were")
        for name in ("gamma", "gae_lambda", "ent_coef"):
            if name in kwargs:
                kwargs[SCHEDULES[name]] = FloatSchedule(kwargs.pop(name))
        model = super().load(path, env, *args, **kwargs)
        if model.reward_scale is not None:  # whatever it played is over
            model.reward_scale.running = np.zeros(model.n_envs)
        return model


def _description(model: ArchivedPPO) -> dict[str, Any]:
    """The constructor's arguments and the reward scale, as far as JSON can hold them."""
    scale = model.reward_scale
    moments = None if scale is None else {name: vars(scale)[name] for name in MOMENTS}
    return {"arguments": described_arguments(model), "moments": moments}


def described_arguments(model: ArchivedPPO) -> dict[str, Any]:
    """The constructor's arguments, as far as JSON can hold them."""
    arguments = {name: getattr(model, name) for name in PLAIN} | model._given
    for name, attribute in SCHEDULES.items():
        arguments[name] = _as_json(getattr(model, attribute))
    return {k: v for k, v in arguments.items() if is_json_serializable(v)}


def _as_json(schedule: Schedule | float | None) -> Any:
    """A schedule by kind and numbers; others as they are."""
    inner = schedule.value_schedule if isinstance(schedule, FloatSchedule) else schedule
    kind = type(inner).__name__
    return {KIND: kind, **vars(inner)} if type(inner) is KINDS.get(kind) else inner


def _read(
    path: File, device: torch.device | str
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Attributes, description, and state dictionaries of policy and optimizer."""
    file = open_path(path, "r", suffix="zip")
    try:
        with zipfile.ZipFile(file) as archive:
            data = json.loads(archive.read("data"))
            described = data["_described"]
            weights = {
                name: torch.load(
                    io.BytesIO(archive.read(f"{name}.pth")), map_location=device, weights_only=True
                )
                for name in ("policy", "policy.optimizer")
            }
    except Exception:  # a file from elsewhere can fail in any way; none of them is ours
        raise Corrupt(
            f"{path} is damaged, or was not written by SequencePPO.save; only trust_pickle=True,"
            " which runs whatever code is in the file, may load it"
        ) from None
    finally:
        if not isinstance(path, io.BufferedIOBase):
            file.close()
    return data, described, weights


@contextmanager
def _refused(what: str) -> Generator[None]:
    """Any error that damaged or unfitting contents may cause, as :class:`Corrupt`."""
    try:
        yield
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as e:
        raise Corrupt(f"{what}: {(str(e) or 'malformed').splitlines()[0]}") from None


def _arguments(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments as they were stored."""
    found = {name: stored[name] for name in PLAIN + GIVEN + [*SCHEDULES] if name in stored}
    for name in SCHEDULES:
        if isinstance(found.get(name), dict):
            numbers = {key: float(value) for key, value in found[name].items() if key != KIND}
            found[name] = KINDS[found[name][KIND]](**numbers)
    return found


def _require_rest(stored: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """See that what only a pickle could hold is given, or say that it is not."""
    missing = [name for name in ("policy_kwargs", *SCHEDULES) if name not in {**stored, **given}]
    if "policy_kwargs" in missing:
        raise ValueError("policy_kwargs hold more than JSON and were not stored; give them")
    if missing:
        names = ", ".join(missing)
        warnings.warn(f"not stored, therefore the default: {names}; give your own", stacklevel=3)


def _restore(model: ArchivedPPO, counters: Mapping[str, Any], moments: Any) -> None:
    """Counters and reward scale."""
    vars(model).update({name: int(counters[name]) for name in COUNTERS})
    if model.reward_scale is not None and moments is not None:
        vars(model.reward_scale).update({name: float(moments[name]) for name in MOMENTS})
