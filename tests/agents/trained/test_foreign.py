"""Models of other libraries as agents: what they do, what they carry, and what is refused."""

import json
import zipfile

import gymnasium
import numpy as np
import pytest
import torch
from sb3_contrib import QRDQN, TRPO, RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.env_util import make_vec_env

from metalocus.agents.agent import NonFinite
from metalocus.agents.ppo.files import Corrupt
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.foreign import ALGORITHMS, ForeignAgent, load_foreign
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv

SETTING = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=6)
TIMED = Setting("metalocus/ReversalBandit-v0", horizon=6, cued=True, observe=["stimulus", "time"])
SHORT = {"n_steps": 16, "batch_size": 16}
MADE = {
    "PPO": lambda env: PPO("MlpPolicy", env, **SHORT),
    "A2C": lambda env: A2C("MlpPolicy", env),
    "DQN": lambda env: DQN("MlpPolicy", env, learning_starts=10, policy_kwargs={"net_arch": [16]}),
    "QRDQN": lambda env: QRDQN("MlpPolicy", env, learning_starts=10),
    "RecurrentPPO": lambda env: RecurrentPPO(
        "MlpLstmPolicy", env, **SHORT, policy_kwargs={"n_lstm_layers": 2, "lstm_hidden_size": 5}
    ),
}


@pytest.fixture(scope="module", params=MADE)
def model(request):
    """A model of each kind after a little training, with its name."""
    torch.manual_seed(0)
    env = BatchVecEnv(SETTING.env, 4, seed=0, **SETTING.kwargs)
    return request.param, MADE[request.param](env).learn(128)


@pytest.fixture(scope="module")
def loaded(model, tmp_path_factory):
    """The agent of its zip."""
    name, trained = model
    path = tmp_path_factory.mktemp("foreign") / "model.zip"
    trained.save(path)
    return load_foreign(path, name, SETTING)


def predicted(model, trace, greedy):
    """The model's own choices on the episodes of a trace, through its own ``predict``."""
    layout, (steps, n) = SETTING.layout, trace.action.shape
    state, starts, chosen = None, np.ones(n, dtype=bool), []
    action, reward = np.full(n, -1), np.zeros(n)
    for t in range(steps):
        obs = layout.encode(np.zeros((n, 0)), action, reward, np.full(n, t))
        picked, state = model.predict(obs, state, starts, deterministic=greedy)
        chosen.append(picked)
        action, reward, starts = trace.action[t], trace.reward[t], np.zeros(n, dtype=bool)
    return np.array(chosen)


def test_all_algorithms_are_tried():
    assert set(MADE) == set(ALGORITHMS)


def test_weights_that_are_not_finite_are_refused_by_name(model):
    """The highest value among NaN would be that of the first action."""
    policy = model[1].policy
    name, weights = list(policy.named_parameters())[-1]
    kept = weights.detach().clone()
    with torch.no_grad():
        weights[0] = torch.nan
        with pytest.raises(NonFinite, match=f"the weights {name} are not finite"):
            ForeignAgent(policy, SETTING.layout)
        weights.copy_(kept)


def test_it_chooses_as_the_model_itself(model, loaded):
    trace = rollout(loaded, fresh_episodes(SETTING, 40, 0), greedy=True)
    np.testing.assert_array_equal(trace.action, predicted(model[1], trace, True))


def test_stochastic_policies_have_the_models_probabilities(model, loaded):
    name, trained = model
    if name in ("DQN", "QRDQN"):
        assert set(np.unique(rollout(loaded, fresh_episodes(SETTING, 9, 0)).probs)) == {0.0, 1.0}
        return
    trace = rollout(loaded, fresh_episodes(SETTING, 3000, 0))
    drawn = predicted(trained, trace, False)
    for arm in range(3):
        expected = trace.probs[..., arm].mean()
        assert (drawn == arm).mean() == pytest.approx(expected, abs=4 * (0.25 / drawn.size) ** 0.5)


def test_what_it_carries_is_in_the_stores(model, loaded):
    start = loaded.start(7, np.random.default_rng(0))
    assert {key: value.shape for key, value in start.state.items()} == (
        {"h": (7, 2, 5), "c": (7, 2, 5)} if model[0] == "RecurrentPPO" else {}
    )
    assert set(start.context) == {"action", "reward", "trial"}
    assert not start.weights


def test_permuted_stores_permute_the_choices(loaded):
    """Nothing about an episode is kept outside its stores."""
    order = np.array([2, 0, 4, 1, 3])
    seen = []
    rollout(loaded, fresh_episodes(SETTING, 5, 0), observe=lambda trial: seen.append(trial))
    for trial in seen:
        probs, _ = loaded.act(trial.shown[order], trial.stores.rows(order))
        np.testing.assert_allclose(probs, trial.probs[order], atol=1e-6)


