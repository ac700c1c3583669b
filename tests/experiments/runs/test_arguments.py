"""The arguments of agent and training: names, values, what they make of a run's name and title."""

import dataclasses
import json
import re
from inspect import signature

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.algorithm import SequencePPO
from metalocus.agents.ppo.files import read_tensors
from metalocus.agents.ppo.settings import defaults_of
from metalocus.envs import FAMILIES, InvalidTask, Setting
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.folders.folder import WEIGHTS
from metalocus.experiments.porting.exchange import export_run, import_run
from metalocus.experiments.runs.arguments import (
    START,
    agent_defaults,
    argument_values,
    env_defaults,
    train_defaults,
)
from metalocus.experiments.runs.build import build_model, build_policy
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.named import NAMED, setting_called
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.training.train import train

BANDIT = "metalocus/BernoulliBandit-v0"
DRAWN = {
    bool: st.booleans(),
    int: st.integers(1, 10**6),
    float: st.floats(0, 1e6, allow_nan=False),
    str: st.text(max_size=300),
}
ANYTHING = st.one_of(*DRAWN.values(), st.none(), st.lists(st.integers(0, 99), max_size=200))
OTHER_RUN = {"folder": "/elsewhere/lstm-x-00000000-s1", "run": "lstm-x-00000000-s1", "sha256": "0"}
NAME = re.compile(r"[A-Za-z0-9_.-]+-[0-9a-f]{8}-s\d+")


@st.composite
def subsets(draw, defaults):
    """Some of the arguments, of the types of their defaults, or left as they are by default."""
    found = {}
    for name in draw(st.lists(st.sampled_from(sorted(defaults)), unique=True)):
        default = defaults[name]
        as_by_default = default is None or isinstance(default, bool | int | float | str | list)
        drawn = DRAWN.get(type(default), ANYTHING)
        found[name] = draw(st.just(default) | drawn if as_by_default else drawn)
    return found


@st.composite
def configs(draw):
    """Runs with any subset of the arguments of environment, agent and training."""
    env, agent = draw(st.sampled_from(sorted(FAMILIES))), draw(st.sampled_from(sorted(TRAINABLES)))
    setting = Setting(env, **draw(st.sampled_from([{}, *FAMILIES[env].examples])))
    own = draw(subsets(agent_defaults(TRAINABLES[agent], setting.layout)))
    numbers = draw(st.integers(0, 10**9)), draw(st.integers(0, 2**32 - 1)), draw(st.integers(1, 99))
    kept = {name: value for name, value in train_defaults("rl").items() if name != START}
    training = draw(subsets(kept)) | draw(st.sampled_from([{}, {START: OTHER_RUN}]))
    return RunConfig(setting, agent, *numbers, "cpu", own, training)


@settings(max_examples=60, deadline=None)
@given(configs())
def test_any_arguments_survive_their_file_and_give_one_name(config):
    again = RunConfig.from_json(config.to_json())
    assert (again, again.name_under("x"), again.title) == (
        *(config, config.name_under("x"), config.title),
    )
    name = config.name_under("x")
    assert NAME.fullmatch(name)
    assert len(name) < 200
    assert json.loads(config.to_json())["agent_kwargs"] == config.agent_kwargs
    env, agent, training = config.differing()
    bare = dataclasses.replace(
        config,
        setting=Setting(config.setting.env, **env),
        agent_kwargs=agent,
        train_kwargs=training,
    )
    assert (bare.name_under("x"), bare.title) == (name, config.title)
    for field, own in (("agent_kwargs", agent), ("train_kwargs", training)):
        for argument in own:
            less = {key: value for key, value in own.items() if key != argument}
            assert dataclasses.replace(bare, **{field: less}).name_under("x") != name


