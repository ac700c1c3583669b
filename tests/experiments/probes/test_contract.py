"""What holds for every probe with every agent."""

import gc
import json
import re
import sys
import tracemalloc
from functools import cache
from itertools import product
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metalocus.agents.agent import Agent, NamedAgent, NonFinite, Stores
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.instruments import bottleneck, raw_history, subspace
from metalocus.experiments.instruments.interventions import EveryTrial
from metalocus.experiments.probes import capacity, decode, ensemble, simulate, transplant
from metalocus.experiments.probes.base import PROBES, Probe
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.scoring import chunks

BANDIT = "metalocus/BernoulliBandit-v0"
SHORT = Setting(BANDIT, horizon=6)
SETTINGS = [
    Setting(BANDIT, n_arms=3, horizon=4),
    Setting("metalocus/ReversalBandit-v0", horizon=4, cued=True),
]
TWO_STEP = Setting("metalocus/TwoStep-v0", horizon=6)
SWITCHING = Setting("metalocus/CuedSwitching-v0", horizon=4)
NAMED = [*REFERENCES, *ONLINE, *CONTROLS]
MIXED = {"mixed_quarter", "mixed_half", "mixed_three_quarters"}
CHANCE = {"counts_split", "counts_alternating", "noisy_means", "psrl", *MIXED}
"""Agents that draw at their start, once for all episodes of a chunk."""
DIGESTS = ("weights_first", "weights_last")
ROUNDING = {"induction": 1e-6, "key_value": 1e-6}
"""Of a network's forward pass in single precision, which may be batched anew; else 1e-12."""


class Misspelt(Probe):
    """It says that it measures one thing, and gives another."""

    name = "misspelt"
    question = "is a key that is misspelt found?"
    example = ("wsls", SHORT)
    quantities = {"score": "a score"}
    gives: ClassVar = {"scroe": 0.5}

    def measure(self, agent, chunks):
        return dict(self.gives)


@pytest.fixture(autouse=True)
def small_fits(monkeypatch, small_strategy):
    """What is fitted before the reported episodes is fitted on few, and is small."""
    few = {"FIT_EPISODES": 24}
    for module, values in (
        (decode, {**few, "DRAWS": 2}),
        (raw_history, {"WIDE": 8}),
        (simulate, {**few, "WAVES": 8}),
        (capacity, {"BITS": (1, 4), "RANKS": dict.fromkeys(capacity.RANKS, (0, 2))}),
        (transplant, few),
        (bottleneck, few),
        (ensemble, few),
        (subspace, {"ROUNDS": 3}),
    ):
        for name, value in values.items():
            monkeypatch.setattr(module, name, value)


def made(probe):
    """A probe as its example has it."""
    return PROBES[probe].on_example()[0]


def playing(setting, names=NAMED):
    """The named agents that can play a setting."""
    for name in names:
        try:
            yield name, make_named(name, setting.family)
        except InvalidTask:
            continue


def leaves(found, path=()):
    """Every number or text of a result, with its place."""
    if isinstance(found, dict):
        for key, value in found.items():
            yield from leaves(value, (*path, key))
    elif isinstance(found, list):
        for i, value in enumerate(found):
            yield from leaves(value, (*path, i))
    else:
        yield path, found


def test_probes_are_found_by_their_files():
    assert {"carry", "freeze", "locus", "optimality", "stay", "switch"} <= set(PROBES)
    for name, probe in PROBES.items():
        assert probe.name == name
        assert probe.question.endswith("?")


@cache
def on_example(probe):
    """A probe and what it finds on its example; NumPy's numbers say how often and which."""
    kind, agent, setting = PROBES[probe].on_example()
    return kind, kind.run(agent, setting, np.int64(8), np.uint32(1))


def test_every_probe_has_an_answer_on_its_example():
    """Its results are ready for JSON and say what was run, NumPy's numbers included."""
    for probe in PROBES:
        _, found = on_example(probe)
        setting = PROBES[probe].example[1]
        assert json.loads(json.dumps(found, allow_nan=False)) == found, probe
        about = {"probe": probe, **setting.to_dict(), "episodes": 8, "seed": 1}
        assert {key: found[key] for key in about} == about, probe


def filled(found, number, error, many):
    """A result with every number, every standard error and every count of things replaced."""

    def fill(value, key=""):
        if isinstance(value, dict):
            return {
                each: fill(of, each if each.endswith("_se") else key) for each, of in value.items()
            }
        if isinstance(value, list):
            return [fill(each, key) for each in value]
        if isinstance(value, float):
            return error if key.endswith("_se") else number
        return many if type(value) is int else value

    kept = ("trials", "agents")  # there are always two agents or more
    return {key: each if key in kept else fill(each, key) for key, each in found.items()}


