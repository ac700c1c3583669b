"""The locus probe: calibrated on agents whose locus is known."""

import json

import numpy as np
import pytest

from metalocus.agents.agent import STORES
from metalocus.agents.catalogue import CONTROLS, ONLINE, make_named
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.envs import InvalidTask, Setting, make_family
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit
from metalocus.experiments.probes.locus import KEPT, Locus

BANDIT = "metalocus/BernoulliBandit-v0"
REVERSAL = "metalocus/ReversalBandit-v0"
NAMES = sorted(CONTROLS)


def agent(name, env_id=BANDIT, **env_kwargs):
    return make_named(name, make_family(env_id, **env_kwargs))


@pytest.fixture(scope="module")
def calibration():
    """Every control on the two-armed bandit of 30 trials, measured early and at the end.

    The lesioned split control chooses by noise, which needs 30,000 episodes to average out.
    """
    probe = Locus([9, 29])
    return {
        name: probe.run(
            agent(name, horizon=30),
            Setting(BANDIT, horizon=30),
            episodes=30_000 if "split" in name else 4_000,
        )
        for name in NAMES
    }


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_gets_its_known_shares(calibration, name):
    known, found = agent(name).known_shares, calibration[name]
    if any(known.values()):
        assert min(found["total"]) > 0.7
        for store in STORES:
            np.testing.assert_allclose(found["shares_fraction"][store], known[store], atol=0.02)
    else:
        np.testing.assert_allclose(found["total"], 0.0, atol=1e-12)
        assert found["shares_fraction"] == {store: [None, None] for store in STORES}


@pytest.mark.parametrize("name", CONTROLS)
def test_every_control_gets_its_known_interactions(calibration, name):
    control, found = agent(name), calibration[name]
    kind = "interactions_fraction" if any(control.known_shares.values()) else "interactions"
    for pair, known in control.known_interactions.items():
        np.testing.assert_allclose(found[kind][pair], known, atol=0.04)


def test_halves_of_the_evidence_overlap_more_the_longer_the_episode(calibration):
    early, late = calibration["counts_alternating"]["interactions_fraction"]["state+weights"]
    assert -1.0 < late < early < -0.5


@pytest.mark.parametrize("name", CONTROLS)
def test_only_knowledge_outside_the_stores_is_a_leak(calibration, name):
    found = calibration[name]
    assert found["contained"] == agent(name).contained
    if found["contained"]:
        assert found["leak"] == [0.0, 0.0]
    else:
        assert min(found["leak"]) > 0.7


@pytest.mark.parametrize("name", CONTROLS)
def test_lesion_equals_playing_on_from_edited_stores(name):
    """v(K) is what the agent gets at t when its stores are edited in the rollout itself."""
    trial, kwargs = 7, {"n_arms": 3, "horizon": 9}
    found = Locus([trial]).run(
        agent(name, **kwargs), Setting(BANDIT, **kwargs), episodes=300, seed=3
    )
    for coalition, kept in KEPT.items():
        lost = [store for store in STORES if store not in kept]
        player = agent(name, **kwargs)
        start = player.start(300, np.random.default_rng(3))
        trace = rollout(
            player,
            fresh_episodes(Setting(BANDIT, **kwargs), 300, 3),
            3,
            intervene=lambda t, now, lost=lost, start=start: (
                now.restore(start, lost) if t == trial else now
            ),
        )
        means = trace.means[trial]
        chance = means.mean()
        expected = (trace.value[trial].mean() - chance) / (means.max(axis=1).mean() - chance)
        value = found["values"][coalition]
        np.testing.assert_allclose(value, [expected], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "store"),
    [
        ("counts_in_state", "state"),
        ("counts_in_weights", "weights"),
        ("counts_in_context", "context"),
    ],
)
def test_losing_the_one_store_is_acting_from_a_fresh_table(name, store):
    """A fresh table is a tie of all arms: exactly chance; keeping it is the plain rollout."""
    found = Locus().run(agent(name), Setting(BANDIT), episodes=500)
    others = "+".join(other for other in STORES if other != store)
    np.testing.assert_allclose(found["values"][others], 0.0, atol=1e-12)
    assert found["values"][store] == found["values"]["all"]


