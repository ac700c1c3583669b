"""The search that chose the online learners' constants.

``python -m metalocus.experiments.bench.tune_online`` runs it again and prints what it finds. It
is a random search in two rounds, both on tuning episodes (seeds from 10,000) that no
report uses: every choice of constants plays the same first episodes, and the best few play many
more, of another seed, to decide. It takes about a quarter of an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from metalocus.agents.catalogue import ONLINE
from metalocus.agents.online.actor_critic import ActorCriticSettings
from metalocus.agents.online.delta_rule import DeltaSettings
from metalocus.agents.online.delta_rule_average import AverageSettings
from metalocus.agents.online.learner import OnlineLearner
from metalocus.agents.online.pearce_hall import PearceHallSettings
from metalocus.agents.online.policy_gradient import PolicyGradientSettings
from metalocus.agents.online.policy_gradient_variants import AdamSettings, MomentumSettings
from metalocus.agents.rollout import TUNING_SEED
from metalocus.envs import Setting
from metalocus.experiments.scoring.returns import expected_returns

SETTINGS = (
    Setting("metalocus/BernoulliBandit-v0", n_arms=2, horizon=50),
    Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=100),
    Setting("metalocus/BernoulliBandit-v0", n_arms=10, horizon=100),
    Setting("metalocus/ReversalBandit-v0", p=0.75, hazard=0.02, horizon=100),
)
"""What the rules are tuned on."""


@dataclass(frozen=True)
class Budget:
    """How much to search.

    Attributes:
        constants: how many choices of them are tried in the first round.
        episodes: that each of them plays.
        finalists: that go on to the second round.
        final_episodes: that each of those plays.
    """

    constants: int = 400
    episodes: int = 1000
    finalists: int = 15
    final_episodes: int = 20_000


QUICK = Budget(episodes=200, final_episodes=5000)
"""As many choices, on fewer episodes."""


def draw_policy_gradient(rng: np.random.Generator) -> PolicyGradientSettings:
    """Step sizes uniform in their logarithm; half of the policies unbounded."""
    return PolicyGradientSettings(
        rate=_log_uniform(rng, 0.03, 10.0),
        baseline=_uniform(rng, 0.0, 1.0),
        baseline_rate=_log_uniform(rng, 0.003, 1.0),
        bound=_log_uniform(rng, 0.5, 8.0) if rng.random() < 0.5 else float("inf"),
    )


def draw_reinforce(rng: np.random.Generator) -> PolicyGradientSettings:
    """As for the policy gradient, the baseline held at 0."""
    return replace(draw_policy_gradient(rng), baseline=0.0, baseline_rate=0.0)


def draw_momentum(rng: np.random.Generator) -> MomentumSettings:
    """As for the policy gradient, with any momentum up to 0.95."""
    return MomentumSettings(**asdict(draw_policy_gradient(rng)), momentum=_uniform(rng, 0.0, 0.95))


def draw_adam(rng: np.random.Generator) -> AdamSettings:
    """As for the policy gradient, with the decays' complements uniform in their logarithms."""
    return AdamSettings(
        **asdict(draw_policy_gradient(rng)),
        beta_1=_rounded(1.0 - _log_uniform(rng, 0.05, 1.0)),
        beta_2=_rounded(1.0 - _log_uniform(rng, 0.001, 0.5)),
    )


def draw_actor_critic(rng: np.random.Generator) -> ActorCriticSettings:
    """Half of the discounts 0; half of the traces too; half of the actors unbounded."""
    return ActorCriticSettings(
        actor_rate=_log_uniform(rng, 0.03, 10.0),
        critic_rate=_log_uniform(rng, 0.003, 1.0),
        discount=_uniform(rng, 0.0, 0.95) if rng.random() < 0.5 else 0.0,
        trace=_uniform(rng, 0.0, 1.0) if rng.random() < 0.5 else 0.0,
        mean_reward=_uniform(rng, 0.0, 1.0),
        bound=_log_uniform(rng, 0.5, 8.0) if rng.random() < 0.5 else float("inf"),
    )


