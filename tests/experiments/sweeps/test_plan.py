"""A sweep's file: every combination, once, and every mistake in one line."""

import pytest

from metalocus.envs import InvalidTask
from metalocus.experiments.errors import WrongUse
from metalocus.experiments.sweeps import plan
from metalocus.experiments.sweeps.plan import read_plan, shard_of

BANDIT = 'env = "metalocus/BernoulliBandit-v0"\n'


@pytest.fixture
def read(tmp_path):
    def of(text):
        (tmp_path / "sweep.toml").write_text(text)
        return read_plan(tmp_path / "sweep.toml")

    return of


def test_every_list_is_an_axis_and_every_combination_a_run(read):
    configs = read(
        f"""
[[runs]]
{BANDIT}
agent = ["lstm", "gru"]
steps = 1e4
seeds = "0-2"
env_kwargs.n_arms = [2, 5]
agent_kwargs.hidden_size = [8, 16]
agent_kwargs.net_arch = [[32, 32]]
train_kwargs.gamma = 0.9

[[runs]]
setting = "reversal"
agent = "mlp"
steps = 2000
n_envs = 4
seeds = [7]
"""
    )
    assert len(configs) == 2 * 3 * 2 * 2 + 1
    assert len({config.name for config in configs}) == len(configs)
    first, *_, last = configs
    assert first.agent_kwargs == {"hidden_size": 8, "net_arch": [32, 32]}
    assert (first.setting.kwargs["n_arms"], first.steps, first.seed) == (2, 10_000, 0)
    assert (last.setting.env, last.n_envs, last.seed) == ("metalocus/ReversalBandit-v0", 4, 7)


def test_it_is_the_run_that_the_train_command_makes(read):
    """So that sweeps, single runs and claims share what is equal."""
    from metalocus.experiments.runs.config import RunConfig
    from metalocus.experiments.runs.named import REVERSAL

    (config,) = read('[[runs]]\nsetting = "reversal"\nagent = "lstm"\nsteps = 5000\nseeds = 3\n')
    assert config.name == RunConfig.suited(REVERSAL, "lstm", 5000, 3).name


def test_what_cannot_be_read_is_refused_in_one_line(read, tmp_path, monkeypatch):
    start = f"[[runs]]\n{BANDIT}agent = 'lstm'\nsteps = 10\n"
    cases = {
        "": r"no table \[\[runs\]\]",
        "runs = 3": r"no table \[\[runs\]\]",
        "[[run]]": "did you mean 'runs'",
        "x = [": "is no TOML",
        f"{start}seed = 3": "unknown key 'seed'; did you mean 'seeds'",
        f"{start}seeds = 'few'": "seeds must be a number",
        f"{start}seeds = '3-1'": "seeds must be a number",
        f"{start}seeds = []": "a list of no values",
        f"{start}setting = 'bandit'": "either setting, a short name, or env",
        "[[runs]]\nsetting = 'bandit'\nenv_kwargs.n_arms = 2": "env_kwargs go with env",
        "[[runs]]\nsetting = 'bandit'\nagent = 'lstm'": "steps is missing",
        "[[runs]]\nsetting = 'bandits'\nagent = 'lstm'\nsteps = 1": "bandits",
        start.replace("10", "1.5"): "steps must be a whole number",
        start.replace("'lstm'", "'lstn'"): "did you mean 'lstm'",
        start.replace("'lstm'", "3"): "are texts",
        f"{start}train_kwargs = 3": "train_kwargs must be a table",
        f"{start}train_kwargs.gamma = [0.9, 2.0]": "table 1: .*gamma",
        f"{start}n_envs = 0": "table 1: n_envs",
        f"{start}n_envs = 2020-01-01": "table 1: n_envs must be a whole number",
        f"{start}device = 'gpu'": "table 1: device must be one of cpu, cuda",
        f"{start}seeds = [0, -1]": "table 1: seed",
        f"{start}seeds = '4294967290-4294967296'": "table 1: seed",
        start.replace("10", "9" * 5000): "is no TOML: .*4300 digits",
        f"{start}x = {'[' * 3000}{']' * 3000}": "is no TOML",
    }
    for text, message in cases.items():
        with pytest.raises((WrongUse, InvalidTask), match=message) as raised:
            read(text)
        assert len(str(raised.value).splitlines()) == 1, text
        assert "sweep.toml" in str(raised.value)
    with pytest.raises(WrongUse, match="it asks for 9,000,000,001 runs"):
        read(f"{start}seeds = '0-9000000000'")
    monkeypatch.setattr(plan, "MOST_RUNS", 3)
    with pytest.raises(WrongUse, match="it asks for 4 runs"):
        read(f"{start}seeds = '0-3'")
    with pytest.raises(WrongUse, match="cannot read"):
        read_plan(tmp_path)


def test_shards_are_counted_from_one():
    assert shard_of("2/8") == (2, 8)
    for text in ("0/8", "9/8", "2", "a/b", "1/", "-1/3", "1/1/1", "1/" + "9" * 5000):
        with pytest.raises(WrongUse, match="--shard takes i/n") as raised:
            shard_of(text)
        assert len(str(raised.value)) < 200
