"""The catalogue: all agents of the rooms are found, helpers are not, and NaN is never a choice."""

import ast
import importlib
import pkgutil
from itertools import product

import numpy as np
import pytest

from metalocus.agents.agent import EXACT, NEAR, STORES, UNRANKED, NonFinite
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, best_reference, make_named
from metalocus.envs import InvalidTask, make_family
from metalocus.envs.registry import FAMILIES

REGISTRIES = {"references": REFERENCES, "online": ONLINE, "controls": CONTROLS}
HELPERS = {
    "references": ("bernoulli.counts", "bernoulli.planning", "normal.choices", "rewards"),
    "online": ("learner", "value_table", "update_interval"),
    "controls": ("counting",),
}
WITHOUT_LEARNING = {"random", "oracle", "fixed_bias"} | {
    *("perseveration", "scheduled", "cue_follower", "one_gradient_step", "final_pay_optimal")
}  # rewards play no part


def modules(room):
    """Every module of a room and its folders, by its name in the room."""
    package = importlib.import_module(f"metalocus.agents.{room}")
    start = f"{package.__name__}."
    found = [info for info in pkgutil.walk_packages(package.__path__, start) if not info.ispkg]
    return {info.name.removeprefix(start): importlib.import_module(info.name) for info in found}


def names(module):
    """Values of ``name: ClassVar[str] = ...`` in the classes that a source file defines."""
    with open(module.__file__, encoding="utf-8") as file:
        tree = ast.parse(file.read())
    for node in ast.walk(tree):
        for line in node.body if isinstance(node, ast.ClassDef) else ():
            if isinstance(line, ast.AnnAssign) and line.value and line.target.id == "name":
                yield line.value.value


@pytest.mark.parametrize("room", REGISTRIES)
def test_every_agent_of_a_room_is_found_by_its_name_and_helpers_are_passed_over(room):
    """Read from the source files, so that none can be missed as it is by an import."""
    registry, found = REGISTRIES[room], modules(room)
    written = [(name, module) for module in found.values() for name in names(module)]
    assert sorted(name for name, _ in written) == list(registry)
    for name, module in written:
        assert registry[name].name == name
        assert registry[name].__module__ == module.__name__
    for helper in HELPERS[room]:
        assert not list(names(found[helper])), helper
    summaries = [cls.summary for cls in registry.values()]
    assert len(set(summaries)) == len(summaries)


def test_a_name_stands_for_one_agent_and_an_unknown_one_gets_the_nearest():
    assert len({**REFERENCES, **ONLINE, **CONTROLS}) == sum(map(len, REGISTRIES.values()))
    with pytest.raises(InvalidTask, match="did you mean 'gittins'"):
        make_named("gitins", make_family("metalocus/BernoulliBandit-v0"))


def test_the_best_reference_is_the_most_nearly_optimal_one_that_can_play():
    for env_id in FAMILIES:
        family = make_family(env_id)
        best = best_reference(family)
        ranks = {
            name: c.optimality(family) for name, c in REFERENCES.items() if not c.why_not(family)
        }
        if max(ranks.values()) == UNRANKED:
            assert best.name == "oracle"
        else:
            assert ranks[best.name] == max(ranks.values())
            assert ranks[best.name] in (NEAR, EXACT)


def learners():
    """Each agent on the first family, and its first or last arm, where a reward changes it.

    That is where it learns otherwise from a reward of 5 than of 0.
    """
    agents = {**REFERENCES, **ONLINE, **CONTROLS}
    for name in agents.keys() - WITHOUT_LEARNING:
        cls = agents[name]
        families = (make_family(env_id, **kwargs) for env_id, kwargs in tasks())
        possible = (family for family in families if cls.why_not(family) is None)
        for family, arm in product(possible, (0, -1)):
            (won, high), (lost, low) = (after(cls(family), arm, np.full(3, r)) for r in (5.0, 0.0))
            if (won != lost).any() or any(high.digest(s) != low.digest(s) for s in STORES):
                yield name, (family, arm)
                break


def tasks():
    """Every family with its default arguments and with its examples."""
    for env_id, family in FAMILIES.items():
        yield from ((env_id, kwargs) for kwargs in ({}, *family.examples))


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
def test_a_reward_that_is_no_number_never_ends_in_a_choice():
    """It is refused, or the probabilities of that episode are no numbers either."""
    tried, refusing = dict(learners()), set()
    for name, (family, arm) in tried.items():
        try:
            probs, _ = after(make_named(name, family), arm, np.array([1.0, np.nan, 0.0]))
        except NonFinite as refused:
            assert "\n" not in str(refused)  # noqa: PT017
            refusing.add(name)
            continue
        assert not np.isfinite(probs[1]).all(), f"{name} chooses {probs[1]}"
        assert np.isfinite(probs[[0, 2]]).all(), f"{name} spoils the other episodes"
    assert set(tried) == {*REFERENCES, *ONLINE, *CONTROLS} - WITHOUT_LEARNING
    assert {"wsls", "gittins", "filter", "harlow_memory", "two_step_filter"} <= refusing


def after(agent, arm, reward):
    """Choices [3, K] and stores after a trial of that reward of an arm, in three episodes."""
    stimulus = np.zeros((3, agent.family.stimulus_size), dtype=np.float32)
    stimulus[:, stimulus.shape[1] // 2 :] = 1.0  # a second state, a card, the flag of a query
    _, stores = agent.act(stimulus, agent.start(3, np.random.default_rng(0)))
    stores = agent.learn(stores, stimulus, np.full(3, arm % agent.n_arms), reward)
    return agent.act(stimulus, stores)
