"""The decode probe: what is planted is found, where it is, and what only looks like it is not."""

import numpy as np
import pytest
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.model_selection import GroupKFold, cross_val_predict

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.rollout import TUNING_SEED, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.instruments import raw_history
from metalocus.experiments.instruments.beliefs import Beliefs
from metalocus.experiments.instruments.decoder import Decoder
from metalocus.experiments.instruments.raw_history import RawHistory
from metalocus.experiments.instruments.regression import Ridge, principal
from metalocus.experiments.instruments.untrained import untrained
from metalocus.experiments.instruments.vectors import Vectors
from metalocus.experiments.probes import decode
from metalocus.experiments.probes.decode import Decode

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=20)
REVERSAL = Setting("metalocus/ReversalBandit-v0", p=0.8, hazard=0.1, horizon=6)


def found(name, setting=BANDIT, trials=(5, 19), episodes=400):
    return Decode(trials).run(make_named(name, setting.family), setting, episodes, 0)


@pytest.fixture(scope="module")
def results():
    names = ("means_in_state", "means_in_weights", "random_features")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decode, "FIT_EPISODES", 500)
        patch.setattr(raw_history, "WIDE", 300)
        return {name: found(name) for name in names}


# Planted.


@pytest.mark.parametrize(
    ("name", "store"), [("means_in_state", "state"), ("means_in_weights", "weights")]
)
def test_posterior_means_that_a_store_holds_are_decoded_exactly_from_it_and_are_what_is_read(
    results, name, store
):
    """The choice is greedy on them, so that without them it is at chance: all of it is lost."""
    result = results[name]
    assert set(result["decoded"]["mean"]) & {"state", "weights", "context"} == {store}
    assert result["decoded"]["mean"][store][1] == pytest.approx(1.0, abs=1e-9)
    assert result["pooled"]["mean"][store] == pytest.approx(1.0, abs=1e-9)
    assert result["selectivity"][store][1] > 0.8
    assert result["directions"][store][1] <= 4  # the store has 4 numbers, pulls included
    agent = make_named(name, BANDIT.family)
    trace = rollout(agent, fresh_episodes(BANDIT, 400, 0))
    chance, best = trace.means[19].mean(axis=1), trace.means[19].max(axis=1)
    whole = (trace.value[19] - chance).mean() / (best - chance).mean()
    lost = result["lost"][store]["decoded"][1]
    assert lost == pytest.approx(whole, abs=4 * result["lost_se"][store]["decoded"][1])
    random = result["lost"][store]["random"][1]  # as large, along the one direction that is left
    assert random == pytest.approx(0.0, abs=0.02)


def test_wide_random_features_decode_as_well_but_select_nothing_and_are_not_read(results):
    result = results["random_features"]
    assert result["decoded"]["mean"]["state"][1] > 0.95
    assert abs(result["selectivity"]["state"][1]) < 0.05
    assert result["decoded"]["mean"]["state"][1] == pytest.approx(
        result["decoded"]["mean"]["random features"][1], abs=0.03
    )
    for of in ("decoded", "random"):
        assert result["lost"]["state"][of] == [0.0, 0.0]


def test_shuffled_tasks_give_nothing_and_the_baselines_are_the_raw_history(results):
    for result in results.values():
        for kept, (_, r2) in result["shuffled"].items():
            assert r2 < 0.02, kept
    last = results["means_in_state"]["decoded"]["mean"]["last trial"][1]
    assert 0.4 < last < 0.65  # the last action was chosen by the means: the efference copy
    narrow = results["means_in_state"]["decoded"]["mean"]["history"][1]
    assert narrow < 0.6 < results["random_features"]["decoded"]["mean"]["history"][1]


