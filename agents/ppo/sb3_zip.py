"""SB3's zip files, written whole or not at all, and read without unpickling."""

from __future__ import annotations

import hashlib
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
from stable_baselines3.common.save_util import is_json_serializable, load_from_zip_file, open_path
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import ConstantSchedule, FloatSchedule, LinearSchedule

from metalocus.agents.ppo.buffer import SequenceBuffer
from metalocus.agents.ppo.files import Corrupt, require_file, write_atomically
from metalocus.agents.ppo.finite import require_weights
from metalocus.agents.ppo.reward_scaling import RewardScale
from metalocus.agents.ppo.schedules import LengtheningHorizon, PowerDecay
from metalocus.agents.ppo.settings import plain

File = str | Path | io.BufferedIOBase
STORED = {
    "learning_rate": "lr_schedule",
    "n_steps": "given_n_steps",
    "batch_size": "given_batch_size",
    "n_minibatches": "n_minibatches",
    "n_epochs": "n_epochs",
    "gamma": "gamma_schedule",
    "gae_lambda": "gae_lambda_schedule",
    "ent_coef": "ent_coef_schedule",
    "all_action_coef": "all_action_coef",
    "prediction_coef": "prediction_coef",
    "scale_rewards": "scale_rewards",
    "center_advantages": "center_advantages",
    "clip_range": "clip_range",
    "clip_range_vf": "clip_range_vf",
    "normalize_advantage": "normalize_advantage",
    "vf_coef": "vf_coef",
    "max_grad_norm": "max_grad_norm",
    "target_kl": "target_kl",
    "rollout_buffer_kwargs": "rollout_buffer_kwargs",
    "stats_window_size": "_stats_window_size",
    "policy_kwargs": "policy_kwargs",
    "verbose": "verbose",
    "seed": "seed",
}
"""Arguments that come back if JSON can hold them, and the attributes that hold them."""
COUNTERS = ("num_timesteps", "_n_updates", "_total_timesteps", "_num_timesteps_at_start")
MOMENTS = ("count", "mean", "sum_squares")
MEMBERS = ("data", "policy.pth", "policy.optimizer.pth")
DIGEST = "sha256"
"""Member of the zip: the SHA-256 of those that are read."""
KIND = "schedule"
KINDS: dict[str, Callable[..., Schedule]] = {
    kind.__name__: kind
    for kind in (ConstantSchedule, LinearSchedule, LengtheningHorizon, PowerDecay)
}
"""Schedules that JSON can hold: all their attributes are numbers, named as their arguments."""


class ArchivedPPO(PPO):
    """PPO with a :meth:`load` that runs no code and a :meth:`save` that leaves no half file."""

    reward_scale: RewardScale | None
    _open_ended: bool

    def save(
        self,
        path: File,
        exclude: Iterable[str] | None = None,
        include: Iterable[str] | None = None,
    ) -> None:
        """Write SB3's zip; an older file is replaced whole or not at all.

        Args:
            path: ``.zip`` is added to a name without a suffix; or an open file.
            exclude: attributes to leave out, as for SB3.
            include: attributes that SB3 leaves out, to be kept.
        """
        self._described = _description(self)
        buffer = io.BytesIO()
        super().save(buffer, exclude, include)
        with zipfile.ZipFile(buffer, "a") as archive:
            archive.writestr(DIGEST, _digest([archive.read(name) for name in MEMBERS]))
        if isinstance(path, io.BufferedIOBase):
            path.write(buffer.getvalue())
            return
        path = Path(path)
        write_atomically(path if path.suffix else path.with_suffix(".zip"), buffer.getvalue())

    def set_parameters(
        self,
        load_path_or_dict: Any,
        exact_match: bool = True,
        device: torch.device | str = "cpu",
    ) -> None:
        """As SB3's, all or nothing: what is not finite or of another type is refused first.

        Args:
            load_path_or_dict: a zip, or state dictionaries by name, as of ``get_parameters``.
            exact_match: whether all must be there.
            device: to load a zip to.

        Raises:
            NonFinite: a weight, or a moment of the optimizer, is not finite.
            InvalidTask: a weight is of another type.
        """
        given = load_path_or_dict
        if not isinstance(given, dict):
            given = load_from_zip_file(given, device=device, load_data=False)[1]
        own = self.policy.state_dict()
        if isinstance(given.get("policy"), Mapping):
            require_weights(given["policy"], own)
        optimizer = given.get("policy.optimizer")
        if isinstance(optimizer, Mapping) and isinstance(optimizer.get("state"), Mapping):
            for index, moments in optimizer["state"].items():
                require_weights({f"optimizer.{index}.{k}": v for k, v in moments.items()}, {})
        super().set_parameters(given, exact_match, device)

    def _excluded_save_params(self) -> list[str]:
        """What is carried is not kept: a model that is loaded begins new episodes."""
        return [*super()._excluded_save_params(), "_last_carry"]

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
            print_system_info: as for SB3, which heeds it with ``trust_pickle``.
            force_reset: likewise.
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
        data, weights = _read(path, device)
        unfit = f"{path} does not fit the environment and arguments"
        with _refused(unfit):
            described = data["_described"]
            arguments = _arguments(described["arguments"])
        _require_rest(described["not stored"], given)
        with _refused(unfit):
            model = cls(policy, env, device=device, **{**arguments, **given})
            model.set_parameters(weights, device=device)
            _restore(model, data, described["moments"])
        return model

    @classmethod
    def _load_trusted(cls, path: File, env: GymEnv | None, *args: Any, **kwargs: Any) -> Self:
        """By SB3, whose keyword arguments name attributes."""
        if {"n_steps", "batch_size"} & kwargs.keys():
            raise ValueError("with trust_pickle=True n_steps and batch_size stay as they were")
        model = super().load(path, env, *args)
        for name, value in kwargs.items():
            setattr(model, name, value)
        if model.reward_scale is not None:  # whatever it played is over
            model.reward_scale.running = np.zeros(model.n_envs)
        return model


