"""Models of Stable-Baselines3 and sb3-contrib as agents, their zips read without unpickling."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sb3_contrib import QRDQN, RecurrentPPO
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from sb3_contrib.qrdqn.policies import QRDQNPolicy
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.policies import ActorCriticPolicy, BaseModel, BasePolicy
from stable_baselines3.common.utils import ConstantSchedule
from stable_baselines3.dqn.policies import DQNPolicy
from torch import Tensor, nn

from metalocus.agents.agent import Array, Stores, one_hot
from metalocus.agents.ppo.files import Corrupt
from metalocus.agents.trained.frozen import FEATURES
from metalocus.agents.trained.observing import ObservingAgent, require_real_and_finite
from metalocus.envs import InvalidTask, Layout, Setting
from metalocus.envs.discovery import unknown
from metalocus.envs.layout import action_space, observation_space

ALGORITHMS: Mapping[str, type[BaseAlgorithm]] = {
    "PPO": PPO,
    "A2C": A2C,
    "DQN": DQN,
    "RecurrentPPO": RecurrentPPO,
    "QRDQN": QRDQN,
}
LARGEST_ZIP = 2**30
"""Bytes of a zip's contents; a larger one is no policy for these tasks."""
_TRAINING_ONLY = {"optimizer_class", "optimizer_kwargs", "lr_schedule"}
_ACTIVATIONS = {str(cls): cls for cls in (nn.Tanh, nn.ReLU, nn.ELU, nn.LeakyReLU, nn.GELU, nn.SiLU)}


class ForeignAgent(ObservingAgent):
    """A policy of another library, frozen, with what it carries in the stores.

    Actor-critic policies choose by their action distribution. Q-networks choose the action of
    the highest value, as their ``predict(deterministic=True)`` does, without the exploration
    that was added in training. An LSTM's activations are ``state["h"]`` and ``state["c"]``,
    [N, L, H] for L layers; the other policies carry nothing but their context.

    Args:
        policy: of one of the :data:`ALGORITHMS`, with discrete actions, on the CPU; it is not
            changed.
        layout: of the observations it was trained on.

    Raises:
        InvalidTask: it is another kind of policy, or its spaces are not the layout's.
        NonFinite: a weight is NaN or infinite.
    """

    def __init__(self, policy: BasePolicy, layout: Layout) -> None:
        kinds = (ActorCriticPolicy, DQNPolicy, QRDQNPolicy)
        if not isinstance(policy, kinds):
            known = ", ".join(ALGORITHMS)
            raise InvalidTask(f"{type(policy).__name__} is not a policy of {known}")
        spaces = (policy.observation_space.shape, policy.action_space)
        if spaces != (observation_space(layout).shape, action_space(layout)):
            raise InvalidTask(
                f"the policy sees {policy.observation_space} and chooses from"
                f" {policy.action_space}; the setting has {observation_space(layout)} and"
                f" {action_space(layout)}: name the environment and arguments it was trained on"
            )
        require_real_and_finite(policy.state_dict())
        super().__init__(layout)
        policy.set_training_mode(False)
        self.policy = policy

    def start(self, n: int, rng: np.random.Generator) -> Stores:
        """Activations of zero, and the context of a first trial."""
        stores = super().start(n, rng)
        if not isinstance(self.policy, RecurrentActorCriticPolicy):
            return stores
        layers, _, size = self.policy.lstm_hidden_state_shape
        zeros = {name: np.zeros((n, layers, size), dtype=np.float32) for name in ("h", "c")}
        return stores.updated(Stores(state=zeros))

    def act(self, stimulus: Array, stores: Stores) -> tuple[Array, Stores]:
        """One step of the policy."""
        after = self.take_in(stimulus, stores)
        return self.read_out(stimulus, after), after.without(FEATURES)

    def take_in(self, stimulus: Array, stores: Stores) -> Stores:
        """One step of an LSTM, whose features [N, H] are part of the state; else nothing."""
        if not isinstance(self.policy, RecurrentActorCriticPolicy):
            return stores
        obs = torch.from_numpy(self.observation(stimulus, stores))
        with torch.no_grad():
            return stores.updated(Stores(state=self._step(obs, stores)))

    def read_out(self, stimulus: Array, stores: Stores) -> Array:
        """The choice from an LSTM's features; of another policy, from the observation."""
        with torch.no_grad():
            if not isinstance(self.policy, RecurrentActorCriticPolicy):
                return self._probabilities(torch.from_numpy(self.observation(stimulus, stores)))
            features = torch.from_numpy(stores.state[FEATURES])
            latent = self.policy.mlp_extractor.forward_actor(features)
            return _probs(self.policy._get_action_dist_from_latent(latent))

    def parameters(self) -> dict[str, Array]:
        """All trained parameters, by name."""
        return {name: p.detach().numpy() for name, p in self.policy.named_parameters()}

    def _probabilities(self, obs: Tensor) -> Array:
        """Of a policy that carries nothing: observations [N, D] -> [N, K]."""
        if isinstance(self.policy, ActorCriticPolicy):
            return _probs(self.policy.get_distribution(obs))
        if isinstance(self.policy, QRDQNPolicy):
            values = self.policy.quantile_net(obs).mean(dim=1)
        else:
            assert isinstance(self.policy, DQNPolicy)
            values = self.policy.q_net(obs)
        return one_hot(values.argmax(dim=1).numpy(), values.shape[1])

    def _step(self, obs: Tensor, stores: Stores) -> dict[str, Array]:
        """New activations of an LSTM, whose layers come before the episodes, and its features."""
        assert isinstance(self.policy, RecurrentActorCriticPolicy)
        policy, names = self.policy, ("h", "c")
        carried = tuple(
            torch.from_numpy(stores.state[name]).transpose(0, 1).contiguous() for name in names
        )
        no_starts = torch.zeros(len(obs))  # the state is already that of an episode's start
        x = BaseModel.extract_features(policy, obs, policy.pi_features_extractor)
        features, after = policy._process_sequence(x, carried, no_starts, policy.lstm_actor)  # type: ignore[arg-type]
        state = {name: t.transpose(0, 1).numpy() for name, t in zip(names, after, strict=True)}
        return {**state, FEATURES: features.numpy()}


