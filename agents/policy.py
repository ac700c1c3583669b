"""Actor and critic over a sequence model, in SB3's policy family."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from numpy.typing import NDArray
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import ActorCriticPolicy
from stable_baselines3.common.torch_layers import MlpExtractor
from stable_baselines3.common.type_aliases import Schedule
from torch import Tensor, nn

from metalocus.agents.cell import Carry, Cell, cells
from metalocus.agents.distribution import Categorical, LogitsAsGiven
from metalocus.envs import InvalidTask

CRITICS = ("shared", "detached", "separate")
_CRITIC = "critic."
HEAD = 64
OPTIMIZER = {"eps": 1e-5, "fused": True}
"""Of Adam; SB3's epsilon, and one kernel for all parameters."""


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
        net_arch: list[int] | dict[str, list[int]] | None = None,
        **kwargs: Any,
    ) -> None:
        if cell not in cells():
            raise InvalidTask(f"unknown cell {cell!r}; choose from {', '.join(sorted(cells()))}")
        if critic not in CRITICS:
            raise InvalidTask(f"critic must be one of {', '.join(CRITICS)}, got {critic!r}")
        self.cell_name, self.cell_kwargs = cell, dict(cell_kwargs or {})
        self.inputs = None if inputs is None else list(inputs)
        self.critic = critic
        heads = [HEAD] if net_arch is None else net_arch
        kwargs["optimizer_kwargs"] = kwargs.get("optimizer_kwargs") or dict(OPTIMIZER)
        super().__init__(observation_space, action_space, lr_schedule, heads, **kwargs)

    def _build(self, lr_schedule: Schedule) -> None:
        """Cells first, since the heads' sizes follow from them; then SB3's heads and optimizer."""
        seen = int(self.features_dim) if self.inputs is None else len(self.inputs)
        make = cells()[self.cell_name]
        self.cell = make(max(seen, 1), **self.cell_kwargs)
        separate = self.critic == "separate"
        self.critic_cell = make(max(seen, 1), **self.cell_kwargs) if separate else None
        if self.cell.n_logits:
            self._act_by_cell()
        super()._build(lr_schedule)

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
        own = {"cell": self.cell_name, "cell_kwargs": self.cell_kwargs, "inputs": self.inputs}
        return {**super()._get_constructor_parameters(), **own, "critic": self.critic}

    def initial_carry(self, n: int) -> Carry:
        """What is carried into the first step of n episodes, actor and critic; [N, ...] each."""
        carry = dict(self.cell.initial(n))
        if self.critic_cell is not None:
            own = self.critic_cell.initial(n)
            carry |= {_CRITIC + name: value for name, value in own.items()}
        return carry

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
        """Action distribution and values [B] of features [B, H] each."""
        latent_pi = self.mlp_extractor.forward_actor(actor)
        latent_vf = self.mlp_extractor.forward_critic(critic)
        values = self.value_net(latent_vf).squeeze(-1)
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
        return actions, values, distribution.log_prob(actions), carry

    def evaluate_actions(  # type: ignore[override]
        self, obs: Tensor, actions: Tensor, carry: Carry, starts: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Values, log-probabilities and entropies [T * N] of T steps at once.

        Args:
            obs: [T, N, *D].
            actions: [T, N, ...].
            carry: into the first step.
            starts: [T, N].
        """
        actor, critic, _ = self.features(obs, carry, starts)
        distribution, values = self.read_out(actor, critic)
        return values, distribution.log_prob(actions.flatten(0, 1)), distribution.entropy()

    def predict_values(self, obs: Tensor, carry: Carry, starts: Tensor) -> Tensor:  # type: ignore[override]
        """Values [N] of observations [N, *D]."""
        actor, critic, _ = self.features(obs[None], carry, starts[None])
        return self.read_out(actor, critic)[1]

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
        if isinstance(self.action_space, spaces.Box):
            low, high = self.action_space.low, self.action_space.high
            squashed = self.squash_output
            actions = self.unscale_action(actions) if squashed else np.clip(actions, low, high)
        after = tuple(value.cpu().numpy() for value in carry.values())
        return actions if vectorized else actions.squeeze(axis=0), after


def n_parameters(module: nn.Module) -> int:
    """How many numbers are trained."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