def draw_pearce_hall(rng: np.random.Generator) -> PearceHallSettings:
    """Step sizes uniform in their logarithms."""
    return PearceHallSettings(
        *_draw_acting(rng),
        rate=_log_uniform(rng, 0.03, 2.0),
        associability=_uniform(rng, 0.0, 1.0),
        memory_rate=_log_uniform(rng, 0.003, 1.0),
    )


def draw_delta(rng: np.random.Generator) -> DeltaSettings:
    """A step size uniform in its logarithm."""
    return DeltaSettings(*_draw_acting(rng), rate=_log_uniform(rng, 0.01, 1.0))


def draw_average(rng: np.random.Generator) -> AverageSettings:
    """Half of the first values are forgotten at the first pull."""
    forgotten = rng.random() < 0.5
    return AverageSettings(
        *_draw_acting(rng), prior_pulls=0.0 if forgotten else _log_uniform(rng, 0.1, 10.0)
    )


DRAW: dict[str, Callable[[np.random.Generator], Any]] = {
    "actor_critic": draw_actor_critic,
    "pearce_hall": draw_pearce_hall,
    "policy_gradient": draw_policy_gradient,
    "policy_gradient_adam": draw_adam,
    "policy_gradient_momentum": draw_momentum,
    "reinforce": draw_reinforce,
    "delta_rule": draw_delta,
    "delta_rule_average": draw_average,
    "delta_rule_counterfactual": draw_delta,
}

SEARCHED_QUICKLY = frozenset(
    {
        "actor_critic",
        "pearce_hall",
        "policy_gradient_adam",
        "policy_gradient_momentum",
        "reinforce",
    }
)
"""Rules whose constants were found with the budget ``QUICK``."""


def search(
    rule: str, setting: Setting, budget: Budget, seed: int = TUNING_SEED
) -> tuple[Any, float]:
    """The best constants found for a rule, with their mean return in the second round."""
    rng = np.random.default_rng(seed)
    tried = [DRAW[rule](rng) for _ in range(budget.constants)]
    first = [mean_return(rule, one, setting, budget.episodes, seed) for one in tried]
    finalists = [tried[i] for i in np.argsort(first)[::-1][: budget.finalists]]
    second = [mean_return(rule, one, setting, budget.final_episodes, seed + 1) for one in finalists]
    best = int(np.argmax(second))
    return finalists[best], second[best]


def mean_return(rule: str, constants: Any, setting: Setting, episodes: int, seed: int) -> float:
    """Mean expected return of a rule with these constants over the episodes of a seed."""
    agent = ONLINE[rule]
    assert issubclass(agent, OnlineLearner)
    learner = agent(setting.family, constants)
    return float(expected_returns(learner, setting, episodes, seed).mean())


def _draw_acting(rng: np.random.Generator) -> tuple[float, float, float]:
    """First value, epsilon and temperature: a softmax or epsilon-greedy, in equal parts."""
    start = _uniform(rng, 0.0, 1.5)
    if rng.random() < 0.5:
        return start, 0.0, _log_uniform(rng, 0.01, 0.5)
    return start, _log_uniform(rng, 0.001, 0.3), 0.0


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return _rounded(np.exp(rng.uniform(np.log(low), np.log(high))))


def _uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return _rounded(rng.uniform(low, high))


def _rounded(value: float) -> float:
    """To three significant digits, so that what is written down is what was tried."""
    return float(f"{value:.3g}")


def main() -> None:
    """Search for every rule on every setting that it can play."""
    for setting in SETTINGS:
        for rule, agent in ONLINE.items():
            if agent.why_not(setting.family) is None:
                budget = QUICK if rule in SEARCHED_QUICKLY else Budget()
                constants, found = search(rule, setting, budget)
                print(f"{rule} on {setting}: {constants} {found:.2f}", flush=True)


if __name__ == "__main__":
    main()
