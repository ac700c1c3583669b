"""The capacity probe: bits, directions and bindings that are needed, and what must not fool it."""

from functools import cache

import numpy as np
import pytest

from metalocus.agents.agent import Agent, Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.controls.known_capacity import INERT
from metalocus.agents.rollout import rollout
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.instruments import bottleneck as _bottleneck
from metalocus.experiments.instruments.bottleneck import BY_USE, BY_VARIANCE, Numbers, find
from metalocus.experiments.probes import capacity
from metalocus.experiments.probes.capacity import Capacity, playing, resized
from metalocus.experiments.scoring.chunks import Chunks
from metalocus.experiments.scoring.score import score

TWO = Setting("metalocus/BernoulliBandit-v0", horizon=40)
FIVE = Setting("metalocus/BernoulliBandit-v0", n_arms=5, horizon=30)
CUES = Setting("metalocus/CueBinding-v0", n_cues=2, horizon=16)


@cache
def found(name, setting, episodes=200):
    return Capacity().run(make_named(name, setting.family), setting, episodes, 0)


# Positive.


def test_a_level_of_three_bits_needs_three():
    """Between four levels of eight a step of one is rounded away."""
    result = found("three_bits", TWO)
    assert result["needed"]["bits of state"] == 3
    bits = result["bits"]["state"]
    assert all(bits[str(b)] == pytest.approx(result["score"]) for b in range(3, 9))
    assert bits["1"] < 0.2
    assert bits["2"] < 0.2
    agent = make_named("three_bits", TWO.family)
    assert result["score"] == pytest.approx(score(agent, TWO, 200, 0))


def test_a_memory_of_bindings_needs_a_bit_for_each_of_them_and_holds_any_number():
    """Of two cues four actions each are possible or not: eight numbers of one bit."""
    result = found("binding_memory", CUES)
    assert result["score"] == pytest.approx(1.0)
    assert result["needed"]["bits of state"] == 1
    assert result["needed"]["state, by use"] == 8
    assert set(result["bindings"]["n_cues"]) == {"1", "2", "4", "8", "16", "32", "64"}
    for size, value in result["bindings"]["n_cues"].items():
        assert value == pytest.approx(1.0), size
    four = resized(CUES, "n_cues", 4)
    assert four.kwargs == {"n_cues": 4, "horizon": 32}


# Negative.


def test_where_nothing_is_new_nothing_must_be_held():
    fixed = Setting(
        "metalocus/CueBinding-v0", n_cues=4, cues="fixed", fixed_actions=True, horizon=8
    )
    result = found("binding_memory", fixed)
    assert result["needed"] == {
        "bits of state": 1,
        "state, by use": 0,
        "state, by variance": 0,
    }
    assert result["rank"]["state, by use"] == {"0": pytest.approx(1.0)}


# What must not fool it.


def test_large_numbers_that_nothing_reads_take_no_directions():
    """Ten counts, of which nine are free: pulls add up to the trial."""
    family = FIVE.family
    agent = make_named("counts_among_inert", family)
    known = find(agent, FIVE, 0, ["state"])["state"]
    assert len(known.spread) == INERT + 9
    assert known.spread[:INERT].min() > 0.5  # in units of their arrays they vary alike
    (chunk,) = Chunks(FIVE, 300, 0)

    def value(squeeze):
        return rollout(agent, chunk.episodes(), 0, intervene=squeeze).value.sum(axis=0)

    whole = value(None)
    by_use = value(known.to_rank(BY_USE, 9))  # but for counts beyond those of other episodes
    assert (np.abs(by_use - whole) < 1e-9).mean() > 0.98
    assert value(known.to_rank(BY_USE, 7)).mean() < by_use.mean() - 0.2
    assert value(known.to_rank(BY_VARIANCE, 9)).mean() < by_use.mean() - 2.0


def test_what_has_not_been_learned_is_no_lack_of_capacity():
    """A score near 0 would be kept by any squeeze, so nothing is said to be needed."""
    agent = make_named("fixed_bias", TWO.family)
    result = Capacity().run(agent, TWO, 100, 0)
    assert abs(result["score"]) < capacity.LEAST
    assert result["needed"] == {}
    assert "too little has been learned" in Capacity().sentence(result)


class Wandering(Agent):
    """Carries numbers, and chooses at random."""

    name = "wandering"

    def start(self, n, rng):
        return Stores(state={"x": np.zeros((n, 3))})

    def act(self, stimulus, stores):
        return np.full((len(stores.state["x"]), 2), 0.5), stores

    def learn(self, stores, stimulus, action, reward):
        return Stores(state={"x": stores.state["x"] + action[:, None] * [1.0, 2.0, -1.0]})


def test_numbers_without_a_score_have_no_need():
    result = Capacity().run(Wandering(), TWO, 50, 0)
    assert set(result["needed"].values()) == {None}


# The parts.


def test_levels_are_even_over_the_range_and_unknown_stores_stay():
    agent = Wandering()
    known = find(agent, TWO, 0, ["state"])["state"]
    stores = Stores(
        state={"x": np.linspace(known.low, known.high, 11), "n": np.arange(11)},
        weights={"w": np.arange(11.0)},
    )
    two = known.to_bits(1)(0, stores)
    assert set(two.state["x"][:, 0]) == {known.low[0], known.high[0]}
    steps = np.diff(np.unique(known.to_bits(2)(0, stores).state["x"][:, 1]))
    np.testing.assert_allclose(steps, (known.high[1] - known.low[1]) / 3)
    assert two.weights == stores.weights
    assert two.state["n"] is stores.state["n"]
    many = known.to_bits(30)(0, stores).state["x"]
    np.testing.assert_allclose(many, stores.state["x"], atol=1e-6)


def test_all_directions_together_change_nothing():
    agent = make_named("counts_in_state", FIVE.family)
    known = find(agent, FIVE, 0, ["state"])["state"]
    (chunk,) = Chunks(FIVE, 100, 0)
    plain = rollout(agent, chunk.episodes(), 0)
    for order in (BY_USE, BY_VARIANCE):
        squeezed = rollout(agent, chunk.episodes(), 0, intervene=known.to_rank(order, 9))
        np.testing.assert_allclose(squeezed.probs, plain.probs)
    np.testing.assert_allclose(known.orders[BY_USE] @ known.orders[BY_USE].T, np.eye(9), atol=1e-9)


def test_numbers_are_put_where_they_were():
    rng = np.random.default_rng(0)
    state = {"a": rng.normal(size=(5, 2, 3)), "n": np.arange(5), "b": np.ones(5, np.float32)}
    stores = Stores(state=state)
    numbers = Numbers("state", {key: array[:1] for key, array in state.items()})
    assert numbers.size == 7
    back = numbers.put(stores, numbers.of(stores) + 1.0).state
    np.testing.assert_allclose(back["a"], state["a"] + 1.0)
    np.testing.assert_array_equal(back["b"], np.full(5, 2.0))
    assert back["b"].dtype == np.float32
    assert back["n"] is state["n"]


def test_what_cannot_play_another_size_says_so_for_that_part_alone():
    result = found("three_bits", TWO)
    assert result["playable"] == {
        "n_arms": {"2": True, "4": False, "8": False, "16": False},
    }
    assert set(result["bindings"]["n_arms"]) == {"2"}
    with pytest.raises(InvalidTask, match="made for one setting"):
        playing(Wandering(), TWO)
    with pytest.raises(InvalidTask, match="stores must be one of"):
        Capacity(stores=["memory"])
    assert _bottleneck.LAGS[0] == 0
