"""A setting is its id and arguments, whatever types they come in, and is equal after JSON."""

import json
import pickle

import numpy as np
import pytest

from metalocus.envs import InvalidTask, Setting, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys

BANDIT, REVERSAL = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"


def after_json(setting):
    """The setting read back from its JSON."""
    stored = json.loads(json.dumps(setting.to_dict(), allow_nan=False))
    return Setting(stored["env"], **stored["env_kwargs"])


def test_settings_are_equal_if_their_id_and_arguments_are():
    one = Setting(BANDIT, n_arms=3, horizon=10)
    same = Setting(BANDIT, horizon=10, n_arms=3)
    assert one == same
    assert hash(one) == hash(same)
    assert len({one, same, Setting(BANDIT)}) == 2
    others = [
        Setting(BANDIT),
        Setting(BANDIT, n_arms=3, horizon=11),
        Setting(REVERSAL, n_arms=3, horizon=10),
        Setting(BANDIT, n_arms=3.0, horizon=10),
        Setting(BANDIT, n_arms="3", horizon=10),
        (BANDIT, {"n_arms": 3, "horizon": 10}),
        None,
    ]
    assert all(one != other for other in others)
    assert Setting(REVERSAL, cued=True) != Setting(REVERSAL, cued=1)
    assert pickle.loads(pickle.dumps(one)) == one


def test_texts_of_a_setting():
    setting = Setting(BANDIT, n_arms=3, prior="uniform")
    assert str(setting) == f"{BANDIT} n_arms=3 prior=uniform"
    assert repr(setting) == f"Setting('{BANDIT}', n_arms=3, prior='uniform')"
    assert eval(repr(setting)) == setting
    assert str(Setting(BANDIT)) == BANDIT


def test_whole_leaves_out_the_fixed_tasks_alone():
    limited = Setting(BANDIT, n_arms=3, n_tasks=4, task_seed=1, observe=["reward"])
    assert limited.whole() == Setting(BANDIT, n_arms=3, observe=["reward"])
    assert limited.kwargs["n_tasks"] == 4
    assert Setting(BANDIT).whole() == Setting(BANDIT)


def test_family_layout_and_episodes_are_those_of_the_arguments():
    setting = Setting(REVERSAL, cued=True, horizon=7, observe=["reward", "stimulus"], n_tasks=2)
    assert (setting.family.horizon, setting.family.cued) == (7, True)
    assert list(setting.layout.slices) == ["stimulus", "reward"]
    keys = seed_keys(3, 5)
    mine, direct = setting.episodes(keys), make_episodes(REVERSAL, keys, **setting.kwargs)
    np.testing.assert_array_equal(mine.observation(), direct.observation())
    assert len(setting.episodes()) == 1


def test_what_python_json_and_numpy_write_differently_is_equal(case):
    for given, plain in (
        (("action", "reward"), ["action", "reward"]),
        (np.array(["action", "reward"]), ["action", "reward"]),
        ((np.str_("action"), "reward"), ["action", "reward"]),
        ([("action",), [np.int8(1)]], [["action"], [1]]),
        (np.int64(3), 3),
        (np.uint8(3), 3),
        (np.float64(0.1), 0.1),
        (np.float32(0.1), 0.10000000149011612),
        (np.True_, True),
        (np.array([1, 2]), [1, 2]),
        (np.array([[True], [False]]), [[True], [False]]),
        (np.str_("easy"), "easy"),
        (None, None),
    ):
        with case(given):
            setting = Setting(BANDIT, value=given)
            assert setting == Setting(BANDIT, value=plain) == after_json(setting)
            assert hash(setting) == hash(after_json(setting))
            assert str(setting) == str(Setting(BANDIT, value=plain))
            assert type(setting.kwargs["value"]) is type(plain)


def test_a_change_of_what_was_given_does_not_change_the_setting():
    parts = ["reward"]
    setting = Setting(BANDIT, observe=parts)
    parts.append("action")
    assert setting == Setting(BANDIT, observe=["reward"])


def test_what_json_does_not_have_is_refused_in_words(case):
    for bad in (
        {1, 2},
        {"a": 1},
        object(),
        1j,
        b"easy",
        np.array(3),
        np.complex64(1),
        [[{1}]],
        len,
    ):
        with (
            case(bad),
            pytest.raises(InvalidTask, match="value must be a number, a text") as caught,
        ):
            Setting(BANDIT, value=bad)
        assert "\n" not in str(caught.value)


RESERVED = ("env", "env_id", "keys", "self", "render_mode", "reveal", "seed", "num_envs", "family")


def test_names_of_parameters_elsewhere_are_no_arguments(case):
    for name in (
        *RESERVED,
        "autoreset_mode",
        "vectorization_mode",
        "kwargs",
        "args",
        "n tasks",
        "",
    ):
        setting = Setting(BANDIT, **{name: 5})
        for use in (setting.episodes, lambda setting=setting: setting.family):
            with case(name), pytest.raises(InvalidTask, match=f"has no argument '{name}'"):
                use()


def test_arguments_of_episodes_are_none_of_a_family():
    with pytest.raises(InvalidTask, match="has no argument 'n_tasks'; did you mean 'n_arms'"):
        make_family(BANDIT, n_tasks=3)


def test_nothing_is_looked_up_before_the_setting_is_used():
    unknown = Setting("metalocus/Nothing-v0", n_arms=2)
    assert after_json(unknown) == unknown
    with pytest.raises(InvalidTask, match="unknown environment 'metalocus/Nothing-v0'"):
        unknown.episodes()
    with pytest.raises(InvalidTask, match="has no argument 'n_arm'; did you mean 'n_arms'"):
        _ = Setting(BANDIT, n_arm=2).family