def _description(model: ArchivedPPO) -> dict[str, Any]:
    """The constructor's arguments and the reward scale, as far as JSON can hold them."""
    arguments = {name: _as_json(getattr(model, held)) for name, held in STORED.items()}
    stored = {name: value for name, value in arguments.items() if is_json_serializable(value)}
    left_out = [name for name in arguments if name not in stored]
    if model.tensorboard_log is not None:  # a folder of this machine is not for others
        left_out.append("tensorboard_log")
    if model.rollout_buffer_class is not SequenceBuffer:
        left_out.append("rollout_buffer_class")
    scale = model.reward_scale
    return {
        "arguments": stored,
        "not stored": left_out,
        "moments": None if scale is None else {name: vars(scale)[name] for name in MOMENTS},
    }


def _as_json(value: Any) -> Any:
    """A schedule by kind and numbers; others as they are."""
    inner = value.value_schedule if isinstance(value, FloatSchedule) else value
    kind = type(inner).__name__
    return {KIND: kind, **plain(vars(inner))} if type(inner) is KINDS.get(kind) else inner


def _read(path: File, device: torch.device | str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes, and state dictionaries of policy and optimizer."""
    file = _opened(path)
    try:
        with zipfile.ZipFile(file) as archive:
            members = [_read_member(archive, name) for name in MEMBERS]
            if _read_member(archive, DIGEST).decode() != _digest(members):
                raise ValueError("SHA-256 differs")
        data = json.loads(members[0])
        if not isinstance(data["_described"], dict):
            raise ValueError("it describes nothing")
        states = [_read_state(member, device) for member in members[1:]]
    except Exception:  # a file from elsewhere can fail in any way; none of them is ours
        raise Corrupt(
            f"{path} is damaged, or was not written by SequencePPO.save; only trust_pickle=True,"
            " which runs whatever code is in the file, may load it"
        ) from None
    finally:
        if not isinstance(path, io.BufferedIOBase):
            file.close()
    return data, dict(zip(("policy", "policy.optimizer"), states, strict=True))


def _opened(path: File) -> io.BufferedIOBase:
    """The file of a path, with ``.zip`` added where there is none without it."""
    if not isinstance(path, io.BufferedIOBase) and Path(path).exists():
        require_file(Path(path), "give a file")
    file: io.BufferedIOBase = open_path(path, "r", suffix="zip")
    return file


def _read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """A member; ValueError if it is compressed, as none of ours is, and might be of any size."""
    if archive.getinfo(name).compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    return archive.read(name)


def _read_state(stored: bytes, device: torch.device | str) -> Any:
    """A state dictionary that torch stored, itself a zip."""
    with zipfile.ZipFile(io.BytesIO(stored)) as inner:
        for name in inner.namelist():
            _read_member(inner, name)
    return torch.load(io.BytesIO(stored), map_location=device, weights_only=True)


def _digest(members: Iterable[bytes]) -> str:
    """SHA-256 of the members of a zip."""
    each = [hashlib.sha256(member).hexdigest() for member in members]
    return hashlib.sha256(" ".join(each).encode()).hexdigest()


@contextmanager
def _refused(what: str) -> Generator[None]:
    """Any error that damaged or unfitting contents may cause, as :class:`Corrupt`."""
    try:
        yield
    except (RuntimeError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as e:
        raise Corrupt(f"{what}: {(str(e) or 'malformed').splitlines()[0]}") from None


def _arguments(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The constructor's arguments as they were stored."""
    found = {name: stored[name] for name in STORED if name in stored}
    for name, value in found.items():
        if isinstance(value, dict) and KIND in value:
            numbers = {key: number for key, number in value.items() if key != KIND}
            found[name] = KINDS[value[KIND]](**numbers)
    return found


def _require_rest(missing: Iterable[str], given: Mapping[str, Any]) -> None:
    """See that what only a pickle could hold is given, or say that it is not."""
    names = [name for name in missing if name not in given]
    if "policy_kwargs" in names:
        raise ValueError("policy_kwargs hold more than JSON and were not stored; give them")
    if names:
        left = ", ".join(names)
        warnings.warn(f"not stored, therefore the default: {left}; give your own", stacklevel=3)


def _restore(model: ArchivedPPO, counters: Mapping[str, Any], moments: Any) -> None:
    """Counters and reward scale."""
    vars(model).update({name: int(counters[name]) for name in COUNTERS})
    model._open_ended = bool(counters["_open_ended"])
    if model.reward_scale is not None and moments is not None:
        vars(model.reward_scale).update({name: float(moments[name]) for name in MOMENTS})
