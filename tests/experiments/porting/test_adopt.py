"""Models that were trained elsewhere become runs with the same choices; else one line says why."""

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.utils import LinearSchedule

from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.foreign import ForeignAgent
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.porting.adopt import adopt
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.records import is_done, load_manifest

SETTING = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=6)


@pytest.fixture
def env():
    return BatchVecEnv(SETTING.env, 4, seed=0, **SETTING.kwargs)


def played(agent):
    """Probabilities of 20 episodes."""
    return rollout(agent, fresh_episodes(SETTING, 20, 0), 0).probs


def shaken(model):
    """The model with random weights of some size, so that its choices depend on what it saw."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.normal_(std=0.5)
    return model


@pytest.mark.filterwarnings("ignore:.*made by other code:UserWarning")
def test_recurrent_ppo_becomes_an_lstm_with_equal_probabilities(env, tmp_path):
    for i, kwargs in enumerate(
        (
            {"lstm_hidden_size": 5, "n_lstm_layers": 2},
            {"lstm_hidden_size": 4, "shared_lstm": True, "enable_critic_lstm": False},
            {"lstm_hidden_size": 4, "net_arch": {"pi": [], "vf": [3]}},
        )
    ):
        model = shaken(RecurrentPPO("MlpLstmPolicy", env, n_steps=8, policy_kwargs=kwargs, seed=3))
        model.save(tmp_path / f"{i}.zip")
        with pytest.warns(UserWarning, match="is not carried over"):
            folder = adopt(tmp_path / f"{i}.zip", tmp_path, "RecurrentPPO", SETTING)
        agent, config = load_agent(folder)
        assert (config.agent, config.steps, config.seed, config.n_envs) == ("lstm", 0, 3, 4)
        expected = played(ForeignAgent(model.policy, SETTING.layout))
        np.testing.assert_allclose(played(agent), expected, atol=1e-6)
        assert expected.std(axis=1).max() > 0.01, "choices depend on what was seen"
        obs, mine = torch.zeros(1, SETTING.layout.size), agent.policy
        value = mine.predict_values(obs, mine.initial_carry(1), torch.ones(1))
        zeros = tuple(torch.zeros(mine.cell.initial(1)["h"].transpose(0, 1).shape) for _ in "hc")
        his = model.policy.predict_values(obs, zeros, torch.ones(1))
        assert value.item() == pytest.approx(his.item(), abs=1e-5)


@pytest.mark.filterwarnings("ignore:.*made by other code:UserWarning")
def test_sequence_ppo_becomes_a_run_with_its_arguments(env, tmp_path):
    kwargs = {"cell": "gru", "cell_kwargs": {"hidden_size": 7}, "critic": "separate"}
    model = SequencePPO(
        "SequencePolicy", env, policy_kwargs=kwargs, n_epochs=2, learning_rate=0.01, seed=5
    )
    shaken(model).save(tmp_path / "own.zip")
    folder = adopt(tmp_path / "own.zip", tmp_path, "SequencePPO", SETTING)
    agent, config = load_agent(folder)
    assert config.agent == "gru"
    assert config.differing()[1] == {"hidden_size": 7, "critic": "separate"}
    assert config.differing()[2] == {"learning_rate": 0.01, "n_epochs": 2}
    np.testing.assert_array_equal(played(agent), played(TrainedAgent(model.policy, SETTING.layout)))


def test_an_imported_run_is_never_taken_for_one_trained_here(env, tmp_path):
    """Nor is one imported model for another; the same one is not imported twice."""
    folders = []
    for seed in (0, 1):
        model = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "lstm"}, seed=0)
        torch.manual_seed(seed)
        with torch.no_grad():
            model.policy.action_net.bias.normal_()
        model.save(tmp_path / "own.zip")
        folders.append(adopt(tmp_path / "own.zip", tmp_path / "runs", "SequencePPO", SETTING))
        assert is_done(folders[-1])
    config = load_agent_quietly(folders[0])
    assert len({config.name, *(folder.name for folder in folders)}) == 3
    assert isinstance(config, RunConfig)
    assert load_manifest(folders[0])["imported"] == "own.zip"
    with pytest.raises(WrongUse, match="exists"):
        adopt(tmp_path / "own.zip", tmp_path / "runs", "SequencePPO", SETTING)


def test_import_on_the_command_line(env, tmp_path, call, document):
    path, out = tmp_path / "own.zip", tmp_path / "runs"
    shaken(SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "lstm"})).save(path)
    what = f"--env {SETTING.env} --env-kwargs n_arms=3 horizon=6"
    code, folder, err = call(f"import {path} --algo SequencePPO {what} --out {out}")
    assert (code, err) == (0, "")
    with pytest.warns(UserWarning, match="made by other code"):
        imported = document("probe --probe carry --episodes 8 --json", folder.strip())
    zipped = document(f"probe {path} --algo SequencePPO {what} --probe carry --episodes 8 --json")
    assert imported["kept"] == zipped["kept"]
    for half in (f"--env {SETTING.env}", "--algo SequencePPO", "--env-kwargs n_arms=3"):
        code, _, err = call(f"import {path} {half} --out {out}")
        assert code == 2
        assert "go together" in err


def load_agent_quietly(folder):
    with pytest.warns(UserWarning, match="made by other code"):
        return load_agent(folder)[1]


def test_what_cannot_be_carried_over_is_said_in_one_line(env, tmp_path):
    lstm = {"lstm_hidden_size": 4}
    recurrent = {
        "memory": {**lstm, "enable_critic_lstm": False},
        "ReLU": {**lstm, "activation_fn": torch.nn.ReLU},
    }
    for said, kwargs in recurrent.items():
        RecurrentPPO("MlpLstmPolicy", env, n_steps=8, policy_kwargs=kwargs).save(tmp_path / "r.zip")
        refused(tmp_path, "r.zip", "RecurrentPPO", InvalidTask, said)
    PPO("MlpPolicy", env, n_steps=8, batch_size=8).save(tmp_path / "p.zip")
    refused(tmp_path, "p.zip", "PPO", InvalidTask, "only zips of SequencePPO and RecurrentPPO")
    refused(tmp_path, "p.zip", "SequencePPO", Corrupt, "not written by SequencePPO")
    refused(tmp_path, "nothing.zip", "RecurrentPPO", Corrupt, "does not exist")
    odd = {"cell": "lstm", "inputs": [0, 2]}
    SequencePPO("SequencePolicy", env, policy_kwargs=odd).save(tmp_path / "s.zip")
    refused(tmp_path, "s.zip", "SequencePPO", InvalidTask, r"sees positions \[0, 2\]")
    model = SequencePPO("SequencePolicy", env, policy_kwargs={"cell": "lstm"})
    model.ent_coef = lambda left: left
    model.gae_lambda = LinearSchedule(0.1, 0.2, 1.0)
    model.learning_rate = 0.5
    model.save(tmp_path / "t.zip")
    with pytest.warns(UserWarning, match="schedules are not carried over: ent_coef, gae_lambda$"):
        adopt(tmp_path / "t.zip", tmp_path / "runs", "SequencePPO", SETTING)


def refused(tmp_path, name, algo, error, said):
    with pytest.raises(error, match=said) as raised:
        adopt(tmp_path / name, tmp_path / "runs", algo, SETTING)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "runs").exists()