def test_no_sentence_has_a_minus_before_nothing_or_one_of_many():
    """Whatever is found: numbers just below 0, counts of 1, known well, badly or for certain."""
    wrong = re.compile(r"-0(\.0+)?(?![\d.])|(?<![\d.,-])1(\.00)? \w+s\b(?! [\[\d])")
    assert wrong.search("cost -0.00 of it")
    assert wrong.search("along 1 directions")
    for probe in PROBES:
        kind, found = on_example(probe)
        for number, error, many in product((-1e-5, 1.5), (None, 0.0, 1e-4, 0.1), (1, 2)):
            said = kind.sentence(filled(found, number, error, many))
            assert not wrong.search(said), (probe, said)


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_works_with_every_agent(probe):
    """Or says why not in one line. Of agents and probes every fifth pair meets in a setting."""
    for place, setting in enumerate((*SETTINGS, PROBES[probe].example[1])):
        for number, (name, agent) in enumerate(playing(setting)):
            if (number + 2 * place + list(PROBES).index(probe)) % 5 == 0:
                found = answer(probe, agent, setting, 8)
                assert json.loads(json.dumps(found, allow_nan=False)) == found, name


def answer(probe, agent, setting, episodes, seed=0):
    """What a probe finds; if it has no answer, its one line that says why."""
    kind = made(probe) if probe != "ensemble" else PROBES[probe]([agent])
    try:
        return kind.run(agent, setting, episodes, seed)
    except InvalidTask as error:
        said = str(error)
    assert len(said.splitlines()) == 1
    return said


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_repeats_itself_and_varies_with_the_seed(probe):
    setting = PROBES[probe].example[1]
    names = ["counts_split", "policy_gradient", "thompson", "leaky", "model_free"]
    for name, agent in playing(setting, [PROBES[probe].example[0], *names]):
        runs = [answer(probe, agent, setting, 20, seed) for seed in (0, 0, 1)]
        assert runs[0] == runs[1], name
        if name not in ("key_memory", "posterior") and not isinstance(runs[0], str):
            assert {**runs[2], "seed": 0} != runs[0], name  # those two make no errors


def test_what_is_carried_from_trial_to_trial_is_not_asked_of_a_single_one():
    """There a number would be one of nothing: no store has been carried anywhere."""
    single = Setting("metalocus/DatasetBandit-v0", n_examples=4)
    agent = make_named("posterior", single.family)
    asked = {probe for probe in PROBES if not isinstance(answer(probe, agent, single, 8), str)}
    assert asked <= {"ensemble", "forward_pass", "locus", "optimality", "ponder"}


# Chunks.


FEW = ["wsls", "policy_gradient", "bayes_optimal", "leaky", "model_free", "key_memory"]


@pytest.mark.parametrize("chunk", [1, 4, 8])
def test_chunks_do_not_show_in_any_result(monkeypatch, chunk):
    """Digests of the weights are of all chunks together; whether they changed is the same."""
    for probe in [probe for probe in PROBES if not PROBES[probe].in_pairs]:
        setting = PROBES[probe].example[1]
        names = [PROBES[probe].example[0], *FEW] if chunk == 4 else [PROBES[probe].example[0]]
        for name, agent in playing(setting, [one for one in names if one not in CHANCE]):
            monkeypatch.setattr(chunks, "CHUNK", 2000)
            whole = answer(probe, agent, setting, 9, 3)
            monkeypatch.setattr(chunks, "CHUNK", chunk)
            found = answer(probe, agent, setting, 9, 3)
            require_same(found, whole, ROUNDING.get(probe, 1e-12), f"{probe}, {name}")


def require_same(found, whole, rounding, where):
    """The same answers, but for the rounding of numbers, and digests of more chunks."""
    if isinstance(whole, str):
        assert found == whole
        return
    whole, found = dict(leaves(whole)), dict(leaves(found))
    assert set(found) == set(whole), where
    for path, value in whole.items():
        if path[-1] in DIGESTS:
            first, last = ((*path[:-1], digest) for digest in DIGESTS)
            same = found[first] == found[last]
            assert same == (whole[first] == whole[last]), (where, path)
        elif isinstance(value, float):
            near = pytest.approx(value, rel=rounding, abs=rounding)
            assert found[path] == near, (where, path)
        else:
            assert found[path] == value, (where, path)


