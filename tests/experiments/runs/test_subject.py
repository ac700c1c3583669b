"""What a person names to be measured: runs, zips of SB3's family, agents without training."""

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO

from metalocus.agents.agent import Stores
from metalocus.agents.catalogue import make_named
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import Corrupt
from metalocus.agents.rollout import fresh_episodes, rollout
from metalocus.agents.trained.foreign import ForeignAgent
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.folders.folder import NotARun
from metalocus.experiments.porting.exchange import export_run
from metalocus.experiments.probes.measure import measure
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.subject import find_subject

SETTING = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=6)


def env(n=4):
    return BatchVecEnv(SETTING.env, n, seed=0, **SETTING.kwargs)


@pytest.fixture(scope="module")
def zips(tmp_path_factory):
    """Untrained models of both kinds, and their zips, by algorithm."""
    torch.manual_seed(0)
    lstm = {"lstm_hidden_size": 5, "enable_critic_lstm": False}
    models = {
        "RecurrentPPO": RecurrentPPO("MlpLstmPolicy", env(), n_steps=8, policy_kwargs=lstm),
        "SequencePPO": SequencePPO("SequencePolicy", env(), policy_kwargs={"cell": "gru"}),
    }
    folder = tmp_path_factory.mktemp("zips")
    for name, model in models.items():
        model.save(folder / f"{name}.zip")
    return {name: (model, folder / f"{name}.zip") for name, model in models.items()}


def played(agent):
    return rollout(agent, fresh_episodes(SETTING, 5, 0), 0).probs


def test_a_run_is_measured_on_all_of_its_tasks(finished, tiny):
    found, (agent, config) = find_subject(finished), load_agent(finished)
    assert (found.name, found.title, found.folder) == ("lstm", config.title, finished)
    assert found.setting == tiny.setting.whole()
    assert found.parameters == sum(p.numel() for p in agent.policy.parameters())


def test_zips_are_the_models_that_were_saved(zips):
    """Their choices are those of the model in memory, and they carry what it carries."""
    (recurrent, foreign), (own, path) = zips["RecurrentPPO"], zips["SequencePPO"]
    his = find_subject(foreign, SETTING, "RecurrentPPO")
    expected = ForeignAgent(recurrent.policy, SETTING.layout)
    np.testing.assert_array_equal(played(his.agent), played(expected))
    assert set(his.agent.start(2, np.random.default_rng(0)).state) == {"h", "c"}
    mine = find_subject(str(path), SETTING, "SequencePPO")
    expected = TrainedAgent(own.policy, SETTING.layout)
    np.testing.assert_array_equal(played(mine.agent), played(expected))
    assert "SequencePPO.zip" in mine.title
    fixed = Setting(SETTING.env, **SETTING.kwargs, n_tasks=2)
    assert find_subject(path, fixed, "SequencePPO").setting == SETTING


def test_names_are_of_references_rules_and_controls():
    for name in ("thompson", "policy_gradient", "counts_in_state"):
        found = find_subject(name, SETTING)
        assert type(found.agent) is type(make_named(name, SETTING.family))
        assert (found.name, found.setting, found.parameters) == (name, SETTING, 0)
        assert isinstance(found.agent.start(1, np.random.default_rng(0)), Stores)


def test_what_does_not_fit_together_is_refused_in_one_line(zips, finished, tmp_path):
    foreign, own = zips["RecurrentPPO"][1], zips["SequencePPO"][1]
    other, exported = Setting("metalocus/TwoStep-v0"), tmp_path / "exported.zip"
    export_run(finished, exported)
    for arguments, error, said in (
        (("nowhere",), NotARun, "nowhere is not a run directory"),
        (("thomson", SETTING), NotARun, "did you mean 'thompson'"),
        ((tmp_path,), NotARun, "is not a run directory"),
        (("thompson",), WrongUse, "--env"),
        (("thompson", SETTING, "PPO"), WrongUse, "no file"),
        (("kalman_ucb", SETTING), InvalidTask, "cannot play"),
        (("thompson", Setting(SETTING.env, n_tasks=0)), InvalidTask, "n_tasks"),
        ((finished, SETTING), WrongUse, "leave out --env"),
        ((finished, None, "PPO"), WrongUse, "no file"),
        ((exported,), WrongUse, "`metalocus import .*exported.zip` makes it a run again"),
        ((foreign,), WrongUse, "--algo .* and --env"),
        ((foreign, SETTING), WrongUse, "add --algo"),
        ((foreign, None, "RecurrentPPO"), WrongUse, "add --env"),
        ((foreign, SETTING, "RecurentPPO"), InvalidTask, "did you mean 'RecurrentPPO'"),
        ((foreign, SETTING, "SequencePPO"), Corrupt, "not written by SequencePPO"),
        ((own, other, "SequencePPO"), Corrupt, "does not fit"),
        ((own, SETTING, "SequencePPO", "MlpPolicy"), WrongUse, "leave out --policy"),
        ((own, SETTING, "PPO"), (InvalidTask, Corrupt), "cell"),
    ):
        with pytest.raises(error, match=said) as raised:
            find_subject(*arguments)
        assert "\n" not in str(raised.value)


def test_only_policies_of_ours_have_other_forms(zips):
    """A zip of SequencePPO is one, as a run is."""
    own = find_subject(zips["SequencePPO"][1], SETTING, "SequencePPO")
    assert measure(own, "carry", 8, rewritten=True)["agent"] == "SequencePPO, rewritten"
    foreign = find_subject(zips["RecurrentPPO"][1], SETTING, "RecurrentPPO")
    for subject in (foreign, find_subject("thompson", SETTING)):
        for form in ({"rewritten": True}, {"rate": 0.1}):
            with pytest.raises(WrongUse, match="trained"):
                measure(subject, "carry", 8, **form)
