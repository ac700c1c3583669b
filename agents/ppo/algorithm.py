"""PPO over a sequence model: the one training engine of every learned agent."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from stable_baselines3.common.buffers import RolloutBuffer
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.distributions import Distribution
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import GymEnv, MaybeCallback, Schedule
from stable_baselines3.common.utils import ConstantSchedule, LinearSchedule, explained_variance
from stable_baselines3.common.vec_env import VecEnv

from metalocus.agents.agent import NonFinite
from metalocus.agents.cells.base import Carry
from metalocus.agents.ppo import settings
from metalocus.agents.ppo.buffer import SequenceBuffer, Sequences
from metalocus.agents.ppo.finite import require_finite_rows
from metalocus.agents.ppo.losses import ppo_losses
from metalocus.agents.ppo.policy import Evaluation, SequencePolicy, require_flat
from metalocus.agents.ppo.prediction import predicts_of
from metalocus.agents.ppo.reward_scaling import RewardScale
from metalocus.agents.ppo.sb3_zip import ArchivedPPO
from metalocus.agents.ppo.schedules import LengtheningHorizon, PowerDecay
from metalocus.agents.ppo.settings import checked, count, number, optional, schedule, scheduled
from metalocus.envs.checks import InvalidTask, require
from metalocus.envs.family import MOST_BYTES
from metalocus.envs.vector import BatchEnv

Array = np.ndarray[Any, Any]
Unread = tuple[torch.Tensor, Distribution]
"""Of one step: the critic's features [N, H], and the distribution of the action."""

LEARNING_RATE = PowerDecay(4e-3, 2.0)
GAMMA = LengtheningHorizon(5.0, 100.0, 0.4)
GAE_LAMBDA = LinearSchedule(0.3, 1.0, 0.6)
ENT_COEF = LinearSchedule(0.02, 0.0005, 1.0)
FOREIGN_STEPS = 128
"""Length of a rollout in environments that do not tell their horizon; sb3-contrib's default."""
LARGEST_SEED = 2**32 - 1
"""NumPy's global generator, which SB3 seeds, takes no larger one."""
_BYTES_A_STEP = 6 * 4
"""Of a rollout beside observations and actions: six float32 for rewards, returns, ..."""