def load_foreign(
    path: Path,
    algo: str,
    setting: Setting,
    policy: str | None = None,
    policy_kwargs: Mapping[str, Any] | None = None,
) -> ForeignAgent:
    """The agent of a zip that ``model.save`` wrote; nothing in it is unpickled.

    Args:
        path: the zip.
        algo: name of the class that wrote it, one of :data:`ALGORITHMS`.
        setting: what it was trained on.
        policy: the policy's name; by default ``MlpLstmPolicy`` for RecurrentPPO and
            ``MlpPolicy`` for the others.
        policy_kwargs: the policy's arguments; by default those in the file that need no
            unpickling.

    Raises:
        InvalidTask: there is no such algorithm, policy or argument, or the model was trained on
            observations of another range than the setting's.
        Corrupt: the file is no such zip, or its weights do not fit the setting and the
            arguments.
    """
    if algo not in ALGORITHMS:
        raise InvalidTask(unknown("algorithm", algo, ALGORITHMS))
    aliases = ALGORITHMS[algo].policy_aliases
    name = policy or ("MlpLstmPolicy" if algo == "RecurrentPPO" else "MlpPolicy")
    if name not in aliases:
        raise InvalidTask(unknown(f"policy of {algo}", name, aliases))
    stored, weights, seen = _read(path)
    layout = setting.layout
    kwargs = stored if policy_kwargs is None else dict(policy_kwargs)
    spaces = observation_space(layout), action_space(layout)
    try:
        built = aliases[name](*spaces, ConstantSchedule(0.0), **kwargs)
    except TypeError as error:
        raise InvalidTask(f"{name} does not take the arguments {kwargs}: {error}") from None
    try:
        built.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise Corrupt(
            f"the weights of {path} do not fit {name} on {setting} with the arguments {kwargs};"
            f" give those it was trained with ({reason[:200]})"
        ) from None
    _require_range(path, seen, setting)
    return ForeignAgent(built, layout)


def _require_range(path: Path, seen: Mapping[str, Any], setting: Setting) -> None:
    """Refuse a model of another task whose observations are as many: its space has other bounds."""
    space = observation_space(setting.layout)
    for name, own in (("low", space.low), ("high", space.high)):
        told = " ".join(str(seen.get(name)).strip("[]").split())
        try:
            alike = np.allclose([float(each) for each in told.split()], own)
        except ValueError:  # it does not tell them all
            continue
        if not alike:
            raise InvalidTask(
                f"{path} was trained on observations whose {name} bounds are {told[:80]}, those of"
                f" {setting} are {' '.join(str(own).strip('[]').split())[:80]}; name the"
                " environment it was trained on"
            )


def _probs(distribution: Any) -> Array:
    """Of SB3's categorical distribution, float64 [N, K]."""
    probs: Array = distribution.distribution.probs.numpy().astype(np.float64)
    return probs


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], Mapping[str, Any]]:
    """The policy's arguments, as far as they need no unpickling, its weights, and what it saw."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > LARGEST_ZIP:
                raise Corrupt(f"{path} holds more than {LARGEST_ZIP:,} bytes; it is no policy")
            data = json.loads(archive.read("data"))
            weights = torch.load(
                io.BytesIO(archive.read("policy.pth")), map_location="cpu", weights_only=True
            )
            seen = data.get("observation_space", {})
            return _arguments(data["policy_kwargs"]), dict(weights), dict(seen)
    except FileNotFoundError:
        raise Corrupt(f"{path} does not exist") from None
    except Corrupt:
        raise
    except Exception:  # a file from elsewhere can fail in any way; none of them is ours
        raise Corrupt(f"{path} is not a zip written by Stable-Baselines3's save") from None


def _arguments(stored: Mapping[str, Any]) -> dict[str, Any]:
    """``policy_kwargs`` of a zip, without what only the training used.

    SB3 writes a dictionary that JSON cannot hold as a pickle, beside the entries that it can
    and the texts of the others; of the latter, activation functions are known by their texts.
    """
    kept = {}
    for name, value in stored.items():
        if not name.startswith(":") and name not in _TRAINING_ONLY:
            kept[name] = _ACTIVATIONS.get(value, value) if isinstance(value, str) else value
    return kept
