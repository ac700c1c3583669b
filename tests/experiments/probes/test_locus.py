"""The locus probe: calibrated on agents whose locus is known."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalocus.agents.agent import STORES, NamedAgent, Stores, one_hot
from metalocus.agents.catalogue import CONTROLS, ONLINE, make_named
from metalocus.agents.rollout import TUNING_SEED, Transition, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting, make_episodes, make_family
from metalocus.envs.common_random_numbers import CommonRandomNumbers
from metalocus.envs.families.bernoulli_bandit import BernoulliBandit
from metalocus.experiments.instruments.interventions import (
    BLOCKING,
    EveryTrial,
    as_clusters,
    donors,
)
from metalocus.experiments.probes.locus import KEPT, STORES_OF, Locus
from metalocus.experiments.runs.build import build_policy
from metalocus.experiments.runs.config import RunConfig

BANDIT = "metalocus/BernoulliBandit-v0"
REVERSAL = "metalocus/ReversalBandit-v0"
KNOWN = [
    name
    for name, control in CONTROLS.items()
    if control.__module__.rsplit(".", 1)[1] in ("one_store", "two_stores", "misleading")
]


def agent(name, env_id=BANDIT, **env_kwargs):
    return make_named(name, make_family(env_id, **env_kwargs))


def network(name, std):
    """A policy with random parameters large enough to matter."""
    torch.manual_seed(0)
    policy = build_policy(RunConfig.suited(Setting(BANDIT), name, 0))
    with torch.no_grad():
        for parameter in policy.parameters():
            parameter.normal_(std=std)
    return TrainedAgent(policy, make_episodes(BANDIT).layout)


@pytest.fixture(scope="module")
def calibration():
    """Every control on the two-armed bandit of 30 trials, measured early and at the end.

    The lesioned split control chooses by noise, which needs 30,000 episodes to average out.
    """
    probe = Locus([9, 29], ("resample", "reset"))
    return {
        name: probe.run(
            agent(name, horizon=30),
            Setting(BANDIT, horizon=30),
            episodes=30_000 if "split" in name else 4_000,
        )
        for name in KNOWN
    }


def test_every_control_gets_its_known_shares(calibration):
    for name, found in calibration.items():
        known, shares = CONTROLS[name].known_shares, found["shares_fraction"]["resample before"]
        if any(known.values()):
            assert min(found["total"]["resample before"]) > 0.7, name
            for store in STORES:
                np.testing.assert_allclose(shares[store], known[store], atol=0.03, err_msg=name)
        else:
            np.testing.assert_allclose(found["total"]["resample before"], 0.0, atol=1e-12)
            assert shares == {store: [None, None] for store in STORES}, name


def test_every_control_gets_its_known_interactions(calibration):
    for name, found in calibration.items():
        control = agent(name)
        kind = "interactions_fraction" if any(control.known_shares.values()) else "interactions"
        if not control.contained:  # putting their stores back hides their table
            continue
        for pair, known in control.known_interactions.items():
            value = found[kind]["reset before"][pair]
            np.testing.assert_allclose(value, known, atol=0.04, err_msg=name)


def test_a_constant_takes_half_of_the_shares_if_it_is_reset_and_none_if_it_is_resampled(
    calibration,
):
    shares = calibration["constant_gain"]["shares_fraction"]
    assert shares["reset before"]["weights"] == pytest.approx([0.5, 0.5], abs=1e-9)
    assert shares["resample before"]["weights"] == pytest.approx([0.0, 0.0], abs=1e-9)


def test_halves_of_the_evidence_overlap_more_the_longer_the_episode(calibration):
    found = calibration["counts_alternating"]["interactions_fraction"]["reset before"]
    early, late = found["state+weights"]
    assert -1.0 < late < early < -0.5


def test_noise_is_not_divided_and_widens_no_range():
    """Half of 100 noise agents would have more than .02, up or down, by chance."""

    class Noise(NamedAgent):
        """Its state says at random which arm to pull."""

        def start(self, n, rng):
            return Stores(state={"said": rng.integers(self.n_arms, size=n)})

        def act(self, stimulus, stores):
            return one_hot(stores.state["said"], self.n_arms), stores

        name = "noise"

    setting, probe = Setting(BANDIT, horizon=6), Locus([5])
    totals = []
    for seed in range(20):
        result = probe.run(Noise(setting.family), setting, 50, seed)
        totals.append(result["total"]["resample before"][0])
        if abs(probe.row(result, "total", "resample before").value) < 0.3:
            assert "too little to be divided" in probe.sentence(result), seed
    assert np.mean(np.abs(totals) > 0.02) > 0.5
    split = Locus([20], ["resample", "reset"]).run(agent("counts_split"), Setting(BANDIT), 1000)
    for end, value in (("", 3.0), ("_se", 0.2)):  # as where little is divided
        split[f"shares_fraction{end}"]["reset before"] = {store: [value] for store in STORES}
    low = max(split["shares_fraction"]["resample before"].values())[0]
    assert f" is {low:.2f} by what is put in place" in Locus().sentence(split)


def test_every_kind_has_a_sentence_of_its_own():
    for kind, put in STORES_OF.items():
        probe = Locus([20], [kind])
        result = probe.run(agent("counts_alternating"), Setting(BANDIT), 300)
        assert "what was learned is worth" in probe.sentence(result), kind
        if result["shares_fraction"][f"{kind} before"]["state"][0] is not None:
            assert put in probe.sentence(result), kind


def test_only_knowledge_outside_the_stores_is_a_leak(calibration):
    for name, found in calibration.items():
        assert found["contained"] == agent(name).contained, name
        if found["contained"]:
            assert found["leak"] == [0.0, 0.0], name
        else:
            assert min(found["leak"]) > 0.7, name


def test_shares_of_one_table_are_the_same_whatever_is_put_in_its_place():
    """Wherever there is enough to divide, exactly; every kind but rollback divides something."""
    for name in ("counts_in_state", "counts_in_weights", "counts_in_context", "counts_quarter"):
        found = Locus([3, 20]).run(agent(name, n_arms=3), Setting(BANDIT, n_arms=3), 400)
        divided = set()
        for kind, by_store in found["shares_fraction"].items():
            for store, shares in by_store.items():
                for share in [each for each in shares if each is not None]:
                    known = CONTROLS[name].known_shares[store]
                    assert share == pytest.approx(known, abs=1e-9), (name, kind, store)
                    divided.add(kind.split()[0])
        assert divided >= {"resample", "reset", "mean", "forced"}, name


def test_the_last_action_tells_what_the_state_knows_unless_it_is_drawn_at_random():
    """The efference copy: the best arm of two is the one just pulled, by the state that knows.

    Another episode's state with the same last action and reward mostly knows the same. After an
    action at random it does not, and what the state is worth appears.
    """
    found = Locus([30]).run(agent("counts_in_state"), Setting(BANDIT), 2000)["total"]
    assert found["matched before"][0] < 0.2 * found["resample before"][0]
    assert found["forced before"][0] > 0.6 * found["resample before"][0]


def test_nothing_is_said_of_matches_where_rewards_are_continuous():
    setting = Setting("metalocus/GaussianBandit-v0", horizon=6)
    found = Locus([4]).run(make_named("counts_in_state", setting.family), setting, 200)
    assert found["donors"] == {"matched": [0.0], "forced": [0.0]}
    assert found["total"]["matched before"] == [None]
    assert found["total"]["resample before"][0] is not None


# Every kind of replacement equals playing on from edited stores.


def others_of(kind, t, stores, past, last, crn):
    """The stores that are put in place, [N, ...], by plain loops over episodes."""
    n = len(crn)
    draws = crn.bits("donor", t)
    if kind == "reset":
        return past[0]
    if kind == "rollback":
        return past[t // 2]
    if kind == "mean":
        return past["others"].map(lambda _s, _k, a: np.stack([a.mean(axis=0)] * n))
    same = [(0,)] * n
    if kind == "matched":
        same = [(last.action[i], last.reward[i], *last.stimulus[i]) for i in range(n)]
    found = np.arange(n)
    for kind_of in set(
        same
    ):  # by their draws in pairs, the last three of an odd number in a circle
        row = sorted((j for j in range(n) if same[j] == kind_of), key=lambda j: draws[j])
        while len(row) > 1:
            group = row[:3] if len(row) == 3 else row[:2]
            for i, j in zip(group, [*group[1:], group[0]], strict=True):
                found[i] = j
            row = row[len(group) :]
    return stores.rows(found)


@pytest.mark.parametrize("kind", ["reset", "mean", "resample", "matched", "rollback"])
def test_a_lesion_equals_playing_on_from_edited_stores(kind):
    """v(K) is what the agent gets at t when its stores are edited in the rollout itself."""
    trial, kwargs = 7, {"n_arms": 3, "horizon": 9}
    for name in ("counts_redundant", "counts_quarter", "policy_gradient"):
        setting, past = Setting(BANDIT, **kwargs), {}
        found = Locus([trial], [kind]).run(agent(name, **kwargs), setting, episodes=60, seed=3)
        plain = rollout(agent(name, **kwargs), fresh_episodes(setting, 60, 3), 3)
        past["others"] = stores_at(trial, agent(name, **kwargs), setting, TUNING_SEED + 3)
        last = Transition(np.zeros((60, 0)), plain.action[trial - 1], plain.reward[trial - 1])
        for coalition, kept in KEPT.items():
            lost = [store for store in STORES if store not in kept]
            episodes = fresh_episodes(setting, 60, 3)

            def edit(t, stores, lost=lost, episodes=episodes, past=past, last=last):
                past[t] = stores
                if t != trial:
                    return stores
                return stores.restore(others_of(kind, t, stores, past, last, episodes.crn), lost)

            trace = rollout(agent(name, **kwargs), episodes, 3, intervene=edit)
            value = expected_choice_value(trace, trial)
            got = found["values"][f"{kind} before"][coalition]
            np.testing.assert_allclose(got, [value], rtol=1e-12, atol=1e-12, err_msg=name)


def stores_at(trial, player, setting, seed):
    """Its stores before the act of a trial, in 60 episodes."""
    seen = {}

    def keep(now):
        seen[now.t] = now.stores

    rollout(player, fresh_episodes(setting, 60, seed), seed, observe=keep)
    return seen[trial]


def test_the_mean_of_other_episodes_knows_nothing_of_those_measured():
    """Without its counts a greedy agent earns chance, and its intervals hold that of 93% and more.

    The mean over the measured episodes themselves would lean to their better arm: choice value .07.
    """
    probe, setting, left, held = Locus([6], ["mean"]), Setting(BANDIT, horizon=7), [], 0
    for seed in range(100):
        found = probe.run(agent("counts_in_state", horizon=7), setting, 100, seed)
        value, error = (found[key]["mean before"]["none"][0] for key in ("values", "values_se"))
        left.append(value)
        held += abs(value) <= 1.96 * error
    assert np.mean(left) == pytest.approx(0.0, abs=0.04)  # four standard errors
    assert held >= 88


def expected_choice_value(trace, trial):
    means = trace.means[trial]
    chance = means.mean()
    return (trace.value[trial].mean() - chance) / (means.max(axis=1).mean() - chance)


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
    others, values = "+".join(other for other in STORES if other != store), found["values"]
    np.testing.assert_allclose(values["reset before"][others], 0.0, atol=1e-12)
    for kind, by_kept in values.items():
        assert by_kept[store] == by_kept["all"], kind


def test_replacing_nothing_is_the_plain_rollout():
    """Bit for bit where stores are replaced in the rollout; here up to the rounding of means."""
    for kind in BLOCKING:
        episodes = fresh_episodes(Setting(BANDIT), 50, 0)
        sham = EveryTrial(kind, (), episodes.crn)
        found = rollout(agent("counts_split"), episodes, intervene=sham)
        plain = rollout(agent("counts_split"), fresh_episodes(Setting(BANDIT), 50, 0))
        np.testing.assert_array_equal(found.probs, plain.probs)
        np.testing.assert_array_equal(found.reward, plain.reward)
    for name in ("counts_split", "policy_gradient"):
        found = Locus().run(agent(name), Setting(BANDIT), episodes=200)
        for kind in ("resample", "reset", "mean", "matched", "rollback"):
            for cut in ("before", "after"):
                all_kept = found["values"][f"{kind} {cut}"]["all"]
                known = [t for t, v in zip(found["trials"], all_kept, strict=True) if v is not None]
                expected = [found["curve"][t] for t in known]
                assert [v for v in all_kept if v is not None] == pytest.approx(expected, abs=1e-12)
                assert len(known) == len(all_kept) or kind == "matched"
        trace = rollout(agent(name), fresh_episodes(Setting(BANDIT), 200, 0), 0)
        chance, best = trace.means.mean(axis=2), trace.means.max(axis=2)
        curve = (trace.value - chance).mean(axis=1) / (best - chance).mean(axis=1)
        assert found["curve"] == curve.tolist()


def test_a_forced_action_is_one_at_random_after_which_the_episode_goes_on():
    """v(all) is what the agent gets at t when its action at t - 1 is replaced, by plain steps."""
    setting, trial, n = Setting(BANDIT, n_arms=3, horizon=9), 5, 80
    found = Locus([trial], ["forced"]).run(agent("counts_in_state", n_arms=3), setting, n, 2)
    player, episodes = agent("counts_in_state", n_arms=3), fresh_episodes(setting, n, 2)
    stores, nothing = player.start(n, np.random.default_rng(2)), np.zeros((n, 0))
    for t in range(trial):
        probs, stores = player.act(nothing, stores)
        if t == trial - 1:
            probs = np.full((n, 3), 1 / 3)
        u = episodes.crn.uniform("forced" if t == trial - 1 else "policy", t)
        action = (u[:, None] >= np.cumsum(probs, axis=1)[:, :-1]).sum(axis=1)
        reward, _ = episodes.step(action)
        stores = player.learn(stores, nothing, action, reward)
    probs, means = player.act(nothing, stores)[0], episodes.means()
    value = ((probs * means).sum(axis=1) - means.mean(axis=1)).mean()
    expected = value / (means.max(axis=1) - means.mean(axis=1)).mean()
    assert found["values"]["forced before"]["all"] == pytest.approx([expected], rel=1e-12)


def test_after_the_pass_a_recurrent_network_s_choice_is_read_from_its_state_alone():
    """The same stores, edited by hand between taking in and reading out."""
    player = network("lstm", std=0.5)
    setting, trial, n = Setting(BANDIT, horizon=12), 8, 60
    found = Locus([trial], ["resample"]).run(player, setting, n)
    before, after = (found["shares"][f"resample {cut}"] for cut in ("before", "after"))
    assert abs(before["context"][0]) > 1e-3
    assert after["context"] == [0.0]
    assert after["state"] == pytest.approx(found["total"]["resample after"])
    seen = {}

    def observe(now):
        if now.t == trial:
            seen["taken"] = player.take_in(now.stimulus, now.stores)
            seen["now"] = now

    episodes = fresh_episodes(setting, n, 0)
    rollout(player, episodes, observe=observe)
    taken = seen["taken"]
    edited = taken.restore(taken.rows(donors(episodes.crn, trial)), ["state"])
    probs, means = player.read_out(seen["now"].stimulus, edited), seen["now"].privileged_value
    value = ((probs * means).sum(axis=1) - means.mean(axis=1)).mean()
    expected = value / (means.max(axis=1) - means.mean(axis=1)).mean()
    assert found["values"]["resample after"]["context"] == pytest.approx([expected], rel=1e-6)


def test_weights_that_the_pass_has_read_no_longer_hold_the_choice():
    """Planted with the layout of fast weights: a table in the weights, an activation beside it."""
    found = Locus([11], ["resample", "reset"]).run(
        agent("read_into_state", horizon=12), Setting(BANDIT, horizon=12), 300
    )
    for kind in ("resample", "reset"):
        before, after = (found["shares_fraction"][f"{kind} {cut}"] for cut in ("before", "after"))
        for shares, known in ((before, [0.0, 1.0, 0.0]), (after, [1.0, 0.0, 0.0])):
            assert [each for (each,) in shares.values()] == pytest.approx(known), kind
    said = Locus().sentence(found)
    assert "weights 1.00 [1.00, 1.00]" in said.partition("; once")[0]
    assert "they are state 1.00 [1.00, 1.00], weights 0.00" in said
    assert "count to the state." in said
    assert "once" not in Locus().sentence(
        Locus([11]).run(agent("counts_in_state", horizon=12), Setting(BANDIT, horizon=12), 300)
    )


@given(
    keys=st.lists(st.integers(0, 2**63), min_size=1, max_size=30, unique=True),
    n_kinds=st.integers(1, 5),
    t=st.integers(0, 100),
)
@settings(max_examples=60)
def test_donors_are_a_permutation_within_kinds_in_which_no_one_with_company_is_alone(
    keys, n_kinds, t
):
    kinds = np.arange(len(keys)) * 7 % n_kinds
    found = donors(CommonRandomNumbers(np.array(keys, dtype=np.uint64)), t, kinds)
    assert sorted(found) == list(range(len(keys)))
    np.testing.assert_array_equal(kinds[found], kinds)
    alone = np.bincount(kinds)[kinds] == 1
    np.testing.assert_array_equal(found == np.arange(len(keys)), alone)
    back = (found[found] == np.arange(len(keys))) | (found[found[found]] == np.arange(len(keys)))
    assert back.all(), "pairs, or circles of three"


def test_clusters_keep_the_mean_and_have_the_variance_of_pairs():
    """Of pairs whose members are alike, half as many numbers are known; worked out by a loop."""
    rng = np.random.default_rng(0)
    crn = CommonRandomNumbers(np.arange(41, dtype=np.uint64))
    donor = donors(crn, 3)
    numbers = rng.normal(size=(2, 41))
    numbers[1] = 0.8 * numbers[1, donor] + numbers[1]  # a number depends on its donor's
    found = as_clusters(numbers, donor)
    np.testing.assert_allclose(found.mean(axis=1), numbers.mean(axis=1))
    groups = {frozenset({i, donor[i], donor[donor[i]]}) for i in range(41)}
    for row, numbers_of in zip(found, numbers, strict=True):
        centred = numbers_of - numbers_of.mean()
        robust = sum(centred[list(group)].sum() ** 2 for group in groups) / 41**2
        assert row.var() / 41 == pytest.approx(robust, rel=0.01)
    alike = np.repeat(rng.normal(size=20), 2)
    swapped = np.arange(40) ^ 1
    assert as_clusters(alike, swapped).var() == pytest.approx(2 * alike.var())


def test_every_trial_has_its_own_scale(monkeypatch):
    """Where arms draw closer from trial to trial, the gap to normalise by shrinks too."""
    step = BernoulliBandit.step

    def shrinking(self, latents, action, t, crn):
        reward, after = step(self, latents, action, t, crn)
        return reward, {"means": 0.5 + 0.8 * (after["means"] - 0.5)}

    monkeypatch.setattr(BernoulliBandit, "step", shrinking)
    found = Locus([2, 5]).run(agent("counts_in_state"), Setting(BANDIT), episodes=500)
    assert found["values"]["reset before"]["all"] == [found["curve"][2], found["curve"][5]]
    assert min(found["total"]["reset before"]) > 0.4


def test_responding_to_a_stimulus_is_neither_knowledge_nor_a_leak():
    """The oracle acts otherwise at trial t than at trial 0 because the good arm has moved."""
    found = Locus().run(agent("oracle", REVERSAL), Setting(REVERSAL, hazard=0.3), episodes=400)
    for kind in ("resample", "reset", "mean", "rollback"):
        np.testing.assert_allclose(found["values"][f"{kind} before"]["none"], 1.0)
        assert not any(found["total"][f"{kind} before"])
    assert found["contained"]
    assert not any(found["leak"])


def test_online_learners_know_in_their_weights_alone():
    for rule in ONLINE:
        found = Locus([30], ["resample"]).run(agent(rule), Setting(BANDIT), episodes=600)
        shares = found["shares_fraction"]["resample before"]
        assert found["total"]["resample before"][0] > 0.3, rule
        assert shares["weights"] == pytest.approx([1.0], abs=1e-9), rule
        assert found["contained"], rule


def test_standard_errors_are_those_of_repeated_runs():
    probe, setting = Locus([5], ["resample"]), Setting(BANDIT, horizon=6)
    runs = [
        probe.run(agent("counts_alternating", horizon=6), setting, 200, seed) for seed in range(80)
    ]
    for kind, key in (
        ("values", "all"),
        ("shares", "state"),
        ("shares_fraction", "state"),
        ("interactions", "state+weights"),
    ):
        found, errors = (
            [run[name]["resample before"][key][0] for run in runs] for name in (kind, f"{kind}_se")
        )
        assert np.mean(errors) == pytest.approx(np.std(found), rel=0.25), kind


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
