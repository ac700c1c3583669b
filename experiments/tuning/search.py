"""The search for a rule's constants: successive halving with mutation, by a budget of steps.

What a rule earns depends on how much was spent on its constants, as what a network earns depends on
how long it was trained. So the budget is counted in the same unit, steps of the environment, and
every step counts. At a budget of 0 the constants are those that the rule's author would have chosen
before seeing the task (``untuned``).

With n episodes to spend, about sqrt(n) candidates are drawn from the rule's ``space``, so that the
last ones left play about as many episodes each as there were candidates. All rounds cost the same.
In each, all candidates play the same episodes, which no other round plays; a quarter of them stay,
each joined by a mutated copy of itself, and the next round's episodes are twice as many. Without
the copies this is successive halving (Jamieson & Talwalkar 2016, "Non-stochastic best arm
identification and hyperparameter optimization"); with them, a random search is left behind that
would need ever more draws to come near the best of five or six constants.

The search sees returns under sampled choices, as a learner does that is trained, and neither the
arms' true means nor the policy's probabilities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from metalocus.agents.catalogue import ONLINE
from metalocus.agents.online.learner import OnlineLearner, RuleSettings, by_row
from metalocus.agents.rollout import TUNING_SEED, fresh_keys, rollout
from metalocus.envs import Setting
from metalocus.envs.checks import require, require_count
from metalocus.envs.discovery import unknown
from metalocus.experiments.scoring.chunks import Chunk, named

LAST = 4
"""Candidates of the last round; fewer would give their mutated copies no rival."""
ROWS = 4000
"""Episodes of all candidates that are played at once, about: many make NumPy's overhead small."""
FIRST_WIDTH = 0.2
"""Standard deviation of the first mutations, as a share of a constant's range; it falls by the
square root of 2 a round, as the standard error of a mean return does."""


@dataclass(frozen=True)
class Round:
    """What one round of the search plays.

    Attributes:
        candidates: how many choices of constants.
        episodes: that each of them plays.
    """

    candidates: int
    episodes: int


@dataclass(frozen=True)
class Tuned:
    """What a search found.

    Attributes:
        settings: the constants.
        spent: steps of the environment that were taken, at most the budget.
    """

    settings: RuleSettings
    spent: int


def tune(rule: str, setting: Setting, budget: int, seed: int = 0) -> Tuned:
    """Search for a rule's constants on a setting.

    Args:
        rule: name of an online rule.
        setting: what it is tuned on.
        budget: most steps of the environment to take; 0 for the rule's untuned constants.
        seed: of candidates and episodes, below ``TUNING_SEED``. Every budget plays episodes of
            its own, and no report plays any of them (:data:`metalocus.agents.rollout.TUNING_SEED`).

    Raises:
        InvalidTask: no such rule, one that cannot play the setting or does not say where to
            search, or a budget too small for a search.
        NonFinite: a number on the way is not finite.
    """
    budget, seed = require_count("budget", budget, 0), require_count("seed", seed, 0)
    require(seed < TUNING_SEED, f"a tuning seed must be below {TUNING_SEED}, got {seed}")
    learner = tunable(rule, setting)
    if not budget:
        return Tuned(learner.untuned, 0)
    horizon = setting.family.horizon
    affordable = budget // horizon
    rounds, rng = plan(affordable), np.random.default_rng((TUNING_SEED, seed, budget))
    tried = [drawn(learner, rng) for _ in range(rounds[0].candidates)]
    first = affordable  # a smaller budget ends before this episode, a larger one begins after
    for number, now in enumerate(rounds):
        episodes = Chunk(setting, TUNING_SEED + seed, first, now.episodes)
        earned = mean_returns(learner, tried, episodes)
        best = [tried[i] for i in np.argsort(earned, kind="stable")[::-1]]
        stay = best[: now.candidates // 4]
        width = FIRST_WIDTH * 0.5 ** (number / 2)
        tried = stay + [mutated(learner, settings, rng, width) for settings in stay]
        first += now.episodes
    return Tuned(best[0], horizon * sum(each.candidates * each.episodes for each in rounds))


def plan(episodes: int) -> list[Round]:
    """The rounds of a search that may play so many episodes, each of half as many candidates.

    Raises:
        InvalidTask: they are too few.
    """
    least = LAST**2
    require(
        episodes >= least,
        f"tuning needs a budget of at least {least} episodes, got {episodes}; give more steps, "
        "or 0 for constants that are not tuned",
    )
    halvings = round(np.log2(episodes) / 2 - np.log2(LAST))
    each = episodes // ((halvings + 1) * LAST * 2**halvings)
    return [Round(LAST * 2 ** (halvings - i), each * 2**i) for i in range(halvings + 1)]


def tunable(rule: str, setting: Setting) -> type[OnlineLearner[Any]]:
    """The rule of a name, if it can be tuned on a setting.

    Raises:
        InvalidTask: no such rule, it cannot play the setting, or it does not say where to search.
    """
    require(rule in ONLINE, unknown("online rule", rule, ONLINE))
    learner = ONLINE[rule]
    assert issubclass(learner, OnlineLearner)
    learner(setting.family)
    missing = [name for name in ("space", "untuned") if not hasattr(learner, name)]
    require(not missing, f"{rule} declares no {' and no '.join(missing)}, so it cannot be tuned")
    return learner


def drawn(learner: type[OnlineLearner[Any]], rng: np.random.Generator) -> RuleSettings:
    """Constants from the rule's whole space."""
    untuned: RuleSettings = learner.untuned
    return replace(untuned, **{k: each.draw(rng) for k, each in learner.space.items()})


def mutated(
    learner: type[OnlineLearner[Any]],
    settings: RuleSettings,
    rng: np.random.Generator,
    width: float,
) -> RuleSettings:
    """Constants near others; the width is that of :meth:`Range.near`."""
    near = {k: r.near(getattr(settings, k), rng, width) for k, r in learner.space.items()}
    return replace(settings, **near)


def mean_returns(
    learner: type[OnlineLearner[Any]], tried: Sequence[RuleSettings], played: Chunk
) -> list[float]:
    """Mean return of a rule with each of several choices of constants, its choices sampled.

    All play the same episodes, and in one rollout: its rows are those of the first choice, then of
    the second, and so on.
    """
    family, n = played.setting.family, len(tried)
    most, end, total = max(1, ROWS // n), played.first + played.n, np.zeros(n)
    for first in range(played.first, end, most):
        size = min(most, end - first)
        agent = learner(family, by_row(tried, size))
        keys = np.tile(fresh_keys(size, played.seed, first), n)
        with named(agent, played.setting):
            trace = rollout(agent, played.setting.episodes(keys), played.seed)
        total += trace.total.reshape(n, size).sum(axis=1)
    return [float(each) for each in total / played.n]
