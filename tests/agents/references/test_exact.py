"""No reference beats one that is said to be Bayes-optimal.

Over every family and its examples where one is exact, on episodes cut to a few trials, so that
20,000 of them are cheap. Policies meet the same tasks and luck, so differences are paired;
what is compared is the expected reward of their choices under the true means, which has the
mean of the reward and less noise.
"""

import numpy as np
import pytest

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import REFERENCES
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.scoring.returns import configurations

EPISODES, CHUNK, SEED = 20_000, 4000, 0
LONGEST = 10
BEATEN = 4.5
"""Standard errors: some 500 comparisons give one false alarm with probability 2e-3 at most,
and far less as most of the policies are far below the optimum."""


def shortened(env_id, kwargs):
    """The arguments with a horizon of ten at most (even, for two-step), if the family takes one."""
    if make_family(env_id, **kwargs).horizon > LONGEST:
        try:
            make_family(env_id, **{**kwargs, "horizon": LONGEST})
        except InvalidTask:
            return kwargs
        return {**kwargs, "horizon": LONGEST}
    return kwargs


def exact_on(family):
    """Names of the references that are exact, and of all others but the oracle."""
    able = {name: cls for name, cls in REFERENCES.items() if not cls.why_not(family)}
    exact = [name for name, cls in able.items() if cls.optimality(family) == EXACT]
    others = [name for name, cls in able.items() if name not in exact and not cls.omniscient]
    return exact, others


CASES = {
    f"{env_id.split('/')[1]}-{dict(kwargs)}": (env_id, shortened(env_id, dict(kwargs)))
    for env_id, kwargs in ((each.env, each.kwargs) for each in configurations())
    if exact_on(make_family(env_id, **shortened(env_id, dict(kwargs))))[0]
}


def earned(name, env_id, kwargs):
    """Expected total reward of each episode, [20,000]."""
    agent = REFERENCES[name](make_family(env_id, **kwargs))
    parts = []
    for first in range(0, EPISODES, CHUNK):
        episodes = fresh_episodes(Setting(env_id, **kwargs), CHUNK, SEED, first=first)
        parts.append(rollout(agent, episodes, SEED + first).value.sum(axis=0))
    return np.concatenate(parts)


def by_standard_errors(differences):
    """Mean difference in standard errors; 0 if there is none."""
    error = differences.std(ddof=1) / len(differences) ** 0.5
    return differences.mean() / error if error > 1e-12 else 0.0


@pytest.mark.parametrize(("env_id", "kwargs"), CASES.values(), ids=CASES)
def test_nothing_beats_an_exact_reference(env_id, kwargs):
    exact, others = exact_on(make_family(env_id, **kwargs))
    best = earned(exact[0], env_id, kwargs)
    for name in (*exact[1:], *others):
        ahead = by_standard_errors(earned(name, env_id, kwargs) - best)
        assert ahead < BEATEN, f"{name} is {ahead:.1f} standard errors ahead of {exact[0]}"
        assert name in others or ahead > -BEATEN, f"{name} and {exact[0]} are both exact"


def test_a_worse_policy_said_to_be_exact_would_be_caught():
    """Greedy choice in the optimum's place: never to explore costs little, and shows."""
    env_id, kwargs = "metalocus/BernoulliBandit-v0", {"horizon": LONGEST}
    ahead = earned("bayes_optimal", env_id, kwargs) - earned("greedy", env_id, kwargs)
    assert by_standard_errors(ahead) > BEATEN
