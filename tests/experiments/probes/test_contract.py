"""What holds for every probe with every agent."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalocus.agents.agent import Agent, NamedAgent, NonFinite, Stores
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.experiments.probes.base import PROBES, Restore
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
ON = {"stay": [TWO_STEP], "switch": [SWITCHING]}
"""The settings of the probes that are of one task family alone."""
NAMED = [*REFERENCES, *ONLINE, *CONTROLS]
CHANCE = {"counts_split", "counts_alternating", "noisy_means", "psrl"}
"""Agents that draw at their start, once for all episodes of a chunk."""
DIGESTS = ("weights_first", "weights_last")


def on(probe):
    return ON.get(probe, SETTINGS)


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


@pytest.mark.parametrize("probe", PROBES)
def test_every_probe_works_with_every_agent(probe):
    """Its results are ready for JSON and say what was run, NumPy's numbers included."""
    for setting in on(probe):
        for name, agent in playing(setting):
            found = PROBES[probe]().run(agent, setting, np.int64(8), np.uint32(1))
            assert json.loads(json.dumps(found, allow_nan=False)) == found, name
            about = {"probe": probe, **setting.to_dict(), "episodes": 8, "seed": 1}
            assert {key: found[key] for key in about} == about


@pytest.mark.parametrize("probe", PROBES)
def test_a_probe_repeats_itself_and_varies_with_the_seed(probe):
    names = ["counts_split", "policy_gradient", "thompson", "leaky", "model_free", "key_memory"]
    for name, agent in playing(on(probe)[0], names):
        runs = [PROBES[probe]().run(agent, on(probe)[0], 20, seed) for seed in (0, 0, 1)]
        assert runs[0] == runs[1], name
        if name != "key_memory":  # which makes no errors
            assert {**runs[2], "seed": 0} != runs[0], name


# Chunks.


FEW = ["wsls", "policy_gradient", "bayes_optimal", "leaky", "model_free", "key_memory"]


@pytest.mark.parametrize(("chunk", "names"), [(1, FEW), (4, NAMED), (8, FEW)])
def test_chunks_do_not_show_in_any_result_of_any_agent(monkeypatch, chunk, names):
    """Digests of the weights are of all chunks together; whether they changed is the same.

    Carry and freeze pool learning curves alone, as locus does, so few agents do for them.
    """
    for probe in PROBES:
        for setting in on(probe):
            among = FEW if probe in ("carry", "freeze") else names
            for name, agent in playing(setting, [one for one in among if one not in CHANCE]):
                monkeypatch.setattr(chunks, "CHUNK", 2000)
                whole = dict(leaves(PROBES[probe]().run(agent, setting, 9, 3)))
                monkeypatch.setattr(chunks, "CHUNK", chunk)
                found = dict(leaves(PROBES[probe]().run(agent, setting, 9, 3)))
                assert set(found) == set(whole)
                for path, value in whole.items():
                    where = f"{probe}, {name}, {path}"
                    if path[-1] in DIGESTS:
                        first, last = ((*path[:-1], digest) for digest in DIGESTS)
                        same = found[first] == found[last]
                        assert same == (whole[first] == whole[last]), where
                    elif isinstance(value, float):
                        assert found[path] == pytest.approx(value, rel=1e-12, abs=1e-12), where
                    else:
                        assert found[path] == value, where


def test_agents_that_draw_at_their_start_are_measured_alike_in_chunks(monkeypatch):
    """Within four standard errors of the difference: rate 1e-4 each."""
    agent, setting = make_named("counts_split", make_family(BANDIT)), Setting(BANDIT)
    whole = Locus([9]).run(agent, setting, 2000, 0)
    monkeypatch.setattr(chunks, "CHUNK", 100)
    found = Locus([9]).run(agent, setting, 2000, 0)
    assert found == Locus([9]).run(agent, setting, 2000, 0)
    for key in ("values", "shares", "interactions"):
        for name, (value,) in whole[key].items():
            error = np.hypot(whole[f"{key}_se"][name], found[f"{key}_se"][name])
            assert abs(found[key][name][0] - value) <= 4 * error + 1e-12, (key, name)