def test_arguments_given_as_by_default_change_nothing():
    for name, agent in TRAINABLES.items():
        setting = Setting(BANDIT, n_arms=3)
        plain = RunConfig(setting, name, 0, 1, 4)
        whole = Setting(BANDIT, **env_defaults(setting) | setting.kwargs)
        trained = {key: value for key, value in train_defaults("rl").items() if not callable(value)}
        given = dataclasses.replace(
            plain,
            setting=whole,
            agent_kwargs=agent_defaults(agent, setting.layout),
            train_kwargs=trained,
        )
        require_possible(given)
        assert (given.name, given.title) == (plain.name, plain.title)
        assert given.setting != plain.setting
        weights = build_policy(plain).state_dict()
        assert {key: value.shape for key, value in weights.items()} == {
            key: value.shape for key, value in build_policy(given).state_dict().items()
        }


def test_every_argument_of_training_reaches_the_model(tiny):
    """All that SequencePPO takes, but for what the run decides."""
    changed = {
        **{"learning_rate": 0.5, "gamma": 0.25, "gae_lambda": 0.125, "ent_coef": 2.0},
        **{"n_steps": 10, "batch_size": 20, "n_minibatches": 3, "n_epochs": 2, "vf_coef": 0.75},
        **{
            "all_action_coef": 0.0,
            "prediction_coef": 0.5,
            "scale_rewards": False,
            "center_advantages": False,
        },
        **{"clip_range": 0.1, "clip_range_vf": 0.3, "normalize_advantage": False},
        **{"max_grad_norm": 7.0, "target_kl": 0.01, "stats_window_size": 3},
    }
    assert changed.keys() == train_defaults("rl").keys() - {START}
    assert signature(SequencePPO).parameters.keys() - changed.keys() == {
        *("policy", "env", "rollout_buffer_class", "device", "_init_setup_model", "kwargs")
    }
    config = dataclasses.replace(
        tiny, train_kwargs=changed, agent_kwargs={"action_values": False, "critic": "separate"}
    )
    require_possible(config)
    assert config.rollout == 40
    model = build_model(config)
    for name, value in changed.items():
        held = getattr(model, "_stats_window_size" if name == "stats_window_size" else name)
        assert (held(1.0) if callable(held) else held) == value, name
    assert model.policy.critic_cell is not None


def test_every_argument_of_an_agent_reaches_its_network():
    changed = {
        **{"hidden_size": 8, "n_layers": 3, "plastic_size": 4, "key_size": 4, "window": 5},
        **{"n_heads": 1, "head_size": 4, "adapts": "head", "second_order": False, "ticks": 2},
        **{"memory_size": 3, "others": False, "longest": 20.0},
        **{"decay": 0.5, "input_bound": 1.0, "alpha": 0.2, "identity": 0.25},
        **{"critic": "separate", "action_values": False, "net_arch": [5], "ortho_init": False},
    }
    seen = set()
    for name, agent in TRAINABLES.items():
        setting = Setting(BANDIT)
        plain = RunConfig(setting, name, 0, 1, 4)
        for argument in agent_defaults(agent, setting.layout):
            config = dataclasses.replace(plain, agent_kwargs={argument: changed[argument]})
            require_possible(config)
            policy = build_policy(config)
            held = {**policy.cell_kwargs, **{key: getattr(policy, key) for key in vars(policy)}}
            assert held[argument] == changed[argument] or argument == "net_arch"
            seen.add(argument)
    assert seen == changed.keys()
    heads = RunConfig(Setting(BANDIT), "lstm", 0, 1, 4, agent_kwargs={"net_arch": [5]})
    assert build_policy(heads).action_net.in_features == 5


