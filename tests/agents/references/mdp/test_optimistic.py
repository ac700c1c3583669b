"""Optimism in random processes, against linear programs and posteriors worked out another way."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import linprog

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.references.mdp.optimistic import STREAMS, _most_favourable
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import Setting
from metalocus.envs.families.tabular_mdp import optimal_values

SMALL = Setting("metalocus/TabularMDP-v0", n_states=3, n_actions=2, inner_horizon=4, n_episodes=5)


def played(name, n=8):
    agent = make_named(name, SMALL.family)
    return agent, rollout(agent, fresh_episodes(SMALL, n, 3)).end


def test_the_most_favourable_transitions_solve_the_linear_program():
    """max q . v over distributions q with |q - p|_1 <= radius, by SciPy."""
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(4), size=(3, 2, 2))
    later, radius = rng.normal(size=(3, 4)), rng.uniform(0.0, 2.5, size=(3, 2, 2))
    found = _most_favourable(p, radius, later)
    for at in np.ndindex(3, 2, 2):
        own = np.concatenate([-later[at[0]], np.zeros(4)])  # q, then |q - p| from above
        eye = np.eye(4)
        above = np.block([[eye, -eye], [-eye, -eye], [np.zeros((1, 4)), np.ones((1, 4))]])
        limits = np.concatenate([p[at], -p[at], [radius[at]]])
        one = np.concatenate([np.ones(4), np.zeros(4)])[None]
        best = linprog(own, above, limits, one, [1.0], bounds=(0, None))
        assert found[at] == pytest.approx(-best.fun, abs=1e-9)


def test_a_confidence_set_of_no_width_is_certainty_equivalence():
    agent, stores = played("ucrl2")
    agent.scale = 0.0
    certain = make_named("certainty_equivalent", SMALL.family)
    expected = optimal_values(*certain.model(stores), agent.inner_horizon)
    np.testing.assert_allclose(agent.new_plan(stores), expected, atol=1e-12)
    agent.scale = 0.5
    assert (agent.new_plan(stores) > expected).all()


def test_the_zero_mean_posterior_is_conjugate_to_rewards_about_0():
    """Averaged over draws: the sum of what was paid over one more than the pulls."""
    agent, stores = played("psrl_zero_mean", n=1)
    many = Stores(state={key: np.repeat(each, 4000, axis=0) for key, each in stores.state.items()})
    keys = np.random.default_rng(1).integers(0, 2**63, 4000, dtype=np.uint64)
    rewards, _ = agent.model(replace(many, state={**many.state, "key": keys}))
    pulls, paid = stores.state["pulls"][0], stores.state["paid"][0]
    np.testing.assert_allclose(rewards.mean(axis=0), paid / (1 + pulls), atol=0.08)
    np.testing.assert_allclose(rewards.var(axis=0), 1 / (1 + pulls), rtol=0.12)


@pytest.mark.parametrize("name", ["opsrl", "opsrl_zero_mean"])
def test_an_optimistic_plan_is_worth_at_least_that_of_every_draw(name):
    agent, stores = played(name)
    plan = agent.new_plan(stores)
    draws = []
    for draw in range(agent.draws):
        key = stores.state["key"] + np.uint64(draw * STREAMS)
        model = agent.model(replace(stores, state={**stores.state, "key": key}))
        draws.append(optimal_values(*model, agent.inner_horizon))
    assert (plan >= np.max(draws, axis=0) - 1e-12).all()
    np.testing.assert_allclose(plan[:, -1], np.max([each[:, -1] for each in draws], axis=0))
    assert (plan > draws[0]).any()
