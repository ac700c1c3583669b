"""Playing many episodes a chunk at a time."""

import numpy as np
import pytest

from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import make_named
from metalocus.agents.rollout import fresh_episodes
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.scoring import chunks as module
from metalocus.experiments.scoring.chunks import (
    MOST_EPISODES,
    Chunks,
    named,
    require_episodes,
    watched,
)

BANDIT = Setting("metalocus/BernoulliBandit-v0", horizon=5)


@pytest.mark.parametrize("chunk", [1, 7, 20, 21, 50])
def test_chunks_hold_every_episode_once_in_order(monkeypatch, chunk):
    monkeypatch.setattr(module, "CHUNK", chunk)
    parts = list(Chunks(BANDIT, 21, 4))
    keys = [part.episodes().keys for part in parts]
    np.testing.assert_array_equal(np.concatenate(keys), fresh_episodes(BANDIT, 21, 4).keys)
    assert [part.n for part in parts] == [len(one) for one in keys]
    assert max(part.n for part in parts) <= chunk
    assert max(part.n for part in parts) - min(part.n for part in parts) <= 1
    assert [part.start_seed - 4 for part in parts] == [
        sum(map(len, keys[:i])) for i in range(len(keys))
    ]


def test_whoever_watches_is_told_of_every_chunk_when_it_is_done(monkeypatch):
    monkeypatch.setattr(module, "CHUNK", 8)
    told = []
    with watched(told.append):
        for i, _ in enumerate(Chunks(BANDIT, 21, 4)):
            assert len(told) == i
        list(Chunks(BANDIT, 5, 0))
    assert told == [7, 7, 7, 5]
    list(Chunks(BANDIT, 21, 4))
    assert len(told) == 4, "nobody watches any more"


def test_a_chunk_is_played_anew_as_often_as_asked():
    (part,) = Chunks(BANDIT, 9, 0)
    first, second = part.episodes(), part.episodes()
    first.step(np.zeros(9, dtype=np.int64))
    np.testing.assert_array_equal(second.keys, part.episodes().keys)
    np.testing.assert_array_equal(second.means(), part.episodes().means())


@pytest.mark.parametrize("kind", [int, np.int64, np.uint16, np.int32])
def test_numbers_of_episodes_are_ints(kind):
    assert require_episodes(kind(30)) == 30
    assert type(require_episodes(kind(30))) is int


def test_numbers_of_episodes_that_cannot_be_played_are_refused_with_their_size():
    assert require_episodes(MOST_EPISODES) == MOST_EPISODES
    for wrong in (1, 0, -5, 2.5, "9", True, None, float("nan")):
        with pytest.raises(InvalidTask, match="episodes must be a whole number of at least 2"):
            require_episodes(wrong)
    with pytest.raises(InvalidTask, match=r"at most 10,000,000, got 10,000,000,000: .* 80\.0 GB"):
        require_episodes(10**10)
    with pytest.raises(InvalidTask, match="at most 10,000,000, got 10,000,001"):
        require_episodes(MOST_EPISODES + 1)


def test_what_is_not_finite_names_agent_and_setting():
    agent = make_named("wsls", BANDIT.family)
    reason = "wsls on metalocus/BernoulliBandit-v0 horizon=5: a return is not finite"
    with pytest.raises(NonFinite, match=reason), named(agent, BANDIT):
        raise NonFinite("a return is not finite")
