"""Every argument of every family: NumPy's types act as Python's, what is not finite is refused.

The arguments are found by introspection, their values in the defaults and the examples. A sweep
then draws arguments at random, sound and hostile ones, for all three interfaces.
"""

import inspect
import json

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metalocus.envs import InvalidTask, Setting, make_episodes, make_family
from metalocus.envs.common_random_numbers import seed_keys
from metalocus.envs.layout import PARTS
from metalocus.envs.registry import FAMILIES
from metalocus.envs.sb3 import BatchVecEnv

NUMPY = {
    bool: [np.bool_],
    int: [np.int8, np.uint8, np.int16, np.int32, np.int64, np.uint64],
    float: [np.float64, np.float32],
    str: [np.str_],
}


MAKERS = (make_episodes, gym.make, gym.make_vec, BatchVecEnv)
HUGE = 10**400
"""More than a float can hold."""


def values(env_id):
    """Each argument with each of its values in the defaults and the examples, and the rest."""
    parameters = inspect.signature(FAMILIES[env_id]).parameters
    for name, parameter in parameters.items():
        yield name, parameter.default, {}
    for example in FAMILIES[env_id].examples:
        for name, value in example.items():
            yield name, value, {other: v for other, v in example.items() if other != name}
    yield "n_tasks", 3, {}
    yield "task_seed", 7, {}


def first_steps(env_id, kwargs):
    """Latents, observations and rewards of the first trials of two episodes."""
    episodes = make_episodes(env_id, seed_keys(0, 2), **kwargs)
    log = [value.tolist() for value in episodes.latents.values()]
    for t in range(min(3, episodes.family.horizon)):
        log.append(episodes.observation().tolist())
        log.append(episodes.step(np.array([t % 2, 0]))[0].tolist())
    return log


def described(make, *args, **kwargs):
    """The attributes of a family with their types, or why it is refused."""
    try:
        family = make(*args, **kwargs)
    except InvalidTask as error:
        return str(error)
    return {name: (type(value), repr(value)) for name, value in vars(family).items()}


def test_numpys_scalars_act_as_pythons_and_are_equal_after_json(env_id, case):
    for name, value, rest in values(env_id):
        for kind in NUMPY.get(type(value), ()):
            if isinstance(value, int) and np.array(value).astype(kind) != value:
                continue
            with case(name, value, kind):
                theirs = kind(value)
                ours = theirs.item()
                assert type(ours) is type(value)
                mixed, plain = {**rest, name: theirs}, {**rest, name: ours}
                setting = Setting(env_id, **mixed)
                stored = json.loads(json.dumps(setting.to_dict(), allow_nan=False))
                assert setting == Setting(env_id, **plain)
                assert setting == Setting(stored["env"], **stored["env_kwargs"])
                if name not in ("n_tasks", "task_seed"):
                    assert described(make_family, env_id, **mixed) == described(
                        make_family, env_id, **plain
                    )
                whole = type(value) is int and kind is not np.uint8  # they differ in type only
                if not whole and type(described(lambda setting=setting: setting.family)) is dict:
                    assert first_steps(env_id, mixed) == first_steps(env_id, plain)


def test_whole_numbers_serve_where_numbers_do(env_id, case):
    for name, value, rest in values(env_id):
        if type(value) is float and value.is_integer():
            for whole in (int(value), np.int64(value), np.uint8(value)):
                with case(name, whole):
                    one, other = ({**rest, name: given} for given in (whole, value))
                    assert first_steps(env_id, one) == first_steps(env_id, other)


def of_no_use(value):
    """Values of the wrong kind for an argument with this value."""
    everywhere = [(), [], {}, b"1", 1j, object(), np.array([]), np.array([0, 1]), [value], len]
    number = [True, np.True_, "0.5", "nan", float("nan"), float("inf"), -float("inf")]
    number += [np.float64("nan"), np.float32("inf"), -1, -0.5, HUGE, -HUGE]
    if type(value) is bool:
        return [*everywhere, 0, 1, 1.0, "True", "", None, np.int64(1), np.array(True)]
    if type(value) is int:
        return [*everywhere, *number, float(value), np.float64(value), str(value), np.array(value)]
    if type(value) is float:
        return [*everywhere, *number, np.array(value), np.array([value])]
    if type(value) is str:
        return [*everywhere, "", "nan", "unheard of", 0, True, None, np.array(value), [value]]
    return [*everywhere, *number, "none"]


def test_values_of_another_kind_are_refused_in_one_line_by_every_interface(env_id, case):
    tried = {(name, type(value)): (value, rest) for name, value, rest in values(env_id)}
    for (name, _), (value, rest) in tried.items():
        for i, bad in enumerate(of_no_use(value)):
            if name == "task_seed" and bad is HUGE:
                continue
            everywhere = i % 5 == 0  # the interfaces leave it to the same code
            for make in MAKERS if everywhere else (make_episodes, BatchVecEnv):
                with case(name, value, bad, make), pytest.raises(InvalidTask) as caught:
                    make(env_id, **{**rest, name: bad})
                assert "\n" not in str(caught.value)
                assert f"{name} must be" in str(caught.value) or "needs" in str(caught.value)


