"""A trained run beside the references."""

import json

import numpy as np
import pytest
import torch

from metalocus.agents.agent import NonFinite
from metalocus.agents.catalogue import REFERENCES
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.runs.load import load_agent
from metalocus.experiments.runs.subject import find_subject
from metalocus.experiments.scoring.evaluate import evaluate
from metalocus.experiments.scoring.returns import mean_return, returns


def test_the_run_stands_beside_every_reference_that_can_play(finished, tiny):
    """References as ``mean_return`` gives them; scores from the definition."""
    found = evaluate(find_subject(finished), np.int64(50), np.int32(3))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    family = tiny.setting.family
    able = [name for name, cls in REFERENCES.items() if cls.why_not(family) is None]
    assert set(found["policies"]) == {"lstm", "lstm (greedy)", *able}
    for name in able:
        alone = mean_return(tiny.setting, name, 50, 3)
        policy = found["policies"][name]
        assert {key: policy[key] for key in ("mean", "low", "high")} == {
            key: alone[key] for key in ("mean", "low", "high")
        }
    agent, _ = load_agent(finished)
    for name, greedy in (("lstm", False), ("lstm (greedy)", True)):
        mean = returns(agent, tiny.setting, 50, 3, greedy=greedy).mean()
        assert found["policies"][name]["mean"] == mean
    low, high = (found["policies"][name]["mean"] for name in ("random", found["best"]))
    for policy in found["policies"].values():
        assert policy["score"] == pytest.approx((policy["mean"] - low) / (high - low))


def test_a_reference_stands_in_its_own_place():
    setting = Setting("metalocus/BernoulliBandit-v0", horizon=5)
    found = evaluate(find_subject("thompson", setting), 50)
    alone = mean_return(setting, "thompson", 50)
    assert found["policies"]["thompson"]["mean"] == alone["mean"]
    assert list(found["policies"]).count("thompson") == 1
    assert (found["run"], found["parameters"]) == (None, 0)


def test_numbers_out_of_range_are_refused(finished):
    for arguments, reason in (
        ((1,), "episodes must be a whole number of at least 2"),
        ((10**10,), r"at most 10,000,000, got 10,000,000,000: .* 80\.0 GB"),
        ((10, -1), "seed must be"),
    ):
        with pytest.raises(InvalidTask, match=reason):
            evaluate(find_subject(finished), *arguments)


def test_weights_that_turn_into_nan_are_not_scored(finished):
    """One that is changed after it was checked, so that playing has to notice."""
    subject = find_subject(finished)
    with torch.no_grad():
        next(subject.agent.policy.parameters()).fill_(float("nan"))
    with pytest.raises(NonFinite, match=r"metalocus/BernoulliBandit-v0 .* trial"):
        evaluate(subject, 20)
