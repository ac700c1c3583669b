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
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from metalocus.agents.cells.base import CELLS, Carry, Cell
from metalocus.agents.ppo.distributions import Categorical, LogitsAsGiven
from metalocus.envs import InvalidTask

CRITICS = ("shared", "detached", "separate")
_CRITIC = "critic."
HEAD = 64
OPTIMIZER = {"eps": 1e-5, "fused": True}
"""Of Adam; SB3's epsilon, and one kernel for all parameters."""


class Evaluation(NamedTuple):
    """What the losses need to know of B steps.

    Attributes:
        values: of the states, or of the actions taken where the critic tells actions apart, [B].
        log_prob: of the actions taken, [B].
        entropy: [B], None where it has no closed form.
        policy_value: mean value of an action drawn from the policy, less that of the state; a
            gradient flows to the policy alone, [B]. None without action values.
    """

    values: Tensor
    log_prob: Tensor
    entropy: Tensor | None
    policy_value: Tensor | None


class SequencePolicy(ActorCriticPolicy):
    """Features of a cell, read out as action distribution and value.

    Args:
        cell: name of a sequence model in ``agents/cells``.
        cell_kwargs: its arguments.
        inputs: positions of the flattened observation that reach the cell; None for all. With
            none at all the cell sees a constant.
        critic: ``shared`` reads the value off the actor's features; ``detached`` too, but
            sends no gradient back (sb3-contrib's ``shared_lstm``); ``separate`` has a cell of
            its own (sb3-contrib's ``enable_critic_lstm``).
        action_values: the critic has a value for each of finitely many actions, Q(h, a), and
            the state's is their mean under the policy. To predict what an action that was left
            for long would earn, the cell must remember it, which the state's value alone
            hardly demands. False for SB3's critic; of no effect on other action spaces.
        net_arch, **kwargs: as for SB3; by default each head has a hidden layer of 64 units.
    """

    cell: Cell
    critic_cell: Cell | None

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
        **kwargs: Any,
    ) -> None:
        CELLS.find(cell)
        if critic not in CRITICS:
            raise InvalidTask(f"critic must be one of {', '.join(CRITICS)}, got {critic!r}")
        self.cell_name, self.cell_kwargs = cell, dict(cell_kwargs or {})
        self.inputs = None if inputs is None else list(inputs)
        self.critic = critic
        self.action_values = action_values and isinstance(action_space, spaces.Discrete)
        heads = [HEAD] if net_arch is None else net_arch
        if issubclass(kwargs.get("optimizer_class", torch.optim.Adam), torch.optim.Adam):
            kwargs["optimizer_kwargs"] = OPTIMIZER | (kwargs.get("optimizer_kwargs") or {})
        super().__init__(observation_space, action_space, lr_schedule, heads, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        """Cells first, since the heads' sizes follow from them; then SB3's heads and optimizer."""
        seen = int(self.features_dim) if self.inputs is None else len(self.inputs)
        make = CELLS[self.cell_name]
        self.cell = make(max(seen, 1), **self.cell_kwargs)
        separate = self.critic == "separate"
        self.critic_cell = make(max(seen, 1), **self.cell_kwargs) if separate else None
        if self.cell.n_logits:
            self._act_by_cell()
        super()._build(lr_schedule)
        if isinstance(self.action_space, spaces.Discrete) and self.action_values:
            width, n = self.mlp_extractor.latent_dim_vf, int(self.action_space.n)
            self.value_net = nn.Linear(width, n, device=self.value_net.weight.device)
            if self.ortho_init:
                self.init_weights(self.value_net, gain=1.0)
            self.optimizer = self.optimizer_class(
                self.parameters(),
                lr=lr_schedule(1),  # type: ignore[call-arg]
                **self.optimizer_kwargs,
            )

    def _act_by_cell(self) -> None:
        """No actor head: the cell's first features are the logits."""
        actions, n = self.action_space, self.cell.n_logits
        if not isinstance(actions, spaces.Discrete) or actions.n != n:
            raise InvalidTask(
                f"cell {self.cell_name} chooses among {n} actions, not from {actions}"
            )
        critic = self.net_arch.get("vf", []) if isinstance(self.net_arch, dict) else self.net_arch
        self.net_arch = {"pi": [], "vf": critic}
        self.action_dist = LogitsAsGiven(n)

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
        }

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
        steps, n = starts.shape
        x = super().extract_features(obs.flatten(0, 1), self.features_extractor)
        assert isinstance(x, Tensor)
        if self.inputs is not None:
            x = x[:, self.inputs] if self.inputs else torch.ones_like(x[:, :1])
        x = x.view(steps, n, -1)
        mine = {name: value for name, value in carry.items() if not name.startswith(_CRITIC)}
        y, after = self.cell(x, starts, mine)
        y = y.reshape(steps * n, -1)
        if self.critic_cell is None:
            return y, y.detach() if self.critic == "detached" else y, after
        own = {name: carry[_CRITIC + name] for name in mine}
        y_critic, own = self.critic_cell(x, starts, own)
        after = after | {_CRITIC + name: value for name, value in own.items()}
        return y, y_critic.reshape(steps * n, -1), after

    def read_out(self, actor: Tensor, critic: Tensor) -> tuple[Distribution, Tensor]:
        """Action distribution and values of features [B, H] each.

        Values are [B, K], one for each action, or [B, 1] without action values.
        """
        values = self.value_net(self.mlp_extractor.forward_critic(critic))
        latent_pi = self.mlp_extractor.forward_actor(actor)
        if isinstance(self.action_space, spaces.Discrete):
            return Categorical(int(self.action_space.n), self.action_net(latent_pi)), values
        return self._get_action_dist_from_latent(latent_pi), values

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
        return Evaluation(values[:, 0], log_prob, entropy, policy_value)

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
        """
        self.set_training_mode(False)
        obs, vectorized = self.obs_to_tensor(observation)
        assert isinstance(obs, Tensor)
        with torch.no_grad():
            carry = self.initial_carry(len(obs))
            if state is not None:
                carry = {
                    name: torch.as_tensor(value, device=self.device)
                    for name, value in zip(carry, state, strict=True)
                }
            began = np.zeros(len(obs)) if episode_start is None else np.asarray(episode_start)
            starts = torch.as_tensor(began, dtype=torch.float32, device=self.device)
            distribution, carry = self.get_distribution(obs, carry, starts.reshape(-1))
            actions = distribution.get_actions(deterministic=deterministic).cpu().numpy()
        actions = actions.reshape((-1, *(self.action_space.shape or ())))
        actions = self.in_bounds(actions)
        after = tuple(value.cpu().numpy() for value in carry.values())
        return actions if vectorized else actions.squeeze(axis=0), after

    def in_bounds(self, actions: NDArray[Any]) -> NDArray[Any]:
        """Actions [N, ...] as the environment may take them."""
        if not isinstance(self.action_space, spaces.Box):
            return actions
        if self.squash_output:
            return np.asarray(self.unscale_action(actions))
        return np.asarray(np.clip(actions, self.action_space.low, self.action_space.high))


def _state_value(distribution: Distribution, values: Tensor) -> Tensor:
    """Mean value of the policy's action, [B]; values are [B, K], or [B, 1] of the state."""
    if values.shape[1] == 1:
        return values[:, 0]
    assert isinstance(distribution, Categorical)
    return (distribution.log_probs.exp() * values).sum(dim=1)


def n_parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