def test_restoring_nothing_is_the_plain_rollout_bit_for_bit():
    for name in ("counts_split", "policy_gradient"):
        found = Locus().run(agent(name), Setting(BANDIT), episodes=200)
        assert found["values"]["all"] == [found["curve"][t] for t in found["trials"]]
        trace = rollout(agent(name), fresh_episodes(Setting(BANDIT), 200, 0), 0)
        chance, best = trace.means.mean(axis=2), trace.means.max(axis=2)
        curve = (trace.value - chance).mean(axis=1) / (best - chance).mean(axis=1)
        assert found["curve"] == curve.tolist()


def test_every_trial_has_its_own_scale(monkeypatch):
    """Where arms draw closer from trial to trial, the gap to normalise by shrinks too."""
    step = BernoulliBandit.step

    def shrinking(self, latents, action, t, crn):
        reward, after = step(self, latents, action, t, crn)
        return reward, {"means": 0.5 + 0.8 * (after["means"] - 0.5)}

    monkeypatch.setattr(BernoulliBandit, "step", shrinking)
    found = Locus([2, 5]).run(agent("counts_in_state"), Setting(BANDIT), episodes=500)
    assert found["values"]["all"] == [found["curve"][2], found["curve"][5]]
    assert min(found["total"]) > 0.4


def test_responding_to_a_stimulus_is_neither_knowledge_nor_a_leak():
    """The oracle acts otherwise at trial t than at trial 0 because the good arm has moved."""
    found = Locus().run(agent("oracle", REVERSAL), Setting(REVERSAL, hazard=0.3), episodes=400)
    np.testing.assert_allclose(found["values"]["none"], 1.0)
    assert found["contained"]
    assert not any(found["total"])
    assert not any(found["leak"])


@pytest.mark.parametrize("rule", sorted(ONLINE))
def test_online_learners_know_in_their_weights_alone(rule):
    found = Locus([30]).run(agent(rule), Setting(BANDIT), episodes=1000)
    assert found["total"][0] > 0.4
    assert found["shares_fraction"]["weights"][0] == pytest.approx(1.0, abs=1e-9)
    assert found["contained"]


def test_standard_errors_are_those_of_repeated_runs():
    runs = [
        Locus([5]).run(
            agent("counts_split", horizon=6), Setting(BANDIT, horizon=6), episodes=250, seed=seed
        )
        for seed in range(80)
    ]
    for kind, key in (("values", "all"), ("shares", "state"), ("interactions", "state+weights")):
        spread = np.std([run[kind][key][0] for run in runs])
        claimed = np.mean([run[f"{kind}_se"][key][0] for run in runs])
        assert claimed == pytest.approx(spread, rel=0.25)


def test_trials_are_spaced_by_ratio_up_to_the_last():
    def default(horizon):
        kwargs = {"horizon": horizon}
        return Locus().run(agent("fixed_bias", **kwargs), Setting(BANDIT, **kwargs), episodes=2)[
            "trials"
        ]

    assert default(1) == [0]
    assert default(3) == [1, 2]
    assert default(50) == [1, 2, 3, 5, 9, 16, 28, 49]


def test_trials_are_whole_numbers_inside_the_episode():
    for trials in ([], [3, 50]):
        with pytest.raises(InvalidTask, match="from 0 to 49"):
            Locus(trials).run(agent("fixed_bias"), Setting(BANDIT), episodes=2)
    for wrong in (-1, 2.5, True, "3", float("nan")):
        with pytest.raises(InvalidTask, match="trials must be a whole number"):
            Locus([1, wrong]).run(agent("fixed_bias"), Setting(BANDIT), episodes=2)
    for right in ([3, 1], np.array([1, 3, 3]), (np.uint8(1), 3)):
        found = Locus(right).run(agent("fixed_bias"), Setting(BANDIT), episodes=2)
        assert json.dumps(found["trials"]) == "[1, 3]"
