"""No reference earns more than one that is said to be Bayes-optimal.

Over every family and its examples where one is exact, on episodes cut to a few trials. Policies
meet the same tasks and random numbers, so differences are paired. What is compared is the expected
reward of their choices under the true means, which has the mean of the reward and less noise.

A comparison looks at more and more episodes, up to 20,000, and stops when it is decided:

* a policy is ahead at :data:`AHEAD` standard errors. Of some 500 comparisons with six looks each
  one is ahead by chance with probability 1.5e-3 at most;
* a policy is behind at :data:`BEHIND` standard errors, and passes. One that is truly ahead passes
  so with probability 7e-3 at most, and else is looked at until it is caught;
* two policies have earned the same in each of the first :data:`ALIKE` episodes: if they differ in
  one episode of 400 they pass so with probability 5e-5 at most.
"""

from itertools import pairwise

import numpy as np
import pytest

from metalocus.agents.agent import EXACT
from metalocus.agents.catalogue import REFERENCES
from metalocus.agents.rollout import fresh_keys, rollout
from metalocus.envs import InvalidTask, make_family
from metalocus.envs.episodes import Episodes
from metalocus.experiments.scoring.returns import configurations

LOOKS = (500, 1000, 2000, 4000, 8000, 20_000)
AHEAD, BEHIND, ALIKE = 4.9, 3.0, 4000
SEED = 0
ROUNDING = 1e-12  # least standard error, for policies a constant apart
LONGEST = 10
MOST_CUES = 5
"""So that each comes again within the shortened episode, and to remember its action pays."""


def shortened(env_id, kwargs):
    """The arguments with a horizon of ten at most (even, for two-step), if the family takes one."""
    if "n_cues" in kwargs:
        kwargs = {**kwargs, "n_cues": min(kwargs["n_cues"], MOST_CUES)}
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


class Comparison:
    """Policies on the same episodes of a setting; what has been played is kept for all pairs."""

    def __init__(self, env_id, kwargs):
        self.family, self.values = make_family(env_id, **kwargs), {}

    def earned(self, name, episodes):
        """Expected total reward of each of the first episodes, [episodes], a number of LOOKS."""
        parts = self.values.setdefault(name, [])
        for first, last in list(pairwise((0, *LOOKS)))[len(parts) : LOOKS.index(episodes) + 1]:
            batch = Episodes(self.family, fresh_keys(last - first, SEED, first))
            agent = REFERENCES[name](self.family)
            parts.append(rollout(agent, batch, SEED + first).value.sum(axis=0))
        return np.concatenate(parts)[:episodes]

    def ahead(self, name, other, equal=False):
        """Mean difference in standard errors at the look that decides.

        Args:
            equal: both are said to be exact, so that being behind decides nothing.
        """
        for episodes in LOOKS:
            difference = self.earned(name, episodes) - self.earned(other, episodes)
            error = max(difference.std(ddof=1) / episodes**0.5, ROUNDING)
            found = difference.mean() / error
            alike = episodes >= ALIKE and np.abs(difference).max() < ROUNDING
            if alike or abs(found) > AHEAD or (not equal and found < -BEHIND):
                break
        return found


@pytest.mark.parametrize(("env_id", "kwargs"), CASES.values(), ids=CASES)
def test_nothing_beats_an_exact_reference(env_id, kwargs):
    (best, *exact), others = exact_on(make_family(env_id, **kwargs))
    comparison = Comparison(env_id, kwargs)
    for name in others:
        ahead = comparison.ahead(name, best)
        assert ahead < AHEAD, f"{name} is {ahead:.1f} standard errors ahead of {best}"
    for name in exact:
        ahead = comparison.ahead(name, best, equal=True)
        assert abs(ahead) < AHEAD, f"{name} and {best} are both exact, and {ahead:.1f} apart"


def test_a_worse_policy_said_to_be_exact_would_be_caught():
    """Greedy choice in the optimum's place: never to explore costs little, and shows."""
    comparison = Comparison("metalocus/BernoulliBandit-v0", {"horizon": LONGEST})
    assert comparison.ahead("bayes_optimal", "greedy") > AHEAD


def test_a_policy_that_is_behind_is_not_played_to_the_end():
    comparison = Comparison("metalocus/BernoulliBandit-v0", {"horizon": LONGEST})
    assert comparison.ahead("random", "bayes_optimal") < -BEHIND
    assert sum(map(len, comparison.values["random"])) == LOOKS[0]
