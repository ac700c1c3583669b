"""The induction probe on transformers whose heads are set by hand, and on an untrained one."""

import numpy as np
import pytest
import torch

from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.instruments.attention import Heads
from metalocus.experiments.instruments.untrained import untrained
from metalocus.experiments.probes.induction import Induction, _played
from metalocus.experiments.scoring.chunks import Chunk

CUES = Setting("metalocus/CueBinding-v0", cues="fixed", n_cues=4, n_arms=3, horizon=24)
BEST, BEFORE, LOUD, IDLE = (f"layer {i} head {j}" for i, j in ((2, 1), (1, 1), (2, 2), (1, 2)))


def agent_of(name):
    return make_named(name, CUES.family)


@pytest.fixture(scope="module")
def planted():
    return Induction().run(agent_of("induction_head"), CUES, 300)


def test_the_planted_heads_are_found(planted):
    """The first attends to the step before alone, the second to what followed the cue."""
    assert planted["best_head"] == BEST
    assert planted["previous_token"][BEFORE] == pytest.approx(1.0, abs=1e-4)
    assert planted["prefix_matching"][BEST] > 0.8
    for score in ("prefix_matching", "previous_token", "duplicate_token"):
        assert planted[score][IDLE] == pytest.approx(planted[score]["even attention"], abs=1e-5)


def test_they_are_what_answers_repeated_cues_and_new_ones_cannot_be_known(planted):
    """Without the matching head the choice is at chance: all of it is lost."""
    whole = planted["loss_repeated"][BEST]
    assert whole == pytest.approx(0.9, abs=0.1)
    assert planted["loss_repeated"][BEFORE] > 0.5
    for head in (BEST, BEFORE):
        assert abs(planted["loss_new"][head]) < 4 * planted["loss_new_se"][head]
    assert abs(planted["loss_random"][BEST]) < 0.05
    for head in (LOUD, IDLE):
        assert planted["loss_repeated"][head] == pytest.approx(0.0, abs=1e-9)


def test_the_sentence_says_where_nothing_could_be_lost(planted):
    """As in a dataset bandit in sequence, whose examples pay nothing."""
    assert "no choice at a repeated cue pays" not in Induction().sentence(planted)
    unpaid = {**planted, "loss_repeated": dict.fromkeys(planted["loss_repeated"])}
    said = Induction().sentence(unpaid)
    assert said.endswith("; no choice at a repeated cue pays here, so that nothing could be lost.")


def test_the_matching_head_reads_its_keys_from_the_one_before(planted):
    path = planted["path"]
    assert path[f"from {BEFORE}"] > 0.5
    assert path[f"from {IDLE}"] == pytest.approx(0.0, abs=1e-6)


def test_an_untrained_network_has_none():
    fresh = untrained(agent_of("induction_head"))
    result = Induction().run(fresh, CUES, 300)
    for head in (BEST, BEFORE, LOUD, IDLE):
        even = result["prefix_matching"]["even attention"]
        assert result["prefix_matching"][head] == pytest.approx(even, abs=0.05)
        assert abs(result["loss_repeated"][head]) < 0.05


def test_a_head_that_only_writes_a_constant_is_worth_nothing():
    """Put to zero it changes the choices; another episode's output in its place does not."""
    agent = agent_of("loud_head")
    heads, chunk = Heads(agent), Chunk(CUES, 0, 0, 50)
    x = heads.inputs(_played(agent, chunk)[0])
    plain, given = heads.run(x)
    naive, _ = heads.run(x, {1: -heads.written(given, (1, 1))})
    assert np.abs(naive - plain).max() > 0.3
    result = Induction().run(agent, CUES, 300)
    assert result["loss_repeated"][LOUD] == pytest.approx(0.0, abs=1e-6)
    assert result["loss_repeated"][BEST] > 0.4
    norms = [heads.written(given, head).norm() for head in ((1, 0), (1, 1))]
    assert norms[1] > 3 * norms[0]


def test_the_network_run_at_once_is_the_agent():
    agent, chunk = agent_of("induction_head"), Chunk(CUES, 0, 0, 20)
    observations, _ = _played(agent, chunk)
    at_once, _ = Heads(agent).run(torch.from_numpy(observations))
    stores = agent.start(20, np.random.default_rng(0))
    for t, obs in enumerate(observations):
        probs, stores = agent.respond(obs, stores)
        np.testing.assert_allclose(at_once[t], probs, atol=1e-5)


def test_agents_without_heads_and_short_episodes_are_refused():
    with pytest.raises(InvalidTask, match="only a transformer has"):
        Induction().run(make_named("random", CUES.family), CUES, 10)
    short = Setting("metalocus/CueBinding-v0", cues="fixed", n_cues=4, horizon=7)
    with pytest.raises(InvalidTask, match="8 trials or more"):
        Induction().run(make_named("induction_head", short.family), short, 10)