def test_what_cannot_be_is_refused_before_anything_is_written(tiny, tmp_path):
    agent = (
        ({"hiden_size": 32}, "argument of lstm 'hiden_size'; did you mean 'hidden_size'?"),
        ({"max_length": 5}, "unknown argument of lstm"),
        ({"hidden_size": 0}, "hidden_size must be a whole number of at least 1, got 0"),
        ({"hidden_size": True}, "hidden_size must be a whole number, got True"),
        ({"hidden_size": 32.0}, "hidden_size must be a whole number, got 32.0"),
        ({"hidden_size": "many"}, "hidden_size must be a whole number, got 'many'"),
        ({"hidden_size": 10**7}, "weights of lstm would take .* GiB"),
        ({"hidden_size": 10**30}, "hidden_size must be at most"),
        ({"net_arch": [10**9]}, "weights of lstm would take .* GiB"),
        ({"longest": 1}, "longest must be a finite number of at least 2, got 1"),
        ({"net_arch": "wide"}, "net_arch must be a list of sizes"),
        ({"critic": "none"}, "critic must be one of"),
        ({"action_values": 1}, "action_values must be True or False, got 1"),
        ({"hidden_size": {1, 2}}, "agent_kwargs must be"),
    )
    training = (
        ({"learning_rat": 1}, "argument of training 'learning_rat'; did you mean 'learning_rate'"),
        ({"seed": 1}, "unknown argument of training 'seed'"),
        ({"learning_rate": -1}, "learning_rate must be"),
        ({"learning_rate": "linear"}, "learning_rate must be"),
        ({"gamma": 1.5}, "gamma must be at most 1"),
        ({"n_epochs": 1.5}, "n_epochs must be"),
        ({"batch_size": 0}, "^batch_size must be"),
        ({"n_steps": -1}, "^n_steps must be"),
        ({"n_steps": 10**12}, "more than .* allowed"),
        ({"n_steps": 10**7}, "GiB of memory"),
        ({"clip_range_vf": 0.2}, "set action_values=False too"),
        ({"learning_rate": lambda _: 0.1}, "train_kwargs must be"),
    )
    for field, cases in (("agent_kwargs", agent), ("train_kwargs", training)):
        for arguments, reason in cases:
            with pytest.raises(InvalidTask, match=reason) as raised:
                train(dataclasses.replace(tiny, **{field: arguments}), tmp_path / "out")
            assert len(str(raised.value).splitlines()) == 1
            assert not (tmp_path / "out").exists(), arguments


def test_trying_a_run_out_leaves_random_numbers_as_they_are(tiny):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    require_possible(dataclasses.replace(tiny, agent_kwargs={"hidden_size": 8}))
    assert torch.equal(torch.rand(3), expected)


def test_runs_with_arguments_are_trained_exported_imported_and_loaded(tiny, brief, tmp_path):
    arguments = {"hidden_size": 6, "n_layers": 2, "critic": "separate"}
    config = dataclasses.replace(
        tiny, agent_kwargs=arguments, train_kwargs={"gamma": 0.5, "n_epochs": 2}
    )
    folder = train(config, tmp_path / "runs")
    assert "hidden_size_6-n_layers_2-critic_separate-n_epochs_2-gamma_0.5" in folder.name
    agent, read = load_agent(folder)
    assert read == config
    assert agent.policy.cell.output_size == 6
    export_run(folder, tmp_path / "run.zip")
    again = import_run(tmp_path / "run.zip", tmp_path / "elsewhere")
    assert again.name == folder.name
    assert load_agent(again)[1] == config
    for name, tensor in read_tensors(folder / WEIGHTS)[0].items():
        assert torch.equal(read_tensors(again / WEIGHTS)[0][name], tensor)
    model = SequencePPO.load(tmp_path / "run.zip", BatchVecEnv(BANDIT, 4, horizon=5))
    assert (model.gamma, model.n_epochs) == (0.5, 2)


def test_titles_are_for_people():
    config = RunConfig(
        Setting(BANDIT, n_arms=5),
        *("lstm", 1000, 3, 8, "cpu", {"hidden_size": 32}, {"learning_rate": 1e-3}),
    )
    assert config.title == (
        "lstm, hidden_size 32 · BernoulliBandit-v0, n_arms 5 · learning_rate 0.001 · seed 3"
    )
    rules = Setting("metalocus/RuleSwitching-v0", n_tasks=3)
    assert RunConfig(rules, "mlp", 0, 0, 8).title == "mlp · RuleSwitching-v0, n_tasks 3 · seed 0"
    for setting in NAMED.values():
        found = RunConfig(Setting(setting.env, **setting.kwargs), "gru", 9, 1, 8)
        assert found.title == f"gru · {setting.title} · seed 1"


