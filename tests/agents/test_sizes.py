"""Every agent that needs no training, on every family, at sizes far beyond the usual.

It is made and acts within seconds, or is refused in one line: nothing is waited for in silence and
nothing ends in a MemoryError.
"""

import inspect
import time

import numpy as np
import pytest

from metalocus.agents.agent import STORES
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, best_reference
from metalocus.agents.references.bernoulli import gittins
from metalocus.agents.references.normal import gittins_bonus
from metalocus.agents.sizes import MOST_BYTES, MOST_BYTES_OF_AN_EPISODE, too_large
from metalocus.envs import InvalidTask, make_family
from metalocus.envs.registry import FAMILIES

AGENTS = {**REFERENCES, **ONLINE, **CONTROLS}
SIZES = (2_000, 10_000, 100_000, 10**9)
MOST_ACTIONS = 10_000  # the probabilities of 10**9 actions are themselves too large
SECONDS = 10.0  # of CPU; the slowest takes two
SMALL = {"gaussian_grid", "restless_grid", "optimistic_thompson"}  # play no large task at all
SMALL |= {"lifetime_optimal", "position_bayes", "shown_filter"}


def large_families():
    """Every family with each of its whole-number arguments at each of the sizes."""
    for env_id, cls in FAMILIES.items():
        for name, argument in inspect.signature(cls).parameters.items():
            whole = isinstance(argument.default, int) and not isinstance(argument.default, bool)
            bases = ({}, *cls.examples) if name in ("horizon", "n_examples") else ({},)
            for base in bases if whole else ():
                for size in SIZES if not base else SIZES[:1]:
                    if name not in ("n_arms", "n_actions") or size <= MOST_ACTIONS:
                        yield env_id, {**base, name: size}


def made(env_id, kwargs):
    """The family, or None where it refuses the arguments."""
    try:
        return make_family(env_id, **kwargs)
    except InvalidTask:
        return None


@pytest.fixture(scope="module")
def large():
    """Families by title; an environment with a stimulus beyond ten million cannot be made."""
    found = {f"{env_id} {kwargs}": made(env_id, kwargs) for env_id, kwargs in large_families()}
    return {
        title: family
        for title, family in found.items()
        if family is not None and family.stimulus_size <= 10**7
    }


@pytest.fixture
def coarse(monkeypatch):
    """Indices of long episodes that are made in less time; their own test has the finer ones."""
    cached = (gittins.gittins_table, gittins_bonus.gittins_bonus, gittins_bonus.long_run)
    for module in (gittins, gittins_bonus):
        monkeypatch.setattr(module, "EXACT_PULLS", 20)
    yield
    for each in cached:
        each.cache_clear()


def played(cls, family):
    """An agent made for a family, its first choices in two episodes, and its stores."""
    agent = cls(family)
    shown = np.zeros((2, family.n_arms if agent.omniscient else family.stimulus_size))
    return agent, *agent.act(shown, agent.start(2, np.random.default_rng(0)))


def timed(do, *arguments):
    """CPU seconds of a call, and its result."""
    begun = time.process_time()
    result = do(*arguments)
    return time.process_time() - begun, result


def largest_of_an_episode(stores):
    """Bytes of the largest array that one of two episodes carries."""
    arrays = [array for store in STORES for array in getattr(stores, store).values()]
    return max((array.nbytes for array in arrays), default=0) / 2


def test_there_are_large_tasks_of_every_family(large):
    assert {title.split()[0] for title in large} == set(FAMILIES)
    assert len(large) > 100


def test_every_agent_is_made_and_acts_within_seconds_or_is_refused_in_one_line(large, coarse):
    seen = set()
    for title, family in large.items():
        for name, cls in AGENTS.items():
            about = f"{name} on {title}"
            took, reason = timed(cls.why_not, family)
            assert took < 1.0, f"{took:.1f} s to say whether it can play: {about}"
            if reason is not None:
                assert 0 < len(reason) < 200, about
                assert "\n" not in reason, about
                continue
            took, (agent, probs, stores) = timed(played, cls, family)
            assert took < SECONDS, f"{took:.1f} s: {about}"
            assert np.abs(probs.sum(axis=1) - 1.0).max() <= 1e-6, about
            tables = sum(v.nbytes for v in vars(agent).values() if isinstance(v, np.ndarray))
            assert tables <= MOST_BYTES, about
            assert largest_of_an_episode(stores) <= MOST_BYTES_OF_AN_EPISODE, about
            seen.add(name)
    assert set(AGENTS) - seen == SMALL


def test_of_every_large_task_there_is_a_best_reference_within_seconds(large, coarse):
    for title, family in large.items():
        took, best = timed(best_reference, family)
        assert took < SECONDS, title
        assert best.why_not(family) is None


def test_indices_of_a_long_episode_are_made_within_seconds_at_full_precision():
    family = make_family("metalocus/BernoulliBandit-v0", horizon=10_000)
    took, (agent, probs, _) = timed(played, REFERENCES["gittins"], family)
    assert took < SECONDS
    assert agent.table.nbytes < 2 * 10**6
    np.testing.assert_array_equal(probs, 0.5)
    assert best_reference(family).name == "gittins"


def test_what_is_too_large_is_said_with_its_bytes():
    assert too_large("it", 10, most=10) is None
    said = too_large("its table", 2_000_000_000, "use fewer arms", most=1_000_000)
    assert (
        said == "its table would take 2,000,000,000 bytes, the limit is 1,000,000; use fewer arms"
    )
    for name, kwargs in (
        ("thompson", {"horizon": 10_000}),
        ("finite_index", {"horizon": 10_000}),
        ("bayes_optimal", {"horizon": 10_000}),
        ("bayes_optimal", {"horizon": 10_000, "prior": "dependent"}),
        ("counts_in_context", {"horizon": 10**9}),
    ):
        reason = AGENTS[name].why_not(make_family("metalocus/BernoulliBandit-v0", **kwargs))
        assert "bytes" in reason
        assert "use fewer" in reason or "try `gittins`" in reason