def test_the_weights_are_those_of_the_model(model, loaded):
    for name, parameter in model[1].policy.named_parameters():
        np.testing.assert_array_equal(loaded.parameters()[name], parameter.detach().numpy())


def test_gymnasium_environments_and_other_parts_of_the_observation(tmp_path):
    env = make_vec_env(TIMED.env, 2, env_kwargs=dict(TIMED.kwargs))
    PPO("MlpPolicy", env, **SHORT).save(tmp_path / "model.zip")
    agent = load_foreign(tmp_path / "model.zip", "PPO", TIMED)
    assert set(agent.start(1, np.random.default_rng(0)).context) == {"trial"}
    rollout(agent, fresh_episodes(TIMED, 5, 0))


def test_activation_functions_are_read_without_unpickling(tmp_path):
    env = BatchVecEnv(SETTING.env, 2, **SETTING.kwargs)
    kwargs = {"activation_fn": torch.nn.ReLU, "net_arch": [8]}
    model = PPO("MlpPolicy", env, **SHORT, policy_kwargs=kwargs)
    model.save(tmp_path / "model.zip")
    agent = load_foreign(tmp_path / "model.zip", "PPO", SETTING)
    trace = rollout(agent, fresh_episodes(SETTING, 40, 0), greedy=True)
    np.testing.assert_array_equal(trace.action, predicted(model, trace, True))


def test_nothing_is_unpickled(tmp_path, monkeypatch):
    MADE["A2C"](BatchVecEnv(SETTING.env, 2, **SETTING.kwargs)).save(tmp_path / "model.zip")
    for name in ("load", "loads"):
        monkeypatch.setattr(f"cloudpickle.{name}", pytest.fail)
    load_foreign(tmp_path / "model.zip", "A2C", SETTING)


def zipped(path, **entries):
    """A zip of the entries."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name.replace("_pth", ".pth"), content)
    return path


def test_a_model_of_another_task_with_as_many_observations_and_actions_is_refused(tmp_path):
    PPO("MlpPolicy", gymnasium.make("CartPole-v1"), **SHORT).save(tmp_path / "cart.zip")
    bandit = Setting("metalocus/BernoulliBandit-v0", n_arms=2)
    with pytest.raises(InvalidTask, match=r"low bounds are -4\.8 -inf .*, those of .* are 0\. 0\."):
        load_foreign(tmp_path / "cart.zip", "PPO", bandit)
    PPO("MlpPolicy", gymnasium.make(bandit.env, n_arms=2), **SHORT).save(tmp_path / "own.zip")
    load_foreign(tmp_path / "own.zip", "PPO", bandit)


def test_wrong_use_is_one_line(tmp_path):
    PPO("MlpPolicy", BatchVecEnv(SETTING.env, 2, **SETTING.kwargs), **SHORT).save(
        tmp_path / "m.zip"
    )
    file, other = tmp_path / "m.zip", Setting(SETTING.env, n_arms=5)
    no_zip = tmp_path / "text"
    no_zip.write_text("no zip")
    data = json.dumps({"policy_kwargs": {}})
    cases = [
        ((file, "PPPO", SETTING), InvalidTask, "unknown algorithm 'PPPO'; did you mean 'PPO'"),
        ((file, "PPO", SETTING, "MlpLstmPolicy"), InvalidTask, "unknown policy of PPO"),
        ((file, "PPO", SETTING, None, {"layers": 3}), InvalidTask, "does not take the arguments"),
        ((file, "PPO", SETTING, None, {"net_arch": [3]}), Corrupt, "do not fit MlpPolicy"),
        ((file, "PPO", other), Corrupt, "do not fit MlpPolicy on metalocus/BernoulliBandit-v0"),
        ((file, "DQN", SETTING), Corrupt, "do not fit MlpPolicy"),
        ((tmp_path / "nowhere.zip", "PPO", SETTING), Corrupt, "does not exist"),
        ((no_zip, "PPO", SETTING), Corrupt, "is not a zip written by"),
        ((zipped(tmp_path / "a", data=data), "PPO", SETTING), Corrupt, "is not a zip written by"),
        (
            (zipped(tmp_path / "b", data=data, policy_pth="x"), "PPO", SETTING),
            Corrupt,
            "is not a zip written by",
        ),
    ]
    for args, error, reason in cases:
        with pytest.raises(error) as raised:
            load_foreign(*args)
        assert reason in str(raised.value), args
        assert len(str(raised.value).splitlines()) == 1


def test_other_policies_are_refused(model):
    env = BatchVecEnv(SETTING.env, 2, **SETTING.kwargs)
    with pytest.raises(InvalidTask, match="the setting has"):
        ForeignAgent(model[1].policy, Setting(SETTING.env, n_arms=4).layout)
    assert ForeignAgent(TRPO("MlpPolicy", env).policy, SETTING.layout)  # an actor-critic policy
