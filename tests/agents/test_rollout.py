"""Playing: what is recorded, and that no number that is not finite ever becomes a choice."""

import numpy as np
import pytest
import torch

from metalocus.agents.agent import STORES, Agent, NonFinite, Stores
from metalocus.agents.catalogue import CONTROLS, ONLINE, REFERENCES, make_named
from metalocus.agents.cells.base import TRAINABLES
from metalocus.agents.ppo.policy import SequencePolicy
from metalocus.agents.rollout import choose, fresh_episodes, rollout
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.agents.trained.rewritten import RewrittenAgent
from metalocus.agents.trained.test_time import UpdatingAgent
from metalocus.envs import InvalidTask, Setting
from metalocus.envs.layout import action_space, observation_space
from metalocus.envs.registry import FAMILIES

BANDIT = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=5)
N = 4


class Fixed(Agent):
    """Gives the same probabilities at every trial."""

    def __init__(self, probs):
        self.probs = np.array(probs)

    def start(self, n, rng):
        return Stores()

    def act(self, stimulus, stores):
        return np.tile(self.probs, (len(stimulus), 1)), stores


def policy(name, layout):
    torch.manual_seed(0)
    spaces = observation_space(layout), action_space(layout)
    return SequencePolicy(*spaces, lambda _: 0.0, **TRAINABLES[name].arguments(layout))


def agents():
    """Every agent of every kind, each with a setting that it can play."""
    settings = [
        BANDIT,
        Setting("metalocus/DatasetBandit-v0", rule="linear", n_examples=4),
        Setting("metalocus/CueBinding-v0", cues="fixed", n_cues=4),
        *map(Setting, FAMILIES),
    ]
    for registry in (REFERENCES, ONLINE, CONTROLS):
        for name, cls in registry.items():
            own = next(each for each in settings if cls.why_not(each.family) is None)
            yield name, cls(own.family), own
    for name in TRAINABLES:
        for make in (TrainedAgent, RewrittenAgent, lambda *args: UpdatingAgent(*args, 0.1)):
            try:
                yield name, make(policy(name, BANDIT.layout), BANDIT.layout), BANDIT
            except InvalidTask:
                continue  # not rewritable, or with an update rule of its own


def poison(where, at):
    """Puts NaN into row 2 of one array, before the act of trial ``at``."""

    def change(store, key, array):
        if (store, key) == where:
            array = array.copy()
            array[2] = np.nan
        return array

    return lambda t, stores: stores.map(change) if t == at else stores


def test_no_agent_of_any_kind_chooses_from_a_store_that_holds_nan():
    kinds, poisoned = set(), 0
    for name, agent, setting in agents():
        kinds.add(type(agent))
        at = min(2, setting.family.horizon - 1)
        stores = agent.start(N, np.random.default_rng(0))
        arrays = [
            (store, key, array) for store in STORES for key, array in getattr(stores, store).items()
        ]
        for store, key, array in arrays:
            if array.dtype.kind != "f" or not array.size:
                continue
            expected = f"{type(agent).__name__}, trial {at}, episode 2: the {store} {key!r}"
            with pytest.raises(NonFinite) as caught:
                rollout(agent, fresh_episodes(setting, N, 0), intervene=poison((store, key), at))
            assert str(caught.value).startswith(expected), name
            poisoned += 1
    assert kinds > {TrainedAgent, RewrittenAgent, UpdatingAgent}
    assert poisoned > len(kinds) > 60


def test_probabilities_that_are_no_distribution_are_never_a_choice():
    for probs in (
        [np.nan] * 3,
        [np.nan, 0.5, 0.5],
        [np.inf, 0, 0],
        [0.5, 0.6, 0.1],
        [-0.1, 1.1, 0],
        [0, 0, 0],
    ):
        for greedy in (False, True):
            with pytest.raises(NonFinite, match="Fixed, trial 0, episode 0: the action prob"):
                rollout(Fixed(probs), fresh_episodes(BANDIT, N, 0), greedy=greedy)
        with pytest.raises(NonFinite, match="Fixed, trial 0"):
            rollout(Fixed([0.2, 0.3, 0.5]), fresh_episodes(BANDIT, N, 0), shadows=[Fixed(probs)])


def test_rewards_and_stimuli_that_are_not_finite_are_refused(monkeypatch):
    for value in (np.nan, np.inf):
        episodes = fresh_episodes(BANDIT, N, 0)
        step = episodes.step

        def broken(action, episodes=episodes, step=step, value=value):
            reward, done = step(action)
            reward = np.where((np.arange(N) == 3) & (episodes.t > 2), value, reward)
            return reward, done

        monkeypatch.setattr(episodes, "step", broken)
        with pytest.raises(NonFinite, match="the reward of episode 3 at trial 2 is not finite"):
            rollout(Fixed([0.2, 0.3, 0.5]), episodes)
        shown = fresh_episodes(Setting("metalocus/CueBinding-v0"), N, 0)
        monkeypatch.setattr(shown, "stimulus", lambda value=value: np.full((N, 2), value))
        with pytest.raises(NonFinite, match="the stimulus of episode 0 at trial 0"):
            rollout(Fixed(np.full(shown.family.n_arms, 1 / shown.family.n_arms)), shown)


def test_choices_are_drawn_by_inversion_or_are_the_most_probable():
    probs = np.array([[0.2, 0.3, 0.5]] * 4)
    u = np.array([0.1, 0.2, 0.49, 0.51])
    assert choose(probs, u).tolist() == [0, 1, 1, 2]
    assert choose(probs, u, greedy=True).tolist() == [2, 2, 2, 2]


def test_a_trace_is_what_happened_trial_by_trial():
    """Played once more by hand, with the choices and rewards that the episodes themselves give."""
    agent, seen = Fixed([0.2, 0.3, 0.5]), []
    trace = rollout(agent, fresh_episodes(BANDIT, N, 7), shadows=[agent], observe=seen.append)
    episodes = fresh_episodes(BANDIT, N, 7)
    for t in range(5):
        u = episodes.crn.uniform("policy", t)
        action = np.array([0 if x < 0.2 else 1 if x < 0.5 else 2 for x in u])
        np.testing.assert_array_equal(trace.action[t], action)
        np.testing.assert_array_equal(trace.means[t], episodes.means())
        np.testing.assert_allclose(trace.value[t], episodes.means() @ agent.probs)
        np.testing.assert_array_equal(trace.reward[t], episodes.step(action)[0])
        assert seen[t].t == t
        np.testing.assert_array_equal(seen[t].probs, trace.probs[t])
        np.testing.assert_array_equal(seen[t].shadows[0][0], trace.probs[t])
    np.testing.assert_array_equal(trace.total, trace.reward.sum(axis=0))


def test_what_cannot_be_held_is_refused_with_its_bytes_before_anything_is_played():
    for n, horizon in ((2000, 10**9), (200_000, 2000)):
        setting = Setting("metalocus/BernoulliBandit-v0", n_arms=3, horizon=horizon)
        agent = make_named("random", setting.family)
        needed = 8 * n * horizon * (2 + 3 * 3)
        with pytest.raises(InvalidTask, match=f"would take {needed:,} bytes, the limit is"):
            rollout(agent, fresh_episodes(setting, n, 0))
