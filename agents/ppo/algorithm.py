"""PPO over a sequence model: the one training engine of every learned agent."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from stable_baselines3.common.utils import FloatSchedule, LinearSchedule, explained_variance
from stable_baselines3.common.vec_env import VecEnv

from metalocus.agents.agent import NonFinite
from metalocus.agents.cells.base import Carry
from metalocus.agents.ppo.buffer import SequenceBuffer, Sequences
from metalocus.agents.ppo.finite import require_finite
from metalocus.agents.ppo.losses import objective
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.ppo.reward_scaling import RewardScale
from metalocus.agents.ppo.sb3_zip import ArchivedPPO
from metalocus.agents.ppo.schedules import LengtheningHorizon, PowerDecay
from metalocus.envs import Episodes, InvalidTask

LEARNING_RATE = PowerDecay(4e-3, 2.0)
GAMMA = LengtheningHorizon(5.0, 100.0, 0.4)
GAE_LAMBDA = LinearSchedule(0.3, 1.0, 0.6)
ENT_COEF = LinearSchedule(0.02, 0.0005, 1.0)


class SequencePPO(ArchivedPPO):
    """Proximal policy optimisation (Schulman et al. 2017) on whole sequences.

    A drop-in for sb3-contrib's ``RecurrentPPO`` and, with a memoryless cell, for SB3's
    ``PPO``: ``learn``, ``predict(obs, state, episode_start)``, callbacks, logger keys. With
    the same rollout, weights and settings it computes the same losses and gradients; the policy's
    ``action_values=False`` is one of them.

    Its defaults are chosen for learning within episodes from large batches. Other arguments:

    Args:
        policy: ``SequencePolicy``; choose the cell by ``policy_kwargs={"cell": "lstm"}``.
        n_steps: length of a rollout; None for the environment's horizon, so that every
            sequence is one whole episode.
        batch_size: transitions in a minibatch, rounded down to whole sequences; None for
            ``1 / n_minibatches`` of the rollout.
        n_minibatches: used if ``batch_size`` is None.
        gamma, gae_lambda: numbers or schedules; by default the discount's horizon grows from 5
            to 100 steps in two fifths of training, lambda from 0.3 to 1 in three: first what
            pays at once, and is told from little noise, then what pays late.
        scale_rewards: divide rewards by a running standard deviation of the discounted
            return, so that the value loss does not drown the policy gradient.
        center_advantages: where at least 32 environments go through their episodes in step,
            subtract from each advantage the mean of the other environments' at the same step,
            and from each return the like. The critic then learns only in what an episode
            differs from the others, and not the time that is left, which it may not see.
        ent_coef: entropy coefficient, a number or a schedule.
        all_action_coef: weight, beside PPO's objective, of the mean of the critic's action
            values over the policy's choice (Sutton et al. 2000, theorem 1; Allen et al. 2017,
            "Mean actor critic"). It tells of actions that were not taken, without their noise.
            Of no effect without action values.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"SequencePolicy": SequencePolicy}
    policy: SequencePolicy
    rollout_buffer: SequenceBuffer

    def __init__(
        self,
        policy: str | type[SequencePolicy],
        env: GymEnv | str,
        learning_rate: float | Schedule = LEARNING_RATE,
        n_steps: int | None = None,
        batch_size: int | None = None,
        n_minibatches: int = 8,
        n_epochs: int = 1,
        gamma: float | Schedule = GAMMA,
        gae_lambda: float | Schedule = GAE_LAMBDA,
        ent_coef: float | Schedule = ENT_COEF,
        all_action_coef: float = 0.25,
        scale_rewards: bool = True,
        center_advantages: bool = True,
        **kwargs: Any,
    ) -> None:
        self.n_minibatches = n_minibatches
        self.gamma_schedule, self.lambda_schedule = FloatSchedule(gamma), FloatSchedule(gae_lambda)
        self.entropy_schedule, self.all_action_coef = FloatSchedule(ent_coef), all_action_coef
        self.scale_rewards, self.center_advantages = scale_rewards, center_advantages
        self.reward_scale: RewardScale | None = None
        self._given = {"n_steps": n_steps, "batch_size": batch_size}
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=2,  # both are set when the environment is known
            batch_size=2,
            n_epochs=n_epochs,
            gamma=self.gamma_schedule(1.0),
            gae_lambda=self.lambda_schedule(1.0),
            ent_coef=self.entropy_schedule(1.0),
            rollout_buffer_class=kwargs.pop("rollout_buffer_class", SequenceBuffer),
            device=kwargs.pop("device", "cpu"),
            **kwargs,
        )

    def _setup_model(self) -> None:
        if isinstance(self.observation_space, spaces.Dict | spaces.Tuple):
            kind = type(self.observation_space).__name__
            raise InvalidTask(f"{kind} observations must be flattened: wrap in FlattenObservation")
        if self.use_sde:
            raise InvalidTask("use_sde is not supported; leave it out")
        if self.env is not None:
            self.n_steps = self._given["n_steps"] or _horizon(self.env)
            share = max(self.n_envs // self.n_minibatches, 1)
            self.batch_size = self._given["batch_size"] or share * self.n_steps
        super()._setup_model()
        if self.clip_range_vf is not None and self.policy.action_values:
            raise InvalidTask("clip_range_vf is for values of states: set action_values=False too")
        if self.scale_rewards and self.reward_scale is None:
            self.reward_scale = RewardScale(self.n_envs, self.gamma)
        self._last_carry = self.policy.initial_carry(self.n_envs)

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Play ``n_rollout_steps`` in every environment; False if the callback said stop."""
        assert isinstance(rollout_buffer, SequenceBuffer)
        assert isinstance(self._last_obs, np.ndarray)
        assert self._last_episode_starts is not None
        require_finite("observation", self._last_obs, self.num_timesteps)
        self.policy.set_training_mode(False)
        self._look_ahead(rollout_buffer)
        rollout_buffer.reset()
        beyond = np.zeros_like(rollout_buffer.rewards)
        # strides as after loading a checkpoint, since with others products have other bits
        carry = {name: value.contiguous() for name, value in self._last_carry.items()}
        rollout_buffer.carry = carry
        callback.on_rollout_start()
        with torch.no_grad():
            for _ in range(n_rollout_steps):
                starts = self._starts(self._last_episode_starts)
                obs = torch.as_tensor(self._last_obs, device=self.device)
                actions, values, log_probs, carry = self.policy(obs, carry, starts)
                chosen = actions.cpu().numpy()
                new_obs, rewards, dones, infos = env.step(self.policy.in_bounds(chosen))
                assert isinstance(new_obs, np.ndarray)
                self.num_timesteps += env.num_envs
                callback.update_locals(locals())
                if not callback.on_step():
                    self._last_obs, self._last_episode_starts = new_obs, dones
                    self._last_carry = carry
                    return False
                require_finite("reward", rewards, self.num_timesteps)
                require_finite("observation", new_obs, self.num_timesteps)
                if dones.any():
                    self._update_info_buffer(infos, dones)
                    beyond[rollout_buffer.pos] = self._truncation_bootstrap(dones, infos, carry)
                if isinstance(self.action_space, spaces.Discrete):
                    chosen = chosen[:, None]
                rollout_buffer.add(
                    self._last_obs, chosen, rewards, self._last_episode_starts, values, log_probs
                )
                self._last_obs, self._last_episode_starts = new_obs, dones
                self._last_carry = carry
            obs = torch.as_tensor(self._last_obs, device=self.device)
            last_values = self.policy.predict_values(obs, carry, self._starts(dones))
        if self.reward_scale is not None:
            scale = self.reward_scale.update(rollout_buffer.rewards, rollout_buffer.episode_starts)
            rollout_buffer.rewards /= scale
        rollout_buffer.rewards += beyond  # values are of scaled rewards
        rollout_buffer.compute_returns_and_advantage(last_values=last_values, dones=dones)
        if self.center_advantages:
            rollout_buffer.center_advantages()
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def train(self) -> None:
        """Update the policy on the rollout: ``n_epochs`` passes over minibatches of sequences."""
        self.policy.set_training_mode(True)
        self._update_learning_rate(self.policy.optimizer)
        self.ent_coef = self.entropy_schedule(self._current_progress_remaining)
        log: dict[str, list[float]] = {}
        per_batch = max(1, self.batch_size // self.n_steps)
        for _ in range(self.n_epochs):
            for batch in self.rollout_buffer.sequences(per_batch):
                loss, terms = self.losses(batch)
                for name, value in terms.items():
                    log.setdefault(name, []).append(value)
                if self.target_kl is not None and terms["approx_kl"] > 1.5 * self.target_kl:
                    break
                self._descend(loss)
            self._n_updates += 1
            if self.target_kl is not None and terms["approx_kl"] > 1.5 * self.target_kl:
                break
        self._record(log)

    def losses(self, batch: Sequences) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss on a minibatch, and its terms for the log (Schulman 2017, equation 9)."""
        progress = self._current_progress_remaining
        found = self.policy.evaluate(batch.obs, batch.actions, batch.carry, batch.starts)
        parts = objective(
            found,
            batch,
            clip=_at(self.clip_range, progress),
            clip_values=None if self.clip_range_vf is None else _at(self.clip_range_vf, progress),
            normalize=self.normalize_advantage,
            all_action_coef=self.all_action_coef,
        )
        loss = parts.policy + self.ent_coef * parts.entropy + self.vf_coef * parts.value
        terms = {
            "policy_gradient_loss": parts.policy,
            "value_loss": parts.value,
            "entropy_loss": parts.entropy,
            "approx_kl": parts.kl,
            "clip_fraction": parts.clipped,
            "loss": loss,
        }
        return loss, {name: float(value.detach()) for name, value in terms.items()}

    def _descend(self, loss: torch.Tensor) -> None:
        """One optimizer step, unless the gradient is not finite."""
        self.policy.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        if not torch.isfinite(norm):
            where = f"at step {self.num_timesteps}"
            raise NonFinite(f"the gradient is not finite {where}; the weights were not changed")
        self.policy.optimizer.step()

    def _record(self, log: dict[str, list[float]]) -> None:
        """SB3's logger keys."""
        buffer = self.rollout_buffer
        for name, values in log.items():
            self.logger.record(f"train/{name}", np.mean(values) if name != "loss" else values[-1])
        variance = explained_variance(buffer.values.flatten(), buffer.returns.flatten())
        self.logger.record("train/explained_variance", variance)
        if hasattr(self.policy, "log_std"):
            self.logger.record("train/std", self.policy.log_std.exp().mean().item())
        self.logger.record("train/n_updates", self._n_updates, exclude="tensorboard")
        clip_range = _at(self.clip_range, self._current_progress_remaining)
        self.logger.record("train/clip_range", clip_range)
        for name in ("ent_coef", "gamma", "gae_lambda"):
            self.logger.record(f"train/{name}", getattr(self, name))

    def _look_ahead(self, buffer: RolloutBuffer) -> None:
        """Discount and lambda of the coming rollout."""
        self._update_current_progress_remaining(self.num_timesteps, self._total_timesteps)
        progress = self._current_progress_remaining
        self.gamma = buffer.gamma = self.gamma_schedule(progress)
        self.gae_lambda = buffer.gae_lambda = self.lambda_schedule(progress)
        if self.reward_scale is not None:
            self.reward_scale.gamma = self.gamma

    def _starts(self, dones: np.ndarray[Any, Any]) -> torch.Tensor:
        return torch.as_tensor(dones, dtype=torch.float32, device=self.device)

    def _truncation_bootstrap(
        self, dones: np.ndarray[Any, Any], infos: list[dict[str, Any]], carry: Carry
    ) -> np.ndarray[Any, Any]:
        """Discounted values of what comes after episodes that were cut off, elsewhere 0, [N]."""
        beyond = np.zeros(len(dones), dtype=np.float32)
        cut = [int(i) for i in np.flatnonzero(dones) if infos[i].get("TimeLimit.truncated", False)]
        if cut:
            last = np.stack([infos[i]["terminal_observation"] for i in cut])
            require_finite("last observation", last, self.num_timesteps, cut)
            rows = {name: value[cut] for name, value in carry.items()}
            obs = torch.as_tensor(last, device=self.device)
            going_on = torch.zeros(len(cut), device=self.device)
            values = self.policy.predict_values(obs, rows, going_on)
            beyond[cut] = self.gamma * values.cpu().numpy()
        return beyond


def _at(schedule: Any, progress: float) -> float:
    """A schedule's value; SB3 turns constants into schedules when it sets up."""
    assert isinstance(schedule, FloatSchedule)
    return float(schedule(progress))


def _horizon(env: VecEnv) -> int:
    """Trials in an episode, as our environments tell; 128 steps for others."""
    episodes = env.get_attr("episodes")[0] if env.has_attr("episodes") else None
    return episodes.family.horizon if isinstance(episodes, Episodes) else 128
