"""Exact expectations over all histories of a short bandit, under any agent's policy."""

from __future__ import annotations

import numpy as np

from metalocus.agents.agent import Agent, Array, best_arms, spread
from metalocus.agents.catalogue import make_named
from metalocus.envs import Setting
from metalocus.experiments.scoring.curves import LATE

GRID = 200
"""Chances of reward over which a posterior is summed; with twice as many nothing moves by 1e-4."""
CHANCE, BEST = 1 / 2, 2 / 3
"""Expected reward of a random arm, and of the better one, of two with uniform chances of reward."""


class Histories:
    """Every history of two arms whose chances of reward are uniform and independent.

    A history is the actions and rewards before the last trial, H = 4^(T - 1) of them. It comes
    about with the probability of its actions under the agent's policy times that of its rewards,
    which are those of Beta posteriors. So the expectation of whatever follows from a history is a
    sum, with no error but rounding.

    Args:
        name: of the agent, which draws nothing at random.
        setting: a Bernoulli bandit of two arms and a uniform prior.

    Attributes:
        action, reward: [T - 1, H].
        probs: the agent's, before each trial, [T, H, 2].
        means: posterior mean of each arm, before each trial, [T, H, 2].
        weight: probability of each history, [H].
    """

    def __init__(self, name: str, setting: Setting) -> None:
        self.family = setting.family
        self.agent = make_named(name, self.family)
        trials = setting.family.horizon
        digits = np.arange(4 ** (trials - 1)) // 4 ** np.arange(trials - 1)[:, None] % 4
        self.action, self.reward = digits // 2, (digits % 2).astype(float)
        self.probs = self.played(self.agent, self.reward)
        pulled = self.action[..., None] == np.arange(2)
        won = pulled * self.reward[..., None]
        pulls, wins = (_before(each) for each in (pulled, won))
        self.means = (1.0 + wins) / (2.0 + pulls)
        self.weight = self.weights(self._chances())

    def played(self, agent: Agent, reward: Array) -> Array:
        """Probabilities [T, H, 2] of an agent that meets the actions and is told these rewards."""
        n = self.action.shape[1]
        nothing, stores = np.zeros((n, 0)), agent.start(n, np.random.default_rng(0))
        probs = []
        for action, paid in zip(self.action, reward, strict=True):
            each, stores = agent.act(nothing, stores)
            probs.append(each)
            stores = agent.learn(stores, nothing, action, paid)
        return np.stack([*probs, agent.act(nothing, stores)[0]])

    def _chances(self) -> Array:
        """Probability of each action under the policy, [T - 1, H]."""
        chances: Array = np.take_along_axis(self.probs[:-1], self.action[..., None], 2)[..., 0]
        return chances

    def weights(self, chances: Array) -> Array:
        """Probability of each history [H], from those of its actions [T - 1, H]."""
        mean = np.take_along_axis(self.means[:-1], self.action[..., None], 2)[..., 0]
        weights: Array = (chances * np.where(self.reward > 0, mean, 1.0 - mean)).prod(axis=0)
        return weights

    @property
    def expected_return(self) -> float:
        """Mean total reward of an episode."""
        return float((self.weight * (self.probs * self.means).sum(axis=2)).sum())

    def choice_values(self) -> Array:
        """Choice value at every trial, [T]."""
        earned = (self.weight * (self.probs * self.means).sum(axis=2)).sum(axis=1)
        values: Array = (earned - CHANCE) / (BEST - CHANCE)
        return values

    def final(self) -> float:
        """Choice value in the last quarter of the episode."""
        values = self.choice_values()
        return float(values[-round(LATE * len(values)) :].mean())

    def forced_total(self) -> float:
        """Choice value that the last choice loses with the stores of a matched donor.

        The action before it is drawn at random; own history and donor's agree in it and in its
        reward, and are independent else.
        """
        chances = self._chances()
        chances[-1] = 1 / 2
        weight, value = self.weights(chances), 0.0
        for action in (0, 1):
            for reward in (0, 1):
                w = weight * ((self.action[-1] == action) & (self.reward[-1] == reward))
                own = (w * (self.probs[-1] * self.means[-1]).sum(axis=1)).sum()
                donors, task = (w @ each[-1] for each in (self.probs, self.means))
                value += own - (donors * task).sum() / w.sum()
        return float(value / (BEST - CHANCE))

    def influence(self, lag: int) -> tuple[float, float]:
        """What a reward in place of none makes of the last choice, and what goes together with it.

        Args:
            lag: trials from the reward to the choice.

        Returns:
            Mean change of the probability of the same choice; that probability after a reward
            minus that after none.
        """
        told, own = self.reward.copy(), self.reward[-lag]
        told[-lag] = 1.0 - own
        rows, choice = np.arange(len(own)), self.action[-lag]
        both = self.probs[-1], self.played(self.agent, told)[-1]
        same, other = (probs[rows, choice] for probs in both)
        change = (self.weight * np.where(own > 0, same - other, other - same)).sum()
        after, none = (np.average(same, weights=self.weight * (own == r)) for r in (1.0, 0.0))
        return float(change), float(after - none)

    def moved(self, part: float) -> float:
        """How far the last choice moves to a donor's, greedy by means a part of the way to its.

        Own history and donor's are independent. With p the chances of an arm's reward, own and
        donor's, the choice counts by the donor's p where the two better arms are not the same.
        """
        grid = (np.arange(GRID) + 0.5) / GRID
        chance = self._posterior(grid)
        first = np.tri(GRID) - 0.5 * np.eye(GRID)  # whether arm 0 is the better one, ties in halves
        better = np.stack([first, 1.0 - first])
        likely = np.einsum("bij,hi,hj->hb", better, *chance.swapaxes(0, 1))
        worth = np.stack(
            [
                np.einsum("bij,hi,hj->hb", better * each, *chance.swapaxes(0, 1))
                for each in (grid[:, None], grid)
            ],
            axis=2,
        )  # E p of each arm, where arm b is the better one [H, b, 2]
        weight = self.weight[:, None, None] * self.weight[:, None]
        value = weight * np.einsum("hb,gbk->hgk", likely, worth[:, ::-1])
        own, donor = self.means[-1][:, None], self.means[-1][None]
        before, after, whole = (
            spread(best_arms((own + step * (donor - own)).reshape(-1, 2))).reshape(value.shape)
            for step in (0.0, part, 1.0)
        )
        return float(((after - before) * value).sum() / ((whole - before) * value).sum())

    def _posterior(self, grid: Array) -> Array:
        """Probability of each chance of reward on a grid [G] after the history, [H, 2, G]."""
        pulled = self.action[..., None] == np.arange(2)
        won = (pulled * self.reward[..., None]).sum(axis=0)
        lost = pulled.sum(axis=0) - won
        chance: Array = grid ** won[..., None] * (1.0 - grid) ** lost[..., None]
        chance /= chance.sum(axis=2, keepdims=True)
        return chance

    def regret(self) -> float:
        """Reward that the best guess after the history gives up, against the better arm."""
        return float(BEST - self.weight @ self.means[-1].max(axis=1))

    def agreement(self, reference: str) -> float:
        """Probability that the last choice is one that a reference might make."""
        might = self.played(make_named(reference, self.family), self.reward)[-1] > 0.0
        return float((self.weight * (self.probs[-1] * might).sum(axis=1)).sum())

    def error_correlation(self, other: str, reference: str) -> float:
        """Covariance of the errors of two agents over their mean variance, summed over trials.

        An error is the probability of a choice that the reference would not make; the histories
        are those that the first agent makes.

        Args:
            other: the second agent.
            reference: by which a choice is an error.
        """
        policy = make_named(reference, self.family)
        wrong = self.played(policy, self.reward) == 0.0
        members = self.probs, self.played(make_named(other, self.family), self.reward)
        errors = [(probs * wrong).sum(axis=2) for probs in members]
        centred = [each - (each @ self.weight)[:, None] for each in errors]
        (one, both), (_, two) = ([(a * b @ self.weight).sum() for b in centred] for a in centred)
        return float(2.0 * both / (one + two))

    def read_through_noise(self, sd: float) -> float:
        """R² of the best linear read-out of the last posterior means from the same with noise.

        With C the covariance of the means, and noise of variance s² on each, what the best linear
        read-out leaves of it is C - C (C + s² I)⁻¹ C.
        """
        mean = self.means[-1]
        c = np.cov(mean.T, aweights=self.weight, ddof=0)
        left = c - c @ np.linalg.inv(c + sd**2 * np.eye(2)) @ c
        return float(1.0 - np.trace(left) / np.trace(c))


def _before(each: Array) -> Array:
    """Sums over the trials before each, [T - 1, H, 2] -> [T, H, 2]."""
    return np.concatenate([np.zeros_like(each[:1], dtype=float), np.cumsum(each, axis=0)])