def test_settings_are_found_by_their_short_name_or_by_their_id():
    for name, setting in NAMED.items():
        assert setting_called(name) is setting
    found = setting_called(BANDIT, n_arms=7)
    assert (found, found.name) == (Setting(BANDIT, n_arms=7), "bernoullibandit-v0")
    assert found.title == "BernoulliBandit-v0, n_arms 7"
    cases = (
        ("bandi", {}, "unknown setting 'bandi'; did you mean 'bandit'"),
        ("metalocus/BernouliBandit-v0", {}, "did you mean 'metalocus/BernoulliBandit-v0'"),
        ("bandit", {"n_arms": 3}, "takes no arguments"),
        (BANDIT, {"arms": 3}, "no argument 'arms'"),
        (BANDIT, {"n_arms": 0}, "n_arms must be"),
    )
    for name, kwargs, reason in cases:
        with pytest.raises(InvalidTask, match=reason):
            setting_called(name, **kwargs)


@given(data=st.data())
def test_no_size_of_any_network_is_below_one(data):
    """In our words, whatever torch would have said, or let pass; 0 where that is the default."""
    agent = data.draw(st.sampled_from(sorted(TRAINABLES)))
    defaults = agent_defaults(TRAINABLES[agent], Setting(BANDIT).layout)
    sizes = sorted(name for name, value in defaults.items() if type(value) is int)
    name = data.draw(st.sampled_from([*sizes, "net_arch"]))
    least = min(1, defaults_of(TRAINABLES[agent].cell).get(name, 1))
    below = value = data.draw(st.integers(-3, least - 1) | st.integers(max_value=least - 1))
    if name == "net_arch":
        layers = data.draw(st.lists(st.integers(1, 9), max_size=2))
        layers.insert(data.draw(st.integers(0, len(layers))), below)
        value = data.draw(st.sampled_from([layers, {"pi": [3], "vf": layers}, {"pi": layers}]))
    config = RunConfig(Setting(BANDIT), agent, 0, 0, 2, agent_kwargs={name: value})
    with pytest.raises(InvalidTask) as caught:
        require_possible(config)
    said = "every size in net_arch" if name == "net_arch" else name
    message = f"{said} must be a whole number of at least {least}, got "
    assert str(caught.value).startswith(message)
    assert below < -(10**40) or str(caught.value) == f"{message}{below}"


def test_heads_are_sizes_of_layers():
    for heads in ([], [4], [4, 4], {"pi": [], "vf": [3]}, {"vf": [3]}, None):
        require_possible(
            RunConfig(Setting(BANDIT), "lstm", 0, 0, 2, agent_kwargs={"net_arch": heads})
        )
    for heads in ("64", 5, True, [[4]], [4.0], {"pi": 4}, {"actor": [4]}, {"pi": "x"}):
        config = RunConfig(Setting(BANDIT), "lstm", 0, 0, 2, agent_kwargs={"net_arch": heads})
        with pytest.raises(InvalidTask, match=r"^(net_arch must be|every size in net_arch must)"):
            require_possible(config)


def test_the_table_of_arguments_is_the_same_where_little_is_shown():
    """Some agents cannot play what hides the last action; that is no reason for others to fail."""
    everything = Setting("metalocus/BernoulliBandit-v0").layout
    little = Setting("metalocus/BernoulliBandit-v0", observe=("reward", "first")).layout
    lstm = TRAINABLES.find("lstm")
    told = [list(argument_values(lstm, layout, {}, "rl", {})) for layout in (everything, little)]
    assert told[0] == told[1]