def test_an_untrained_network_decodes_and_loses_nothing(monkeypatch):
    monkeypatch.setattr(decode, "FIT_EPISODES", 300)
    env = BatchVecEnv(BANDIT.env, 1, **BANDIT.kwargs)
    policy = {"cell": "gru", "cell_kwargs": {"hidden_size": 24}}
    model = SequencePPO("SequencePolicy", env, policy_kwargs=policy, seed=1)
    agent = TrainedAgent(model.policy, BANDIT.layout)
    result = Decode([19]).run(agent, BANDIT, 200, 0)
    decoded = result["decoded"]["mean"]
    assert decoded["state"][0] > 0.75
    assert decoded["untrained"][0] == pytest.approx(decoded["all"][0], abs=0.1)
    assert abs(result["lost"]["state"]["decoded"][0]) < 0.05
    own, fresh = agent.parameters(), untrained(agent).parameters()
    assert {k: p.shape for k, p in own.items()} == {k: p.shape for k, p in fresh.items()}
    assert not any(np.array_equal(own[k], fresh[k]) for k in own if "weight" in k)


# Pieces.


def test_ridge_is_scikit_learns_and_its_penalty_that_of_least_error_on_whole_episodes():
    rng = np.random.default_rng(0)
    x, noise = rng.normal(size=(3, 10, 8)) * np.arange(1, 9), rng.normal(size=(3, 10, 2))
    x -= x.mean(axis=1, keepdims=True)
    y = x[..., :2] @ np.ones((2, 2)) + 5.0 * noise
    y -= y.mean(axis=1, keepdims=True)
    ridge = Ridge(x, y, {"one": slice(0, 1), "two": slice(1, 2)}, most=8)
    rows, episodes = x.reshape(-1, 8), np.tile(np.arange(10), 3)
    variance = rows.var(axis=0).sum() / 8
    for q in range(2):
        errors, fits = [], []
        for penalty in 30 * variance * np.logspace(-10, 2, 13):
            model = SklearnRidge(alpha=penalty, fit_intercept=False)
            held_out = cross_val_predict(
                model, rows, y[..., q].ravel(), groups=episodes, cv=GroupKFold(10)
            )
            errors.append(((held_out - y[..., q].ravel()) ** 2).sum())
            fits.append(model.fit(rows, y[..., q].ravel()).coef_)
        np.testing.assert_allclose(
            ridge.directions @ ridge.weights[:, q], fits[int(np.argmin(errors))], rtol=1e-8
        )


def test_principal_directions_of_few_rows_are_those_of_many_columns():
    rows = np.random.default_rng(1).normal(size=(9, 5))
    for x in (rows, rows.T):
        directions, spread = principal(x, 4)
        _, sizes, right = np.linalg.svd(x)
        np.testing.assert_allclose(spread, sizes[:4] / np.sqrt(len(x)))
        np.testing.assert_allclose(np.abs((directions * right[:4].T).sum(axis=0)), 1.0)


def test_vectors_hold_all_that_differs_and_give_the_stores_back():
    rng = np.random.default_rng(0)
    stores = Stores(
        state={"h": rng.normal(size=(7, 2, 3)).astype(np.float32), "still": np.ones((7, 2))},
        weights={"w": 1e6 * rng.normal(size=(7, 2))},
        context={"action": np.array([0, 2, 1, 0, 2, 1, 1]), "won": rng.random(7) < 0.5},
    )
    vectors = Vectors([stores])
    x = vectors.of(stores)
    assert x.shape == (7, 6 + 2 + 3 + 2)
    np.testing.assert_allclose((x**2).mean(axis=0).reshape(-1)[:6].mean(), 1.0, rtol=1e-5)
    np.testing.assert_allclose((x**2).mean(axis=0)[6:8].mean(), 1.0)
    back = vectors.back(x, stores)
    for store in ("state", "weights", "context"):
        for key, array in getattr(stores, store).items():
            after = getattr(back, store)[key]
            assert after.dtype == array.dtype
            np.testing.assert_allclose(after, array, rtol=1e-5)
    changed = vectors.back(0.0 * x, stores)
    np.testing.assert_array_equal(changed.state["still"], stores.state["still"])
    np.testing.assert_allclose(
        changed.weights["w"], np.tile(stores.weights["w"].mean(axis=0), (7, 1))
    )


