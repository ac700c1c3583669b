"""Actor and critic over a sequence model, in SB3's policy family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import FlattenExtractor, MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from metalocus.agents.agent import NonFinite
from metalocus.agents.cells.base import CELLS, Carry, Cell
from metalocus.agents.ppo.distributions import Categorical, LogitsAsGiven
from metalocus.agents.ppo.finite import require_finite_rows, require_weights
from metalocus.agents.ppo.prediction import Predictor
from metalocus.agents.ppo.settings import (
    defaults_of,
    mapping,
    plain,
    require_alike,
    require_known,
    require_sizes,
)
from metalocus.envs.checks import InvalidTask, require, require_count, require_flag

CRITICS = ("shared", "detached", "separate")
_CRITIC = "critic."
HEAD = 64
"""Units in the hidden layer of each head: as many as the cells have by default."""
OPTIMIZER = {"eps": 1e-5, "fused": True}
"""Of Adam; SB3's epsilon, and one kernel for all parameters."""
_UNSUPPORTED = {
    "share_features_extractor": (True, 'a critic of its own is critic="separate"'),
    "use_sde": (False, "leave it out"),
    "squash_output": (False, "actions are clipped to the bounds"),
}
"""SB3's arguments that must keep the value given here, and what to do instead."""


def _require_sound(cell: str, given: Mapping[str, Any], heads: Any) -> None:
    """Raise :class:`InvalidTask` if a cell's arguments or the heads' sizes are impossible."""
    defaults = defaults_of(CELLS[cell])
    require_known(f"argument of cell {cell}:", given, defaults)
    require_alike(given, defaults)
    require_sizes({**given, "net_arch": heads}, {**defaults, "net_arch": None})


class Evaluation(NamedTuple):
    """What the losses need to know of B steps.

    Attributes:
        values: of the states, or of the actions taken where the critic tells actions apart, [B].
        log_prob: of the actions taken, [B].
        entropy: [B], None where it has no closed form.
        policy_value: mean value of an action drawn from the policy, less that of the state; a
            gradient flows to the policy alone, [B]. None without action values.
        prediction: of what follows, as the predictor gives it, [B, 1 + P]; None without one.
    """

    values: Tensor
    log_prob: Tensor
    entropy: Tensor | None
    policy_value: Tensor | None
    prediction: Tensor | None


def _is_flat(space: spaces.Space[Any]) -> bool:
    """Whether observations are rows of float32 numbers already, as a cell reads them."""
    return isinstance(space, spaces.Box) and len(space.shape) == 1 and space.dtype == np.float32


