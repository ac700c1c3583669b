"""The settings of a run: their name, their file, and what is refused."""

import dataclasses
import json

import pytest

from metalocus.agents.cells.base import TRAINABLES
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.runs.config import RunConfig
from metalocus.experiments.runs.possible import require_possible
from metalocus.experiments.training.train import train

BANDIT = "metalocus/BernoulliBandit-v0"


def test_a_name_is_the_same_in_every_process():
    """A changed hash trains everything anew."""
    config = RunConfig(Setting(BANDIT, n_arms=2), "lstm", 300, 7, 8)
    assert config.name_under("0123456789abcdef") == "lstm-bernoullibandit-v0-f92a1e50-s7"


def test_everything_but_the_seed_is_in_the_hash(tiny):
    others = {"agent": "mlp", "steps": 121, "n_envs": 5, "device": "cuda"}
    changed = [dataclasses.replace(tiny, **{key: value}) for key, value in others.items()]
    for env, horizon in (("Bernoulli", 6), ("Reversal", 5)):
        setting = Setting(f"metalocus/{env}Bandit-v0", n_arms=2, horizon=horizon)
        changed.append(dataclasses.replace(tiny, setting=setting))
    hashes = {config.name_under("source").split("-")[-2] for config in (tiny, *changed)}
    hashes.add(tiny.name_under("other source").split("-")[-2])
    assert len(hashes) == 2 + len(changed)
    imitating = dataclasses.replace(tiny, trainer="imitate")
    assert imitating.name_under("source").split("-")[-2] not in hashes
    sibling = dataclasses.replace(tiny, seed=2)
    assert sibling.name == tiny.name.removesuffix("s1") + "s2"


def test_the_order_of_arguments_does_not_matter(tiny):
    turned = dict(reversed(tiny.setting.kwargs.items()))
    assert dataclasses.replace(tiny, setting=Setting(tiny.setting.env, **turned)).name == tiny.name


def test_a_config_survives_its_file(tiny):
    setting = Setting(tiny.setting.env, observe=("action", "reward"), n_arms=3)
    config = dataclasses.replace(tiny, setting=setting)
    again = RunConfig.from_json(config.to_json())
    assert again.name == config.name
    require_possible(again)
    assert RunConfig.from_json(tiny.to_json()) == tiny
    assert set(json.loads(tiny.to_json())) == {
        *("env", "env_kwargs", "agent", "agent_kwargs", "trainer", "train_kwargs"),
        *("steps", "seed", "n_envs", "device"),
    }


def test_what_is_no_config_is_a_value_error(tiny):
    good = json.loads(tiny.to_json())
    bad = ["", "{", "[]", "5", '"x"', "null", "[" * 100_000, '{"env": ' * 100_000, b"\xff", "{}"]
    for key in good.keys() - {"device", "agent_kwargs", "trainer", "train_kwargs"}:
        bad += [json.dumps({name: value for name, value in good.items() if name != key})]
    bad += [json.dumps({**good, "colour": "red"})]
    bad += [json.dumps({**good, "env": value}) for value in (5, None, [], {})]
    bad += [json.dumps({**good, "agent": value}) for value in (5, None, [], {})]
    bad += [json.dumps({**good, "env_kwargs": value}) for value in (5, None, [1], "n_arms")]
    bad += [json.dumps({**good, "trainer": value}) for value in (5, None, [], {})]
    for key in ("agent_kwargs", "train_kwargs"):
        bad += [json.dumps({**good, key: value}) for value in (5, None, [1], "gamma")]
    for text in bad:
        with pytest.raises(ValueError, match=r"^not the settings of a run$"):
            RunConfig.from_json(text)


def test_impossible_configs_are_refused_and_nothing_is_written(tiny, tmp_path):
    cases = (
        ({"setting": Setting("Nothing-v0")}, "unknown environment"),
        ({"agent": "nobody"}, "unknown agent 'nobody'; `metalocus list` shows all"),
        ({"agent": "thompson"}, "unknown agent"),
        ({"trainer": "imitat"}, "unknown trainer 'imitat'"),
        ({"trainer": 5}, "unknown trainer 5"),
        ({"steps": -1}, "steps must be a whole number of at least 0, got -1"),
        ({"steps": 1.5}, "steps must be"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
        ({"seed": 2**32}, "seed must be at most 4294967295"),
        ({"seed": 10**30}, "seed must be at most 4294967295"),
        ({"n_envs": 0}, "n_envs must be"),
        ({"n_envs": 10**9}, "n_envs must be at most 1048576"),
        (
            {"n_envs": 2**20, "setting": Setting(BANDIT, horizon=10**4)},
            r"take [\d,.]+ GiB of memory",
        ),
        ({"setting": Setting(BANDIT, horizon=10**9)}, r"take [\d,.]+ GiB of memory"),
        ({"setting": Setting(BANDIT, n_arms=10**9)}, "at most"),
        ({"device": "abacus"}, "device must be one of cpu, cuda, got 'abacus'"),
        ({"setting": Setting(BANDIT, horizon=0)}, "horizon must be"),
        ({"setting": Setting(BANDIT, arms=2)}, "no argument 'arms'"),
    )
    for change, reason in cases:
        with pytest.raises(InvalidTask, match=reason) as raised:
            train(dataclasses.replace(tiny, **change), tmp_path / "out")
        assert len(str(raised.value).splitlines()) == 1
        assert not (tmp_path / "out").exists(), change


def test_a_suited_run_collects_no_more_than_it_is_asked_for():
    """Unless one episode is longer; many environments are for many steps."""
    setting = Setting(BANDIT, horizon=50)
    for name, agent in TRAINABLES.items():
        for steps in (50, 60, 1000, 10_000, 10**7):
            n_envs = RunConfig.suited(setting, name, steps).n_envs
            assert n_envs * 50 <= steps
            assert n_envs == min(steps, agent.rollout) // 50
        for steps in (0, 10**9):
            assert RunConfig.suited(setting, name, steps).n_envs == agent.rollout // 50
        assert RunConfig.suited(setting, name, 49).n_envs == 1