def test_chunks_only_change_who_is_paired_where_episodes_are_given_another_s_stores(monkeypatch):
    """Within five standard errors of the difference: rate 1e-6 each, of some thousand numbers."""
    for probe in [probe for probe in PROBES if PROBES[probe].in_pairs]:
        kind, agent, setting = PROBES[probe].on_example()
        monkeypatch.setattr(chunks, "CHUNK", 2000)
        whole = kind.run(agent, setting, 1000, 0)
        monkeypatch.setattr(chunks, "CHUNK", 100)
        rows, of = kind.rows(kind.run(agent, setting, 1000, 0)), {}
        for row in kind.rows(whole):
            of[row.quantity, row.label, row.trial] = row
        compared = 0
        for row in rows:
            other = of[row.quantity, row.label, row.trial]
            if row.se is not None and other.se is not None and None not in (row.value, other.value):
                assert abs(row.value - other.value) <= 5 * np.hypot(row.se, other.se) + 1e-9, row
                compared += 1
        assert compared > 5, probe


def alive():
    """Bytes of NumPy's arrays, and how many of Python's small objects there are."""
    gc.collect()
    traces = tracemalloc.take_snapshot().traces
    of_arrays = np.lib.tracemalloc_domain
    return sum(one.size for one in traces if one.domain == of_arrays), sys.getallocatedblocks()


def test_memory_does_not_grow_with_the_episodes(monkeypatch):
    """After the fourth chunk as much is alive as after the third, when all buffers are made.

    So an array of one number of each episode is seen, and a list of as many: of Python's objects
    three quarters as many are allowed, for caches.
    """
    monkeypatch.setattr(chunks, "CHUNK", 160)
    for probe in PROBES:
        kind, agent, setting = PROBES[probe].on_example()
        after = []

        def look(episodes, after=after):
            if episodes == chunks.CHUNK:  # and not those on which something is fitted
                after.append(alive())

        kind.run(agent, setting, 20)  # what is made once and kept
        gc.freeze()  # no search for garbage goes through what was there before
        tracemalloc.start()
        with chunks.watched(look):
            kind.run(agent, setting, 4 * chunks.CHUNK)
        tracemalloc.stop()
        assert after, probe
        for (arrays, objects), (more_arrays, more_objects) in zip(
            after[2::4], after[3::4], strict=True
        ):
            assert more_arrays <= arrays, probe
            assert more_objects < objects + 0.75 * chunks.CHUNK, probe


# What is refused.


@pytest.mark.parametrize("probe", PROBES)
def test_numbers_out_of_range_are_refused_at_once(probe):
    kind, agent, setting = PROBES[probe].on_example()
    for kwargs, reason in (
        ({"episodes": 1}, "episodes must be a whole number of at least 2, got 1"),
        ({"episodes": 20.0}, "episodes must be a whole number"),
        ({"episodes": True}, "episodes must be a whole number"),
        ({"episodes": 10**10}, r"episodes must be at most 10,000,000, got 10,000,000,000: .* GB"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 0.5}, "seed must be"),
    ):
        with pytest.raises(InvalidTask, match=reason):
            kind.run(agent, setting, **kwargs)


class Failing(NamedAgent):
    """Plays at random; from trial ``at`` on it gives what is not finite."""

    name = "failing"

    def __init__(self, family, wrong=np.nan, place="probs", at=2):
        super().__init__(family)
        self.wrong, self.place, self.at = wrong, place, at

    def start(self, n, rng):
        return Stores(**{store: {"t": np.zeros(n)} for store in ("state", "weights", "context")})

    def act(self, stimulus, stores):
        probs = np.full((len(stores.state["t"]), self.n_arms), 1.0 / self.n_arms)
        if self.place == "probs":
            probs[stores.state["t"] >= self.at] = self.wrong
        return probs, stores

    def learn(self, stores, stimulus, action, reward):
        after = stores.map(lambda store, key, array: array + 1.0)
        if self.place == "probs":
            return after
        wrong = {"t": np.where(after.state["t"] >= self.at, self.wrong, after.state["t"])}
        return Stores(**{**vars(after), self.place: wrong})