class SequencePPO(ArchivedPPO):
    """Proximal policy optimisation (Schulman et al. 2017) on whole sequences.

    A drop-in for sb3-contrib's ``RecurrentPPO`` and, with a memoryless cell, for SB3's
    ``PPO``: ``learn``, ``predict(obs, state, episode_start)``, callbacks, logger keys. With
    the same rollout, weights and settings it computes the same losses and gradients; the policy's
    ``action_values=False`` is one of them. Its defaults are chosen for learning within episodes
    from large batches.

    Settings may be assigned while training goes on, by a callback for instance, and count from
    then on. A schedule is a function of the fraction of training that remains when a rollout
    begins: 1 for the first rollout and the update on it, more than 0 for the last. SB3 reads
    rates at the end of the rollout, where a rate that falls to 0 wastes the last one.

    Where ``learn(reset_num_timesteps=False)`` goes on beyond the steps announced before, nobody
    knows how much is to come; at least as much as is done is assumed, so that schedules stay in
    their first half, and a warning says so.

    Args:
        policy: ``SequencePolicy``; choose the cell by ``policy_kwargs={"cell": "lstm"}``.
        env: an SB3 vector environment, such as :class:`~metalocus.envs.sb3.BatchVecEnv`; a
            Gymnasium environment; or its id. Gymnasium's vector environments are refused.
        learning_rate: number or schedule. For this and the other schedules ``"lin_3e-4"`` is a line
            from .0003 at the beginning of training to 0 at its end, as in RL Zoo.
        n_steps: length of a rollout; None for the environment's horizon, so that every
            sequence is one whole episode.
        batch_size: transitions in a minibatch, rounded down to whole sequences; None for
            ``1 / n_minibatches`` of the rollout.
        n_minibatches: used if ``batch_size`` is None.
        n_epochs: passes over each rollout.
        gamma: discount, number or schedule. By default its horizon grows from 5 to 100 steps in
            two fifths of training, so that immediate rewards are learned first.
        gae_lambda: of generalised advantage estimation, number or schedule; by default from 0.3
            to 1 in three fifths of training, from little variance to no bias.
        ent_coef: entropy coefficient, number or schedule.
        all_action_coef: weight, beside PPO's objective, of the mean of the critic's action
            values over the policy's choice (Sutton et al. 2000, theorem 1; Allen et al. 2017,
            "Mean actor critic"). It tells of actions that were not taken, without their noise.
            Of no effect without action values.
        prediction_coef: weight of an auxiliary loss, the negative log-likelihood of the next reward
            and stimulus as a further head predicts them from the cell's features and the action
            (:mod:`~metalocus.agents.ppo.prediction`). With 0 there is no such head.
        scale_rewards: divide rewards by a running standard deviation of the discounted
            return, so that the value loss does not drown the policy gradient.
        center_advantages: where at least 32 environments go through their episodes in step,
            subtract from each advantage the mean of the other environments' at the same step,
            and from each return the same. The critic then learns only in what an episode
            differs from the others, and not the time that is left, which it may not see.
        rollout_buffer_class: a subclass of ``SequenceBuffer``, or None for that class.
        device: to compute on.
        _init_setup_model: as for SB3.
        **kwargs: as for SB3's ``PPO``.

    Raises:
        InvalidTask: a setting is impossible, or not supported; also when it is assigned later.
    """

    policy_aliases: ClassVar[dict[str, type[BasePolicy]]] = {"SequencePolicy": SequencePolicy}
    policy: SequencePolicy
    rollout_buffer: SequenceBuffer

    lr_schedule = checked(schedule("learning_rate"))
    gamma_schedule = checked(schedule("gamma", most=1.0))
    gae_lambda_schedule = checked(schedule("gae_lambda", most=1.0))
    ent_coef_schedule = checked(schedule("ent_coef"))
    learning_rate = scheduled("lr_schedule")
    gamma = scheduled("gamma_schedule")
    gae_lambda = scheduled("gae_lambda_schedule")
    ent_coef = scheduled("ent_coef_schedule")
    clip_range = checked(schedule("clip_range"))
    clip_range_vf = checked(optional(schedule("clip_range_vf")))
    all_action_coef = checked(number())
    prediction_coef = checked(number())
    vf_coef = checked(number())
    max_grad_norm = checked(number())
    target_kl = checked(optional(number()))
    n_epochs = checked(count(1))
    n_minibatches = checked(count(1))
    given_n_steps = checked(lambda _, value: optional(count(1))("n_steps", value))
    given_batch_size = checked(lambda _, value: optional(count(1))("batch_size", value))
    normalize_advantage = checked(settings.flag)
    scale_rewards = checked(settings.flag)
    center_advantages = checked(settings.flag)
    policy_kwargs = checked(settings.mapping)
    rollout_buffer_kwargs = checked(settings.mapping)
    seed = checked(optional(count(0, LARGEST_SEED)))
    verbose = checked(count(0))
    _stats_window_size = checked(count(1))

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
        prediction_coef: float = 0.0,
        scale_rewards: bool = True,
        center_advantages: bool = True,
        rollout_buffer_class: type[RolloutBuffer] | None = None,
        device: torch.device | str = "cpu",
        _init_setup_model: bool = True,
        **kwargs: Any,
    ) -> None:
        buffer_class = rollout_buffer_class or SequenceBuffer
        fits = issubclass(buffer_class, SequenceBuffer)
        require(fits, f"rollout_buffer_class must be a SequenceBuffer, got {buffer_class.__name__}")
        sde = kwargs.get("use_sde", False) or kwargs.get("sde_sample_freq", -1) != -1
        require(not sde, "use_sde is not supported; leave it and sde_sample_freq out")
        self.verbose = kwargs.get("verbose", 0)  # SB3 reads it before it keeps it
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_steps=2,  # this and the next are set below: SB3 takes no None
            batch_size=2,
            n_epochs=n_epochs,
            gamma=gamma,  # type: ignore[arg-type]
            gae_lambda=gae_lambda,  # type: ignore[arg-type]
            ent_coef=ent_coef,  # type: ignore[arg-type]
            rollout_buffer_class=buffer_class,
            device=device,
            _init_setup_model=False,
            **kwargs,
        )
        self.given_n_steps, self.given_batch_size = n_steps, batch_size
        self.n_minibatches, self.all_action_coef = n_minibatches, all_action_coef
        self.prediction_coef = prediction_coef
        self.scale_rewards, self.center_advantages = scale_rewards, center_advantages
        self.reward_scale: RewardScale | None = None
        self._open_ended = False
        if _init_setup_model:
            self._setup_model()

    @property
    def batch_size(self) -> int:
        """Transitions in a minibatch."""
        if self.given_batch_size is not None:
            return int(self.given_batch_size)
        sequences: int = max(self.n_envs // self.n_minibatches, 1)
        return sequences * self.n_steps

    @batch_size.setter
    def batch_size(self, value: int | None) -> None:
        self.given_batch_size = value

    def _setup_model(self) -> None:
        if isinstance(self.observation_space, spaces.Dict | spaces.Tuple):
            kind = type(self.observation_space).__name__
            raise InvalidTask(f"{kind} observations must be flattened: wrap in FlattenObservation")
        require_flat(self.action_space)
        if self.env is not None:
            self.n_steps = self.given_n_steps or _horizon(self.env)
            if self.prediction_coef > 0:
                self.policy_kwargs.setdefault("predicts", predicts_of(self.env))
        self._require_memory()
        super()._setup_model()
        if self.clip_range_vf is not None and self.policy.action_values:
            raise InvalidTask("clip_range_vf is for values of states: set action_values=False too")
        if self.scale_rewards and self.reward_scale is None:
            self.reward_scale = RewardScale(self.n_envs)
        self._last_carry = self.policy.initial_carry(self.n_envs)

    @staticmethod
    def _wrap_env(env: GymEnv, verbose: int = 0, monitor_wrapper: bool = True) -> VecEnv:
        """SB3's, after refusing what it would call no environment."""
        if isinstance(env, VectorEnv):
            raise InvalidTask(
                "this is a Gymnasium vector environment, whose episodes begin anew at another"
                f" step than SB3's; give {_sb3_call(env)} instead"
            )
        return ArchivedPPO._wrap_env(env, verbose, monitor_wrapper)

    def _setup_lr_schedule(self) -> None:
        """Nothing: the schedule was set with the learning rate."""

    def _setup_learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        reset_num_timesteps: bool = True,
        tb_log_name: str = "run",
        progress_bar: bool = False,
    ) -> tuple[int, BaseCallback]:
        """As SB3's, and see whether this call ends where an earlier one said."""
        announced = self._total_timesteps
        found = super()._setup_learn(
            total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar
        )
        if self.num_timesteps == 0:
            self._open_ended = False
        elif self._total_timesteps != announced and not self._open_ended:
            self._open_ended = True
            self._warn_of_schedules(announced)
        return found

    def _warn_of_schedules(self, announced: int) -> None:
        """Say that schedules do not know the whole of training, if there are any."""
        named = {"learning_rate": self.lr_schedule, "clip_range": self.clip_range}
        named |= {name: getattr(self, f"{name}_schedule") for name in ("gamma", "gae_lambda")}
        named |= {"ent_coef": self.ent_coef_schedule, "clip_range_vf": self.clip_range_vf}
        changing = [
            name
            for name, held in named.items()
            if held is not None and not isinstance(held.value_schedule, ConstantSchedule)
        ]
        if changing:
            warnings.warn(
                f"learn goes on beyond the {announced} steps announced before: the schedules of"
                f" {', '.join(changing)} cannot know the whole of training and stay in their"
                " first half; train in one call of learn, or give constants",
                stacklevel=4,
            )

    def collect_rollouts(
        self,
        env: VecEnv,
        callback: BaseCallback,
        rollout_buffer: RolloutBuffer,
        n_rollout_steps: int,
    ) -> bool:
        """Play ``n_rollout_steps`` in every environment; False if the callback said stop."""
        assert isinstance(rollout_buffer, SequenceBuffer)
        self._begin_rollout(rollout_buffer)
        callback.on_rollout_start()
        bootstrap = np.zeros_like(rollout_buffer.rewards)
        unread, no_values = [], torch.zeros(env.num_envs, device=self.device)
        for t in range(n_rollout_steps):
            actions, log_probs, to_read, carry = self._act()
            new_obs, rewards, dones, infos = env.step(self.policy.to_space(actions))
            assert isinstance(new_obs, np.ndarray)
            self.num_timesteps += env.num_envs
            callback.update_locals(locals())
            go_on = callback.on_step()
            if go_on:
                self._require_finite("reward", rewards)
                self._require_finite("observation", new_obs)
                if dones.any():
                    self._update_info_buffer(infos, dones)
                    bootstrap[t] = self._truncation_bootstrap(dones, infos, carry)
                obs, starts = self._last_obs, self._last_episode_starts
                assert isinstance(obs, np.ndarray)
                assert starts is not None
                rollout_buffer.add(obs, actions, rewards, starts, no_values, log_probs)
                unread.append(to_read)
            self._last_obs, self._last_episode_starts, self._last_carry = new_obs, dones, carry
            if not go_on:
                return False
        self._read_values(rollout_buffer, unread)
        self._finish_rollout(rollout_buffer, bootstrap)
        callback.update_locals(locals())
        callback.on_rollout_end()
        return True

    def _begin_rollout(self, buffer: SequenceBuffer) -> None:
        """Find the place in training, and hand what is carried to the empty buffer."""
        whole = self._total_timesteps
        if self._open_ended:  # as much again is to come
            whole = max(whole, 2 * self.num_timesteps)
        self._current_progress_remaining = 1.0 - self.num_timesteps / whole
        self._require_finite("observation", self._last_obs)
        self.policy.set_training_mode(False)
        buffer.reset()
        # strides as after loading a checkpoint, since with others products have other bits
        self._last_carry = {name: v.contiguous() for name, v in self._last_carry.items()}
        buffer.carry = self._last_carry

    def _act(self) -> tuple[Array, torch.Tensor, Unread, Carry]:
        """One step of the policy.

        Returns:
            actions [N, ...], their log-probabilities [N], what the critic is to read, what to
            carry on.
        """
        with torch.no_grad():
            obs = torch.as_tensor(self._last_obs, device=self.device)
            starts = self._as_starts(self._last_episode_starts)
            actor, critic, carry = self.policy.features(obs[None], self._last_carry, starts[None])
            distribution = self.policy.choice(actor)
            actions = distribution.get_actions()
            log_probs = distribution.log_prob(actions)
        return actions.cpu().numpy(), log_probs, (critic, distribution), carry

    def _read_values(self, buffer: SequenceBuffer, unread: Sequence[Unread]) -> None:
        """The critic's values of a whole rollout at once, which the choices do not need."""
        critic, chosen = zip(*unread, strict=True)
        with torch.no_grad():
            values = self.policy.state_values(torch.cat(critic), chosen)
        buffer.values[:] = values.view(len(critic), -1).cpu().numpy()

    def _finish_rollout(self, buffer: SequenceBuffer, bootstrap: Array) -> None:
        """Scale rewards, then estimate returns and advantages.

        Args:
            buffer: full.
            bootstrap: discounted values of what was cut off, in units of scaled rewards, [T, N].
        """
        self._require_finite("value", buffer.values.T)
        self._require_finite("log-probability", buffer.log_probs.T)
        ended = self._last_episode_starts
        assert ended is not None
        last_values = torch.zeros(len(ended), device=self.device)
        if not ended.all():  # what comes after an episode counts for nothing
            with torch.no_grad():
                last_values = self.policy.predict_values(
                    torch.as_tensor(self._last_obs, device=self.device),
                    self._last_carry,
                    self._as_starts(ended),
                )
        buffer.earned = buffer.rewards.copy()
        if self.scale_rewards:
            self.reward_scale = self.reward_scale or RewardScale(self.n_envs)
            scale = self.reward_scale.update(buffer.rewards, buffer.episode_starts, self.gamma)
            buffer.rewards /= scale
        buffer.rewards += bootstrap
        buffer.gamma, buffer.gae_lambda = self.gamma, self.gae_lambda
        with np.errstate(over="ignore", invalid="ignore"):
            buffer.compute_returns_and_advantage(last_values, ended)
        self._require_finite("advantage", buffer.advantages.T)
        if self.center_advantages:
            buffer.center_advantages()

    def _truncation_bootstrap(
        self, dones: Array, infos: list[dict[str, Any]], carry: Carry
    ) -> Array:
        """Discounted values of what comes after episodes that were cut off, elsewhere 0, [N].

        Where the environment does not give the last observation there is none, as with SB3.
        """
        bootstrap = np.zeros(len(dones), dtype=np.float32)
        cut = [
            int(i)
            for i in np.flatnonzero(dones)
            if infos[i].get("TimeLimit.truncated", False)
            and infos[i].get("terminal_observation") is not None
        ]
        if cut:
            last = np.stack([infos[i]["terminal_observation"] for i in cut])
            self._require_finite("last observation", last, cut)
            rows = {name: value[cut] for name, value in carry.items()}
            obs = torch.as_tensor(last, device=self.device)
            going_on = torch.zeros(len(cut), device=self.device)
            with torch.no_grad():
                values = self.policy.predict_values(obs, rows, going_on)
            bootstrap[cut] = self.gamma * values.cpu().numpy()
        return bootstrap

    def train(self) -> None:
        """Update the policy on the rollout: ``n_epochs`` passes over minibatches of sequences.

        Raises:
            NonFinite: a loss, gradient or weight; the weights are those before the update.
        """
        self.policy.set_training_mode(True)
        before, updates = _copied(self.get_parameters()), self._n_updates
        log: dict[str, list[float]] = {}
        try:
            self._update_learning_rate(self.policy.optimizer)
            for _ in range(self.n_epochs):
                go_on = self._run_epoch(log)
                self._n_updates += 1
                if not go_on:
                    break
            self._require_finite_weights()
        except (NonFinite, InvalidTask):
            self.set_parameters(before)
            self._n_updates = updates
            raise
        self._record(log)

    def _run_epoch(self, log: dict[str, list[float]]) -> bool:
        """One pass over the rollout; False if the policy has moved further than allowed."""
        per_batch = max(1, self.batch_size // self.n_steps)
        for batch in self.rollout_buffer.sequences(per_batch):
            loss, terms = self.losses(batch)
            for name, value in terms.items():
                log.setdefault(name, []).append(value)
            if not math.isfinite(terms["loss"]):
                raise NonFinite(f"the loss {self._when} is not finite; {_UNCHANGED}")
            if self.target_kl is not None and terms["approx_kl"] > 1.5 * self.target_kl:
                return False
            self._descend(loss)
        return True

    def losses(self, batch: Sequences) -> tuple[torch.Tensor, dict[str, float]]:
        """The loss on a minibatch, and its terms for the log (Schulman 2017, equation 9)."""
        progress = self._current_progress_remaining
        now = self.policy.evaluate(batch.obs, batch.actions, batch.carry, batch.starts)
        parts = ppo_losses(
            now,
            batch,
            clip_range=self.clip_range(progress),
            clip_range_vf=None if self.clip_range_vf is None else self.clip_range_vf(progress),
            normalize_advantage=self.normalize_advantage,
            all_action_coef=self.all_action_coef,
        )
        loss = parts.policy + self.ent_coef * parts.entropy + self.vf_coef * parts.value
        terms = {
            "policy_gradient_loss": parts.policy,
            "value_loss": parts.value,
            "entropy_loss": parts.entropy,
            "approx_kl": parts.kl,
            "clip_fraction": parts.clipped,
        }
        if self.prediction_coef > 0:
            terms["prediction_loss"] = self._prediction_loss(now, batch)
            loss = loss + self.prediction_coef * terms["prediction_loss"]
        terms["loss"] = loss
        return loss, {name: float(value.detach()) for name, value in terms.items()}

    def _prediction_loss(self, now: Evaluation, batch: Sequences) -> torch.Tensor:
        """Negative log-likelihood of what followed the actions, []."""
        head = self.policy.predictor
        built = "prediction_coef can be more than 0 only if it was so when the model was made"
        if head is None or now.prediction is None:
            raise InvalidTask(built)
        return head.loss(now.prediction, batch.earned, batch.obs, batch.starts)

    def _descend(self, loss: torch.Tensor) -> None:
        """One optimizer step, unless the gradient is not finite."""
        self.policy.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.policy.parameters(), self.max_grad_norm)
        if not torch.isfinite(norm):
            raise NonFinite(f"the gradient {self._when} is not finite; {_UNCHANGED}")
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
        for name in ("clip_range", "clip_range_vf"):
            held = getattr(self, name)
            if held is not None:
                self.logger.record(f"train/{name}", held(self._current_progress_remaining))
        for name in ("ent_coef", "gamma", "gae_lambda"):
            self.logger.record(f"train/{name}", getattr(self, name))

    def _update_current_progress_remaining(self, num_timesteps: int, total_timesteps: int) -> None:
        """Nothing: an update's place in training is where its rollout began.

        SB3 calls this after the rollout, at the end of which nothing may remain.
        """

    def _require_memory(self) -> None:
        """Raise :class:`InvalidTask` if a rollout would take more memory than is allowed."""
        observed = math.prod(self.observation_space.shape or (1,))
        acted = math.prod(self.action_space.shape or (1,))
        needed = self.n_steps * self.n_envs * ((observed + acted) * 8 + _BYTES_A_STEP)
        require(
            needed <= MOST_BYTES,
            f"a rollout of n_steps={self.n_steps} in {self.n_envs} environments takes"
            f" {needed:,} bytes, more than the {MOST_BYTES:,} allowed; lower n_steps",
        )

    def _as_starts(self, dones: Array | None) -> torch.Tensor:
        return torch.as_tensor(dones, dtype=torch.float32, device=self.device)

    @property
    def _when(self) -> str:
        return f"at step {self.num_timesteps}"

    def _require_finite(self, what: str, array: Any, rows: list[int] | None = None) -> None:
        """Raise :class:`NonFinite` unless all numbers of an array [N, ...] are finite."""
        try:
            require_finite_rows(what, array, self._when, rows)
        except NonFinite as error:
            raise NonFinite(f"{error}; {_UNCHANGED}") from None

    def _require_finite_weights(self) -> None:
        for name, value in self.policy.state_dict().items():
            if not torch.isfinite(value).all():
                raise NonFinite(f"the weights {name} {self._when} are not finite; {_UNCHANGED}")


_UNCHANGED = "the weights were not changed"


def _copied(value: Any) -> Any:
    """State dictionaries with tensors of their own; ``deepcopy`` takes ten times as long."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copied(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_copied(part) for part in value]
    return value


def _sb3_call(env: VectorEnv[Any, Any, Any]) -> str:
    """The call that makes SB3's vector environment of the same episodes, without its arguments."""
    name = "ID" if env.spec is None else repr(env.spec.id)
    if isinstance(env.unwrapped, BatchEnv):
        return f"metalocus.envs.sb3.BatchVecEnv({name}, {env.num_envs})"
    return f"stable_baselines3.common.env_util.make_vec_env({name}, {env.num_envs})"


def _horizon(env: VecEnv) -> int:
    """Trials in an episode, as our environments tell; sb3-contrib's default for others."""
    name = "metalocus_horizon"
    return int(env.get_attr(name)[0]) if env.has_attr(name) else FOREIGN_STEPS