class SequencePolicy(ActorCriticPolicy):
    """Features of a cell, read out as action distribution and value.

    Args:
        observation_space: of single observations [*D].
        action_space: Discrete, Box, one-dimensional MultiDiscrete or MultiBinary.
        lr_schedule: learning rate of the optimizer, by the fraction of training that remains.
        cell: name of a sequence model in ``agents/cells``.
        cell_kwargs: its arguments.
        inputs: positions of the flattened observation that reach the cell; None for all. With
            none at all the cell sees a constant.
        critic: ``shared`` reads the value off the actor's features; ``detached`` too, but
            sends no gradient back (sb3-contrib's ``shared_lstm``); ``separate`` has a cell of
            its own (sb3-contrib's ``enable_critic_lstm``).
        action_values: the critic has a value for each of finitely many actions, Q(h, a), and
            the state's is their mean under the policy. Predicting what an action earns that was
            not taken for long needs memory of it, which the state's value alone hardly does.
            False for SB3's critic; of no effect on other action spaces.
        net_arch: as for SB3; by default each head has a hidden layer of 64 units. A cell that
            gives logits or values itself has no such head.
        predicts: a further head predicts the next reward and these positions of the next
            observation: arguments of :class:`~metalocus.agents.ppo.prediction.Predictor`. None
            for no such head.
        **kwargs: as for SB3's ``ActorCriticPolicy``.

    Raises:
        InvalidTask: an argument is impossible or not supported.
    """

    cell: Cell
    critic_cell: Cell | None
    _seen: Tensor | None
    predictor: Predictor | None

    def __init__(
        self,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        lr_schedule: Schedule,
        cell: str = "lstm",
        cell_kwargs: Mapping[str, Any] | None = None,
        inputs: Sequence[int] | None = None,
        critic: str = "shared",
        action_values: bool = True,
        net_arch: list[int] | dict[str, list[int]] | None = None,
        predicts: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        CELLS.find(cell)
        require(critic in CRITICS, f"critic must be one of {', '.join(CRITICS)}, got {critic!r}")
        known = {**defaults_of(SequencePolicy), **defaults_of(ActorCriticPolicy)}
        require_known("argument of the policy", kwargs, known)
        require_flag("ortho_init", kwargs.get("ortho_init", True))
        for name, (only, instead) in _UNSUPPORTED.items():
            given = kwargs.get(name, only)
            require(given in (only, None), f"{name}={given} is not supported: {instead}")
        require_flat(action_space)
        self.cell_name, self.cell_kwargs = cell, mapping("cell_kwargs", cell_kwargs)
        listed = inputs is None or isinstance(inputs, Sequence | np.ndarray)
        require(listed, f"inputs must be a list of positions, got {inputs!r}")
        self.inputs = None if inputs is None else [require_count("inputs", i, 0) for i in inputs]
        self.critic = critic
        self.predicts = None if predicts is None else mapping("predicts", predicts)
        self.action_values = require_flag("action_values", action_values) and isinstance(
            action_space, spaces.Discrete
        )
        heads = [HEAD] if net_arch is None else plain(net_arch)
        _require_sound(cell, self.cell_kwargs, heads)
        if issubclass(kwargs.get("optimizer_class", torch.optim.Adam), torch.optim.Adam):
            own = mapping("optimizer_kwargs", kwargs.get("optimizer_kwargs"))
            kwargs["optimizer_kwargs"] = OPTIMIZER | own
        super().__init__(observation_space, action_space, lr_schedule, heads, **plain(kwargs))

    def _build(self, lr_schedule: Schedule) -> None:
        """Cells first, since the heads' sizes follow from them; then SB3's heads and optimizer."""
        outside = [i for i in self.inputs or [] if i >= self.features_dim]
        require(not outside, f"inputs must be below {self.features_dim}, got {outside}")
        seen = int(self.features_dim) if self.inputs is None else len(self.inputs)
        self._flat = _is_flat(self.observation_space) and isinstance(
            self.features_extractor, FlattenExtractor
        )
        some = self.inputs is not None and self.inputs != list(range(int(self.features_dim)))
        positions = torch.tensor(self.inputs, dtype=torch.int64) if some else None
        self.register_buffer("_seen", positions, persistent=False)
        make = CELLS[self.cell_name]
        self.cell = make(max(seen, 1), **self.cell_kwargs)
        separate = self.critic == "separate"
        self.critic_cell = make(max(seen, 1), **self.cell_kwargs) if separate else None
        if self.cell.n_logits:
            self._act_by_cell()
        super()._build(lr_schedule)
        self.predictor = None
        if isinstance(self.action_space, spaces.Discrete) and self.action_values:
            if self._valued_by_cell:
                self.value_net = _Columns(self.cell.n_logits, self.cell.n_values)  # type: ignore[assignment]
            else:
                width, n = self.mlp_extractor.latent_dim_vf, int(self.action_space.n)
                self.value_net = nn.Linear(width, n, device=self.value_net.weight.device)
                if self.ortho_init:
                    self.init_weights(self.value_net, gain=1.0)
        if self.predicts is not None:
            self.predictor = Predictor(
                self.cell.output_size, self.action_space, HEAD, **self.predicts
            )
        if self.action_values or self.predictor is not None:
            self.optimizer = self.optimizer_class(
                self.parameters(),
                lr=lr_schedule(1),  # type: ignore[call-arg]
                **self.optimizer_kwargs,
            )

    def _act_by_cell(self) -> None:
        """No actor head, as the cell's first features are the logits; values it may give too."""
        actions, n = self.action_space, self.cell.n_logits
        if not isinstance(actions, spaces.Discrete) or actions.n != n:
            raise InvalidTask(
                f"cell {self.cell_name} chooses among {n} actions, not from {actions}"
            )
        critic = self.net_arch.get("vf", []) if isinstance(self.net_arch, dict) else self.net_arch
        self.net_arch = {"pi": [], "vf": [] if self._valued_by_cell else critic}
        self.action_dist = LogitsAsGiven(n)

    @property
    def _valued_by_cell(self) -> bool:
        """Whether the critic reads values that the cell gives; its gradient must shape them."""
        return bool(self.cell.n_values) and self.action_values and self.critic != "detached"

    def _build_mlp_extractor(self) -> None:
        self.mlp_extractor = MlpExtractor(
            self.cell.output_size, self.net_arch, self.activation_fn, self.device
        )

    def _get_constructor_parameters(self) -> dict[str, Any]:
        return {
            **super()._get_constructor_parameters(),
            "cell": self.cell_name,
            "cell_kwargs": self.cell_kwargs,
            "inputs": self.inputs,
            "critic": self.critic,
            "action_values": self.action_values,
            "predicts": self.predicts,
        }

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """As of any module, if all weights are finite and of the right types.

        Args:
            state_dict: weights by name.
            strict: whether the names must be this policy's.
            assign: whether to keep the given tensors themselves.

        Raises:
            NonFinite: a tensor is not finite.
            InvalidTask: a tensor is of another type, such as complex.
        """
        require_weights(state_dict, self.state_dict())
        return super().load_state_dict(state_dict, strict=strict, assign=assign)

    def initial_carry(self, n: int) -> Carry:
        """What is carried into the first step of n episodes, actor and critic; [N, ...] each."""
        return {**self.cell.initial(n), **self.critic_carry(n)}

    def critic_carry(self, n: int) -> Carry:
        """The part of it that a separate critic's cell carries; nothing if there is none."""
        own = {} if self.critic_cell is None else self.critic_cell.initial(n)
        return {_CRITIC + name: value for name, value in own.items()}

    def features(self, obs: Tensor, carry: Carry, starts: Tensor) -> tuple[Tensor, Tensor, Carry]:
        """Actor's and critic's features of T steps at once.

        Args:
            obs: [T, N, *D].
            carry: from the step before.
            starts: 1 where a step is the first of its episode, [T, N].

        Returns:
            actor [T * N, H], critic [T * N, H], and what to carry on.
        """
        x = self.cell_inputs(obs)
        mine = {name: value for name, value in carry.items() if not name.startswith(_CRITIC)}
        y, after = self.cell(x, starts, mine)
        y = y.flatten(0, 1)
        if self.critic_cell is None:
            return y, y.detach() if self.critic == "detached" else y, after
        own = {name: carry[_CRITIC + name] for name in mine}
        y_critic, own = self.critic_cell(x, starts, own)
        after = after | {_CRITIC + name: value for name, value in own.items()}
        return y, y_critic.flatten(0, 1), after

    def cell_inputs(self, obs: Tensor) -> Tensor:
        """The part of observations [T, N, *D] that reaches the cell, [T, N, I]."""
        x = obs
        if not self._flat:
            found = super().extract_features(obs.flatten(0, 1), self.features_extractor)
            assert isinstance(found, Tensor)
            x = found.view(*obs.shape[:2], -1)
        if self.inputs == []:
            return torch.ones_like(x[..., :1])
        return x if self._seen is None else x.index_select(-1, self._seen)

    def read_out(self, actor: Tensor, critic: Tensor) -> tuple[Distribution, Tensor]:
        """Action distribution and values of features [B, H] each.

        Values are [B, K], one for each action, or [B, 1] without action values.
        """
        return self.choice(actor), self._values(critic)

    def state_values(self, critic: Tensor, chosen: Sequence[Distribution]) -> Tensor:
        """Values [B] of the states of several steps.

        Args:
            critic: features of all steps, one after the other, [B, H].
            chosen: the action distribution of each step.
        """
        values = self._values(critic)
        if values.shape[1] == 1:
            return values[:, 0]
        log_probs = torch.cat([each.log_probs for each in chosen])  # type: ignore[attr-defined]
        return _mean_value(log_probs, values)

    def _values(self, critic: Tensor) -> Tensor:
        """Of features [B, H]: [B, K], one for each action, or [B, 1] without action values."""
        values: Tensor = self.value_net(self.mlp_extractor.forward_critic(critic))
        return values

    def choice(self, actor: Tensor) -> Distribution:
        """Action distribution of the actor's features [B, H]."""
        latent_pi = self.mlp_extractor.forward_actor(actor)
        if isinstance(self.action_space, spaces.Discrete):
            return Categorical(int(self.action_space.n), self.action_net(latent_pi))
        return self._get_action_dist_from_latent(latent_pi)

    def forward(  # type: ignore[override]
        self, obs: Tensor, carry: Carry, starts: Tensor, deterministic: bool = False
    ) -> tuple[Tensor, Tensor, Tensor, Carry]:
        """One step: obs [N, *D], starts [N] -> actions, values, log-probs [N], carry."""
        actor, critic, carry = self.features(obs[None], carry, starts[None])
        distribution, values = self.read_out(actor, critic)
        actions = distribution.get_actions(deterministic=deterministic)
        values = _state_value(distribution, values)
        return actions, values, distribution.log_prob(actions), carry

    def evaluate(self, obs: Tensor, actions: Tensor, carry: Carry, starts: Tensor) -> Evaluation:
        """What the losses need of T steps at once, B = T * N.

        Args:
            obs: [T, N, *D].
            actions: [T, N, ...].
            carry: into the first step.
            starts: [T, N].
        """
        actor, critic, _ = self.features(obs, carry, starts)
        distribution, values = self.read_out(actor, critic)
        taken, policy_value = actions.flatten(0, 1), None
        if self.action_values:
            fixed = values.detach() - _state_value(distribution, values.detach()).detach()[:, None]
            policy_value = _state_value(distribution, fixed)
            values = values.gather(1, taken.long()[:, None])
        log_prob, entropy = distribution.log_prob(taken), distribution.entropy()
        prediction = None if self.predictor is None else self.predictor(actor, taken)
        return Evaluation(values[:, 0], log_prob, entropy, policy_value, prediction)

    def evaluate_actions(  # type: ignore[override]
        self, obs: Tensor, actions: Tensor, carry: Carry, starts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values, log-probabilities and entropies of :meth:`evaluate`, in SB3's form."""
        return self.evaluate(obs, actions, carry, starts)[:3]

    def predict_values(self, obs: Tensor, carry: Carry, starts: Tensor) -> Tensor:  # type: ignore[override]
        """Values [N] of observations [N, *D]."""
        actor, critic, _ = self.features(obs[None], carry, starts[None])
        return _state_value(*self.read_out(actor, critic))

    def get_distribution(  # type: ignore[override]
        self, obs: Tensor, carry: Carry, starts: Tensor
    ) -> tuple[Distribution, Carry]:
        """Action distribution of observations [N, *D], and what to carry on."""
        actor, critic, carry = self.features(obs[None], carry, starts[None])
        return self.read_out(actor, critic)[0], carry

    def predict(
        self,
        observation: NDArray[Any] | dict[str, NDArray[Any]],
        state: tuple[NDArray[Any], ...] | None = None,
        episode_start: NDArray[Any] | None = None,
        deterministic: bool = False,
    ) -> tuple[NDArray[Any], tuple[NDArray[Any], ...]]:
        """Actions for one observation or a batch, with the state to pass to the next call.

        Args:
            observation: [*D] or [N, *D].
            state: from the last call, None at the beginning.
            episode_start: True where a new episode begins, [N]; there the state is reset.
            deterministic: the most probable action instead of a sample.

        Returns:
            actions, as the environment takes them, and the state.

        Raises:
            NonFinite: an observation, or what the policy makes of it, is not finite.
            InvalidTask: the state is not one of this policy.
        """
        self.set_training_mode(False)
        obs, vectorized = self.obs_to_tensor(observation)
        assert isinstance(obs, Tensor)
        require_finite_rows("observation", obs.cpu().numpy())
        with torch.no_grad():
            carry = self._carry_of(state, len(obs))
            began = np.zeros(len(obs)) if episode_start is None else np.asarray(episode_start)
            starts = torch.as_tensor(began, dtype=torch.float32, device=self.device)
            try:
                distribution, carry = self.get_distribution(obs, carry, starts.reshape(-1))
            except ValueError:  # from torch, which checks the means of normal distributions
                raise NonFinite("the mean action is not finite") from None
            chosen = distribution.get_actions(deterministic=deterministic)
            log_probs = distribution.log_prob(chosen)
            if isinstance(distribution, Categorical):  # then of all actions
                log_probs = distribution.log_probs
            require_finite_rows("log-probability", log_probs.cpu().numpy())
        actions = self.to_space(chosen.cpu().numpy())
        after = tuple(value.cpu().numpy() for value in carry.values())
        return actions if vectorized else actions.squeeze(axis=0), after

    def to_space(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions of the distribution, [N] or [N, A], as elements of the action space, [N, ...].

        They have its shape and type; continuous ones are clipped to its bounds.
        """
        space = self.action_space
        shaped = actions.reshape((len(actions), *(space.shape or ())))
        if isinstance(space, spaces.Discrete | spaces.MultiDiscrete):
            return np.asarray(shaped + space.start, dtype=space.dtype)
        if isinstance(space, spaces.Box):
            shaped = np.clip(shaped, space.low, space.high)
            if space.dtype is not None and space.dtype.kind in "iu":
                shaped = shaped.round()
        return np.asarray(shaped, dtype=space.dtype)

    def _carry_of(self, state: tuple[NDArray[Any], ...] | None, n: int) -> Carry:
        """What is carried into the next step, of the state that ``predict`` gave, or at first."""
        carry = self.initial_carry(n)
        if state is None:
            return carry
        fits = [np.shape(v) for v in state] == [tuple(v.shape) for v in carry.values()]
        require(fits, f"state must be what predict returned for {n} observations")
        return {
            name: torch.as_tensor(value, device=self.device)
            for name, value in zip(carry, state, strict=True)
        }


class _Columns(nn.Module):
    """Some of the features: [B, H] -> [B, n], from ``first`` on."""

    def __init__(self, first: int, n: int) -> None:
        super().__init__()
        self.first, self.n = first, n

    def forward(self, features: Tensor) -> Tensor:
        return features.narrow(1, self.first, self.n)


def require_flat(space: spaces.Space[Any]) -> None:
    """Raise :class:`InvalidTask` for discrete actions of more than one axis."""
    many = isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary) and len(space.shape) > 1
    require(not many, f"{space} actions must be flattened to one axis")


def _state_value(distribution: Distribution, values: Tensor) -> Tensor:
    """Mean value of the policy's action, [B]; values are [B, K], or [B, 1] of the state."""
    if values.shape[1] == 1:
        return values[:, 0]
    assert isinstance(distribution, Categorical)
    return _mean_value(distribution.log_probs, values)


def _mean_value(log_probs: Tensor, values: Tensor) -> Tensor:
    """Of an action drawn with given log-probabilities, [B, K] and [B, K] -> [B]."""
    return (log_probs.exp() * values).sum(dim=1)


def n_parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