def test_none_is_refused_where_it_means_nothing(env_id, case):
    for name, parameter in inspect.signature(FAMILIES[env_id]).parameters.items():
        meaning = name in ("run_length", "sd") and env_id != "metalocus/LinearBandit-v0"
        meaning &= env_id != "metalocus/RestlessBandit-v0"
        with case(name):
            if meaning:
                make_family(env_id, **{name: None})
            else:
                with pytest.raises(InvalidTask, match=f"{name} must be"):
                    make_family(env_id, **{name: None})
        assert parameter.default is not None or meaning


def test_parts_of_an_observation_may_be_given_in_any_sequence(env_id, case):
    plain = first_steps(env_id, {"observe": ["first", "action"]})
    for observe in (
        ("action", "first"),
        np.array(["action", "first"]),
        [np.str_("action"), "first"],
        ["action", "first", "action"],
        iter(["action", "first"]),
        {"action": 1, "first": 2},
    ):
        with case(observe):
            assert first_steps(env_id, {"observe": observe}) == plain


HOSTILE = [
    *(-1, 0, 1, 2, 3, 4, 5, 8, 64, 65, 10**6, 10**9, 2**63, 10**22, HUGE, True, False, None),
    *(0.0, -0.0, 0.1, 0.5, 1.0, 1.5, -1.0, 1e-320, 1e-30, 1e22, 1e38, 1e308),
    *(float("nan"), float("inf"), -float("inf"), np.float64("nan"), np.float32(0.25)),
    *(np.int64(3), np.uint8(3), np.int8(-1), np.uint64(2**64 - 1), np.True_, np.array(2)),
    *("", "uniform", "easy", "dependent", "beta(2,5)", "beta(1e-300,1e300)", "beta(1e308,1e308)"),
    *("arms", "linear", "neighbour", "bits", "digits", "fixed", "switching", "drifting", "2"),
    *([], [1], (2, 3), {}, {1}, b"x", 1j, np.array([0.5]), np.array(["easy"]), object()),
]
ODD_NAMES = ("env_id", "keys", "self", "env", "seed", "render_mod", "horizons", "")


@st.composite
def arguments(draw, env_id):
    """An example of the family with a few arguments replaced by anything."""
    own = list(inspect.signature(FAMILIES[env_id]).parameters)
    names = [*own * 3, "n_tasks", "task_seed", "observe", *ODD_NAMES]
    kwargs = dict(draw(st.sampled_from([{}, *FAMILIES[env_id].examples])))
    for name in draw(st.lists(st.sampled_from(names), max_size=3)):
        kwargs[name] = draw(st.sampled_from(PARTS if name == "observe" else HOSTILE))
    return kwargs


def attempt(make, *args, **kwargs):
    """What is made, or the one line that refuses it."""
    try:
        return make(*args, **kwargs)
    except InvalidTask as error:
        if "\n" in str(error) or len(str(error)) > 600:
            raise
        return None


@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_arguments_make_a_sound_environment_or_one_line(env_id, data):
    """The single, vector and SB3 environments accept the same, with finite numbers in bounds."""
    kwargs = data.draw(arguments(env_id))
    single = attempt(gym.make, env_id, **kwargs) if "env_id" not in kwargs else None
    vector = attempt(gym.make_vec, env_id, 2, **kwargs) if "env_id" not in kwargs else None
    named = {"env_id", "seed"} & kwargs.keys()  # BatchVecEnv has arguments of these names
    batch = None if named else attempt(BatchVecEnv, env_id, 2, seed=1, **kwargs)
    setting = attempt(Setting, env_id, **kwargs)
    episodes = setting and attempt(setting.episodes, seed_keys(1, 2))
    if single is None or vector is None:
        assert episodes is None or not isinstance(kwargs.get("observe", ""), str)
        return
    assert episodes is not None
    assert batch is not None
    stored = json.loads(json.dumps(setting.to_dict(), allow_nan=False))
    assert Setting(stored["env"], **stored["env_kwargs"]) == setting
    first, _ = vector.reset(seed=1)
    np.testing.assert_array_equal(first, batch.reset())
    np.testing.assert_array_equal(first[0], single.reset(seed=1)[0])
    np.testing.assert_array_equal(first, episodes.observation())
    for _ in range(3):
        action = np.ones(2, dtype=np.int64)
        observation, reward, done, *_ = vector.step(action)
        assert vector.observation_space.contains(observation)
        assert np.isfinite(observation).all()
        assert np.isfinite(reward).all()
        ours = batch.step(action)
        np.testing.assert_array_equal(ours[1], reward.astype(np.float32))
        alone = single.step(1)
        assert alone[1] == reward[0]
        if done.any():
            break