@pytest.mark.parametrize("probe", PROBES)
def test_what_is_not_finite_is_never_averaged_in(probe):
    """Whatever it is and wherever; a probe of networks refuses the agent."""
    setting = PROBES[probe].example[1]
    at = min(2, setting.family.horizon - 1)
    wrongs = [(np.nan, "probs"), (np.inf, "probs")]
    wrongs += [(np.nan, store) for store in ("state", "weights", "context") if at]
    for wrong, place in wrongs:
        agent = Failing(setting.family, wrong, place, at)
        if made(probe).why_not(agent, setting) is not None:
            continue
        with pytest.raises(NonFinite) as error:
            made(probe).run(agent, setting, 20)
        message = str(error.value)
        assert message.startswith(f"failing on {setting}: "), message
        assert f"trial {at}" in message
        assert len(message.splitlines()) == 1


class FailsIfLesioned(Agent):
    """Finite as it plays, and not where one store has been put back and another has not."""

    name = "fails_if_lesioned"

    def start(self, n, rng):
        return Stores(state={"t": np.zeros(n)}, context={"t": np.zeros(n)})

    def act(self, stimulus, stores):
        apart = stores.state["t"] != stores.context["t"]
        return np.where(apart, np.nan, 0.5)[:, None].repeat(2, axis=1), stores

    def learn(self, stores, stimulus, action, reward):
        return stores.map(lambda store, key, array: array + 1.0)


def test_a_lesioned_choice_that_is_not_finite_says_which():
    with pytest.raises(NonFinite, match=r"fails_if_lesioned on .* trial 4") as error:
        Locus([4]).run(FailsIfLesioned(), SHORT, 20)
    assert "with context replaced (reset)" in str(error.value)
    for probe in ("carry", "freeze"):
        with pytest.raises(NonFinite, match=r"fails_if_lesioned on .* trial 1"):
            PROBES[probe]().run(FailsIfLesioned(), SHORT, 20)


# Any agent, any setting.

PLAYED = [
    *(Setting(BANDIT, n_arms=k, horizon=t) for k, t in ((2, 1), (2, 9), (4, 5), (11, 3))),
    Setting("metalocus/ReversalBandit-v0", horizon=5),
    Setting("metalocus/GaussianBandit-v0", horizon=4, prior_sd=0.0),
    Setting("metalocus/GaussianBandit-v0", horizon=4),
    Setting("metalocus/Harlow-v0"),
    Setting("metalocus/RestlessBandit-v0", horizon=6),
    Setting(BANDIT, horizon=5, n_tasks=3, task_seed=1),
    TWO_STEP,
    SWITCHING,
]


@example("capacity", Setting(BANDIT, n_arms=11, horizon=3), "bayes_optimal", 2, 1, int, 1)
@given(
    probe=st.sampled_from(sorted(PROBES)),
    setting=st.sampled_from(PLAYED),
    name=st.sampled_from(NAMED),
    episodes=st.integers(2, 40),
    seed=st.one_of(st.integers(0, 100), st.integers(2**62, 2**70)),
    kind=st.sampled_from([int, np.int64]),
    chunk=st.sampled_from([1, 3, 16, 2000]),
)
@settings(max_examples=60, deadline=None)
def test_a_probe_gives_finite_numbers_or_one_line(
    probe, setting, name, episodes, seed, kind, chunk
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", chunk)
        try:
            agent = make_named(name, setting.family)
            seed = kind(seed) if seed < 2**63 else seed
            found = made(probe).run(agent, setting, kind(episodes), seed)
        except InvalidTask:  # whose message is one line
            return
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for path, value in leaves(found):
        if any(str(part).endswith("_se") for part in path) and value is not None:
            assert value >= 0.0, path


def test_restoring_puts_back_the_named_stores_alone():
    agent = make_named("counts_redundant", make_family(BANDIT))
    start, reads = agent.start(5, np.random.default_rng(0)), {}
    episodes = fresh_episodes(Setting(BANDIT), 5, 0)
    restore = EveryTrial("reset", ["weights"], episodes.crn)

    def intervene(t, stores):
        reads[t] = restore(t, stores)
        return reads[t]

    rollout(agent, episodes, 0, intervene=intervene)
    assert all(read.digest("weights") == start.digest("weights") for read in reads.values())
    assert all(read.state["table"].sum() == 5 * t for t, read in reads.items())


def test_a_probe_that_gives_nothing_of_what_it_says_is_told_so():
    probe, agent, setting = Misspelt.on_example()
    with pytest.raises(InvalidTask, match=r"measures score, and gives none of these but scroe$"):
        probe.run(agent, setting, 4)
    probe.gives = {}
    with pytest.raises(InvalidTask, match=r"gives none of these but no number$"):
        probe.run(agent, setting, 4)
    probe.gives = {"score": None, "scroe": 0.5}
    assert probe.run(agent, setting, 4)["score"] is None
