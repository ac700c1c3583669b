"""Imitation: the agent learns to choose as a reference would.

The loss at every trial is the cross-entropy from the reference's action probabilities q to the
agent's own p, given the same history h of the episode:

    -sum_a q(a | h) log p(a | h)

Who made the history is what kinds of imitation differ in. ``own``: the agent, so that the
reference is asked where the agent goes (DAgger: Ross, Gordon & Bagnell 2011, "A reduction of
imitation learning and structured prediction to no-regret online learning"). ``reference``: the
reference, which is behaviour cloning. ``random``: uniform choices. ``uneven``: choices by
probabilities that every episode draws anew and keeps,

    (1 - w) d + w e,  d ~ Dirichlet(1, ..., 1), e a random action, w ~ U{0, .1, ..., 1}

which is what a pretrained transformer is shown (DPT: Lee et al. 2023, "Supervised pretraining can
learn in-context reinforcement learning", and its code); with the oracle as reference, the agent
then learns to sample from the posterior.

The critic is trained beside it on the returns of these histories, as by reinforcement learning, so
that this can go on from there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.type_aliases import GymEnv, Schedule
from torch import Tensor
from torch.nn import functional as F

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.catalogue import find_named
from metalocus.agents.cells.base import Carry
from metalocus.agents.ppo.algorithm import GAMMA, LEARNING_RATE, SequencePPO, Unread
from metalocus.agents.ppo.buffer import Array, SequenceBuffer, Sequences
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import act
from metalocus.agents.trainers.base import Trainer
from metalocus.envs.checks import require, short_repr
from metalocus.envs.sb3 import BatchVecEnv

HISTORIES = ("own", "reference", "random", "uneven")
"""Whose choices make the histories: the agent's, the reference's, or nobody's, even or uneven."""


@dataclass(frozen=True)
class Taught(Sequences):
    """Sequences with what the reference would do: probabilities [T, B, K]."""

    targets: Tensor


class TaughtBuffer(SequenceBuffer):
    """A rollout, with what the reference would do at each step: probabilities [T, N, K]."""

    targets: Array
    holds = Taught

    def reset(self) -> None:
        """Empty all arrays."""
        super().reset()
        n_actions = self.action_space.n  # type: ignore[attr-defined]
        self.targets = np.zeros((self.buffer_size, self.n_envs, n_actions), np.float32)

    def arrays(self) -> dict[str, Array]:
        """The targets, beside what every rollout has."""
        return {**super().arrays(), "targets": self.targets}


