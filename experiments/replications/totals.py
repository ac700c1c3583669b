"""Mean returns of several agents on the same fresh episodes, and their regret to one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from metalocus.agents.agent import Agent, Array
from metalocus.agents.rollout import rollout
from metalocus.envs import Episodes, Setting
from metalocus.experiments.scoring.chunks import Chunks, named
from metalocus.experiments.scoring.control_variates import mean_with_controls

BEST_OF_FIVE = 1.162964
"""Mean of the greatest of five standard normal numbers."""
ORDERED = 3
"""Of a bandit's arms, the best ones are control variates."""


def totals(
    agents: Mapping[str, Agent],
    near: str,
    setting: Setting,
    episodes: int,
    seed: int,
    cuts: Sequence[int] = (),
) -> dict[str, float]:
    """Return of every agent by name, and ``NAME regret`` to one of them, paired by episode.

    Choices count by their expected reward under the true means; both numbers are regressed on
    control variates of the tasks. Standard errors are ``NAME_se``.

    Args:
        agents: that play.
        near: name of the one that regret is measured against.
        setting: that all play.
        episodes: how many fresh ones.
        seed: of them.
        cuts: trials after which the return is read off; then names end in ``@TRIALS``.
    """
    ends = list(cuts) or [setting.family.horizon]
    played, controls = {}, []
    for name, agent in agents.items():
        parts = []
        with named(agent, setting):
            for chunk in Chunks(setting, episodes, seed):
                episodes_now = chunk.episodes()
                if name == near:
                    controls.append(known_means(episodes_now))
                trace = rollout(agent, episodes_now, chunk.start_seed)
                parts.append(trace.value.cumsum(axis=0)[np.array(ends) - 1])
        played[name] = np.concatenate(parts, axis=1)  # [cuts, N]
    drawn = np.concatenate(controls)
    found: dict[str, float] = {}
    for i, end in enumerate(ends):
        at = f"@{end}" if cuts else ""
        for name, values in played.items():
            _add(found, f"{name}{at}", values[i], drawn)
            if name != near:
                _add(found, f"{name} regret{at}", played[near][i] - values[i], drawn)
    return found


def known_means(episodes: Episodes) -> Array:
    """Numbers of fresh tasks of a bandit or a random process whose mean is 0, [N, C]."""
    if "transitions" in episodes.latents:
        rewards: NDArray[np.float64] = episodes.latents["rewards"] - 1.0
        best = rewards.max(axis=2) - BEST_OF_FIVE * (rewards.shape[2] == 5)
        columns = [rewards.mean(axis=(1, 2)), rewards[:, 0].mean(axis=1)]
        columns += [best.mean(axis=1), best[:, 0]] if rewards.shape[2] == 5 else []
        return np.stack(columns, axis=1)
    means = np.sort(episodes.means(), axis=1)[:, ::-1]
    arms = means.shape[1]
    best = [means[:, j] - (arms - j) / (arms + 1) for j in range(min(ORDERED, arms))]
    return np.stack([means.mean(axis=1) - 0.5, *best], axis=1)


def _add(found: dict[str, float], name: str, values: Array, controls: Array) -> None:
    found[name], found[f"{name}_se"] = mean_with_controls(values, controls)