@pytest.mark.parametrize("probe", PROBES)
def test_memory_does_not_grow_with_the_episodes(monkeypatch, probe):
    monkeypatch.setattr(chunks, "CHUNK", 100)
    setting = on(probe)[0]
    agent = make_named("random", setting.family)

    def peak(episodes):
        tracemalloc.start()
        PROBES[probe]().run(agent, setting, episodes)
        high = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return high

    peak(200)  # what is made once and kept
    assert peak(1400) < 1.1 * peak(200)


# What is refused.


@pytest.mark.parametrize("probe", PROBES)
def test_numbers_out_of_range_are_refused_at_once(probe):
    agent = make_named("random", on(probe)[0].family)
    for kwargs, reason in (
        ({"episodes": 1}, "episodes must be a whole number of at least 2, got 1"),
        ({"episodes": 20.0}, "episodes must be a whole number"),
        ({"episodes": True}, "episodes must be a whole number"),
        ({"episodes": 10**10}, r"episodes must be at most 10,000,000, got 10,000,000,000: .* GB"),
        ({"seed": -1}, "seed must be"),
        ({"seed": 0.5}, "seed must be"),
    ):
        with pytest.raises(InvalidTask, match=reason):
            PROBES[probe]().run(agent, on(probe)[0], **kwargs)


class Failing(NamedAgent):
    """Plays at random; from its third trial on it gives what is not finite."""

    name = "failing"

    def __init__(self, family, wrong=np.nan, place="probs"):
        super().__init__(family)
        self.wrong, self.place = wrong, place

    def start(self, n, rng):
        return Stores(**{store: {"t": np.zeros(n)} for store in ("state", "weights", "context")})

    def act(self, stimulus, stores):
        probs = np.full((len(stores.state["t"]), self.n_arms), 1.0 / self.n_arms)
        if self.place == "probs":
            probs[stores.state["t"] >= 2] = self.wrong
        return probs, stores

    def learn(self, stores, stimulus, action, reward):
        after = stores.map(lambda store, key, array: array + 1.0)
        if self.place == "probs":
            return after
        wrong = {"t": np.where(after.state["t"] >= 2, self.wrong, after.state["t"])}
        return Stores(**{**vars(after), self.place: wrong})


@pytest.mark.parametrize("probe", PROBES)
@pytest.mark.parametrize(
    ("wrong", "place"),
    [(np.nan, "probs"), (np.inf, "probs"), *((np.nan, s) for s in ("state", "weights", "context"))],
)
def test_what_is_not_finite_is_never_averaged_in(probe, wrong, place):
    for setting in on(probe):
        agent = Failing(setting.family, wrong, place)
        with pytest.raises(NonFinite) as error:
            PROBES[probe]().run(agent, setting, 20)
        message = str(error.value)
        assert message.startswith(f"failing on {setting}: "), message
        assert "trial 2" in message
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
    assert "weights and context restored" in str(error.value)
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


@given(
    probe=st.sampled_from(sorted(PROBES)),
    setting=st.sampled_from(PLAYED),
    name=st.sampled_from(NAMED),
    episodes=st.integers(2, 40),
    seed=st.one_of(st.integers(0, 100), st.integers(2**62, 2**70)),
    kind=st.sampled_from([int, np.int64]),
    chunk=st.sampled_from([1, 3, 16, 2000]),
)
@settings(max_examples=150, deadline=None)
def test_a_probe_gives_finite_numbers_or_one_line(
    probe, setting, name, episodes, seed, kind, chunk
):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunks, "CHUNK", chunk)
        try:
            agent = make_named(name, setting.family)
            seed = kind(seed) if seed < 2**63 else seed
            found = PROBES[probe]().run(agent, setting, kind(episodes), seed)
        except InvalidTask:  # whose message is one line
            return
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    for path, value in leaves(found):
        if any(str(part).endswith("_se") for part in path) and value is not None:
            assert value >= 0.0, path


def test_restoring_puts_back_the_named_stores_alone():
    agent = make_named("counts_redundant", make_family(BANDIT))
    start, reads = agent.start(5, np.random.default_rng(0)), {}
    restore = Restore(["weights"])

    def intervene(t, stores):
        reads[t] = restore(t, stores)
        return reads[t]

    rollout(agent, fresh_episodes(Setting(BANDIT), 5, 0), 0, intervene=intervene)
    assert all(read.digest("weights") == start.digest("weights") for read in reads.values())
    assert all(read.state["table"].sum() == 5 * t for t, read in reads.items())