class Imitation(SequencePPO):
    """Imitate a reference: its action probabilities are what the agent's are trained to be.

    Rollouts are whole episodes. Where several choices are best, the reference plays them with
    equal probability, and so will the agent.

    Args:
        policy: as for :class:`~metalocus.agents.ppo.algorithm.SequencePPO`.
        env: a :class:`~metalocus.envs.sb3.BatchVecEnv`, whose tasks the reference can play.
        reference: whom to imitate: the name of a reference, an online rule or a control, or what
            a run keeps of another run; for the latter set ``teacher`` before learning.
        histories: whose choices make the histories: ``own``, ``reference``, ``random`` or
            ``uneven``.
        learning_rate: number or schedule.
        n_minibatches: in a pass over a rollout.
        n_epochs: passes over each rollout.
        vf_coef: weight of the critic's loss beside the cross-entropy.
        max_grad_norm: greatest norm of a gradient; a larger one is scaled down.
        **kwargs: as for ``SequencePPO``.

    Attributes:
        teacher: the reference as an agent; None until it is needed, or given.

    Raises:
        InvalidTask: an argument is impossible, or the reference cannot play the environment.
    """

    rollout_buffer: TaughtBuffer

    def __init__(
        self,
        policy: str | type[SequencePolicy],
        env: GymEnv | str,
        reference: str | Mapping[str, Any] | None = None,
        histories: str = HISTORIES[0],
        learning_rate: float | Schedule = LEARNING_RATE,
        n_minibatches: int = 8,
        n_epochs: int = 1,
        vf_coef: float = 0.5,
        max_grad_norm: float = 0.5,
        **kwargs: Any,
    ) -> None:
        known = f"histories must be one of {', '.join(HISTORIES)}, got {short_repr(histories)}"
        require(histories in HISTORIES, known)
        self.reference, self.histories = reference, histories
        self.teacher: Agent | None = None
        # returns as at the end of reinforcement learning; the entropy is the reference's
        kwargs = {"gamma": GAMMA(0.0), "gae_lambda": 1.0, "ent_coef": 0.0, **kwargs}
        super().__init__(
            policy,
            env,
            learning_rate=learning_rate,
            n_minibatches=n_minibatches,
            n_epochs=n_epochs,
            vf_coef=vf_coef,
            max_grad_norm=max_grad_norm,
            rollout_buffer_class=TaughtBuffer,
            **kwargs,
        )

    def _setup_model(self) -> None:
        super()._setup_model()
        env = self._episodes()
        require(self.given_n_steps is None, "n_steps is not for imitation: rollouts are episodes")
        require(
            self.reference is not None,
            "imitation needs a reference: reference=NAME of one that can play"
            " (`metalocus list references`), or the folder of a run",
        )
        if isinstance(self.reference, str):
            chosen, family = find_named(self.reference), env.episodes.family
            reason = chosen.why_not(family)
            require(reason is None, f"{self.reference} cannot play {family.name}: {reason}")

    def _episodes(self) -> BatchVecEnv:
        """The environment, whose hidden variables the reference may be told."""
        env = None if self.env is None else self.env.unwrapped
        require(isinstance(env, BatchVecEnv), "imitation needs a metalocus BatchVecEnv")
        assert isinstance(env, BatchVecEnv)
        return env

    def _excluded_save_params(self) -> list[str]:
        """The reference is no part of the model."""
        return [*super()._excluded_save_params(), "teacher", "_taught", "_chances"]

    def _begin_rollout(self, buffer: SequenceBuffer) -> None:
        """Begin with the first trial in all episodes, where the reference begins too."""
        env = self._episodes()
        assert self._last_episode_starts is not None
        if not self._last_episode_starts.all():  # training was stopped within episodes
            self._last_obs, self._last_episode_starts = env.reset(), np.ones(env.num_envs, bool)
        super()._begin_rollout(buffer)
        if self.teacher is None:
            named = isinstance(self.reference, str)
            require(named, "the reference is a run: set the model's teacher to its agent")
            self.teacher = find_named(str(self.reference))(env.episodes.family)
        rng = np.random.default_rng([self.seed or 0, self.num_timesteps])
        self._taught = _Taught(self.teacher, self.teacher.start(env.num_envs, rng))
        n, n_actions = env.num_envs, env.episodes.family.n_arms
        even = np.full((n, n_actions), 1.0 / n_actions)
        self._chances = _uneven(n, n_actions, rng) if self.histories == "uneven" else even

    def _act(self) -> tuple[Array, Tensor, Unread, Carry]:
        """One step of the policy, what the reference would do, and an action as of histories."""
        actions, log_probs, to_read, carry = super()._act()
        t, buffer, episodes = (
            self.rollout_buffer.pos,
            self.rollout_buffer,
            self._episodes().episodes,
        )
        if t > 0:
            self._taught.learn(buffer.actions[t - 1, :, 0], buffer.rewards[t - 1])
        probs = self._taught.probabilities(t, episodes.stimulus(), episodes.privileged_value())
        buffer.targets[t] = probs
        if self.histories != "own":
            chances = probs if self.histories == "reference" else self._chances
            actions = torch.multinomial(torch.from_numpy(chances), 1)[:, 0].numpy()
        return actions, log_probs, to_read, carry

    def losses(self, batch: Sequences) -> tuple[Tensor, dict[str, float]]:
        """Cross-entropy to the reference and the critic's error, and the terms for the log."""
        assert isinstance(batch, Taught)
        policy = self.policy
        actor, critic, _ = policy.features(batch.obs, batch.carry, batch.starts)
        distribution, values = policy.read_out(actor, critic)
        log_probs = distribution.log_probs  # type: ignore[attr-defined]
        targets = batch.targets.flatten(0, 1)
        if policy.action_values:
            values = values.gather(1, batch.actions.flatten().long()[:, None])
        cross_entropy = -(targets * log_probs).sum(dim=1).mean()
        value = F.mse_loss(batch.returns.flatten(), values[:, 0])
        loss = cross_entropy + self.vf_coef * value
        least = torch.special.entr(targets).sum(dim=1).mean()  # no policy has a smaller one
        terms = {
            "imitation_loss": cross_entropy,
            "divergence": cross_entropy - least,
            "value_loss": value,
            "loss": loss,
        }
        return loss, {name: float(term.detach()) for name, term in terms.items()}


def _uneven(n: int, n_actions: int, rng: np.random.Generator) -> Array:
    """Choice probabilities of ``uneven`` histories, [N, K]."""
    even = rng.dirichlet(np.ones(n_actions), size=n)
    one = np.eye(n_actions)[rng.integers(n_actions, size=n)]
    w = rng.integers(11, size=(n, 1)) / 10.0
    mixed: Array = (1.0 - w) * even + w * one
    return mixed


class _Taught:
    """The reference beside the running episodes: it takes in what happens in them.

    Args:
        teacher: the reference.
        stores: its stores at the first trial.
    """

    def __init__(self, teacher: Agent, stores: Stores) -> None:
        self.teacher, self.stores = teacher, stores
        self.shown = np.empty(0)

    def probabilities(self, t: int, stimulus: Array, privileged_value: Array) -> Array:
        """What it would do at trial t, [N, K]."""
        self.shown = privileged_value if self.teacher.omniscient else stimulus
        probs, self.stores = act(self.teacher, t, self.shown, self.stores)
        return probs

    def learn(self, action: Array, reward: Array) -> None:
        """Take in what happened at the trial, [N] each."""
        self.stores = self.teacher.learn(self.stores, self.shown, action, reward)


TRAINER = Trainer(
    "imitate",
    "imitation: the choices of a reference, or of another run, on histories of one's choice",
    Imitation,
)