def test_what_is_taken_out_is_not_linearly_there_and_nothing_else_is_touched():
    """LEACE (Belrose et al. 2023): no covariance with the target is left. The random change of
    equal norm leaves what is read exactly as it was, and there is none where all is read."""
    rng = np.random.default_rng(2)
    h = rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6))
    y = h[:, :2] + rng.normal(size=(500, 2))
    stores = Stores(state={"h": h})
    whole = {"mean": slice(0, 2)}
    decoder = Decoder([stores], y[None], whole)
    read = decoder.read(slice(0, 2))
    centred = y - y.mean(axis=0)
    without = decoder.without(stores, read).state["h"]
    inside = (without > h.min(axis=0)) & (without < h.max(axis=0))  # numbers stay in their range
    rows = inside.all(axis=1)
    assert rows.mean() > 0.9
    left = np.abs(centred[rows].T @ without[rows]).max() / np.abs(centred.T @ h).max()
    assert left < 0.05
    changed = decoder.without(stores, read, decoder.others(read, rng)).state["h"]
    kept = ((changed > h.min(axis=0)) & (changed < h.max(axis=0))).all(axis=1)
    before, after = (
        decoder.ridge.predict(decoder.vectors.of(Stores(state={"h": each})))[kept]
        for each in (h, changed)
    )
    assert kept.mean() > 0.8
    assert after == pytest.approx(before, abs=1e-9)
    sizes = [np.linalg.norm(each - h, axis=1) for each in (without, changed)]
    assert np.sqrt(np.mean(sizes[1] ** 2) / np.mean(sizes[0] ** 2)) == pytest.approx(1.0, abs=0.1)
    assert decoder.others(np.eye(6), rng).size == 0


def test_the_control_target_gives_each_transition_a_worth_that_is_none_on_average():
    history = RawHistory(BANDIT.family, 4, [0, 1, 5, 19])
    np.testing.assert_allclose(history.worth[2, :5].mean(axis=0), 0.0, atol=1e-15)
    assert np.abs(history.worth[2, :5]).min() > 0.0


def test_the_change_probability_is_that_of_enumerated_hidden_paths():
    """Reversal: all 2^t paths of the good arm, weighted by prior, hazard and likelihood."""
    p, hazard, horizon = 0.8, 0.1, 6
    agent = make_named("filter", REVERSAL.family)
    beliefs, seen, told = Beliefs(agent), [], []

    def observe(trial):
        seen.append(beliefs(trial))
        told.append(trial.last)

    rollout(agent, fresh_episodes(REVERSAL, 40, 3), shadows=[agent], observe=observe)
    paths = np.array(np.meshgrid(*[[0, 1]] * horizon, indexing="ij")).reshape(horizon, -1)
    moves = paths[1:] != paths[:-1]
    for t in range(2, horizon):
        weight = np.where(moves[: t - 1], hazard, 1 - hazard).prod(axis=0)[None]
        for s in range(t):
            action, reward = told[s + 1].action[:, None], told[s + 1].reward[:, None] > 0.5
            right = (action == paths[s]) == reward
            weight = weight * np.where(right, p, 1 - p)
        expected = (weight * moves[t - 2]).sum(axis=1) / weight.sum(axis=1)
        np.testing.assert_allclose(seen[t]["change"][:, 0], expected, rtol=1e-9)
        mean = seen[t - 1]["mean"][np.arange(40), told[t].action]
        np.testing.assert_allclose(seen[t]["error"][:, 0], told[t].reward - mean)


def test_nothing_is_fitted_on_the_reported_episodes(monkeypatch):
    played = []
    monkeypatch.setattr(
        decode,
        "fresh_episodes",
        lambda s, n, seed: played.append(seed) or fresh_episodes(s, n, seed),
    )
    monkeypatch.setattr(decode, "FIT_EPISODES", 30)
    found("wsls", episodes=20)
    assert played == [TUNING_SEED]


def test_the_sentence_names_store_baselines_and_cost(results):
    said = Decode().sentence(results["means_in_weights"])
    assert said.startswith(
        "At trial 19 expected rewards are decoded with R² 1.00 [1.00, 1.00] from weights"
    )
    for part in (
        "selectivity",
        "the last action and reward",
        "taken out of weights",
        "random others",
    ):
        assert part in said
    nothing = Decode([3]).run(make_named("random", BANDIT.family), BANDIT, 20, 0)
    assert Decode().sentence(nothing).startswith("Its stores hold nothing")
