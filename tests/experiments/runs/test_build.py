"""Policies and models of runs."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from metalocus.envs import Setting
from metalocus.experiments.runs.build import build_model, build_policy
from metalocus.experiments.runs.config import RunConfig

CONFIG = RunConfig.suited(Setting("metalocus/BernoulliBandit-v0", horizon=5), "lstm", 100)


def test_a_policy_without_an_optimizer_is_the_model_s():
    policy, model = build_policy(CONFIG), build_model(CONFIG)
    own, theirs = policy.state_dict(), model.policy.state_dict()
    assert [(name, x.shape) for name, x in own.items()] == [(n, x.shape) for n, x in theirs.items()]
    (group,) = model.policy.optimizer.param_groups
    assert len(group["params"]) == len(list(policy.parameters()))
    assert not hasattr(policy.optimizer, "param_groups")


def test_what_does_not_train_does_not_wait_for_pytorch_s_compiler_nor_for_scipy_stats():
    configs = [replace(CONFIG, agent=agent).to_json() for agent in ("gru", "lstm", "mlp")]
    program = f"""
import sys
import metalocus.experiments.debate.main
from metalocus.agents.trained.frozen import TrainedAgent
from metalocus.experiments.probes.locus import Locus
from metalocus.experiments.runs.build import build_policy, try_out
from metalocus.experiments.runs.config import RunConfig
for config in map(RunConfig.from_json, {configs!r}):
    try_out(config)
    agent = TrainedAgent(build_policy(config), config.setting.layout)
    Locus(kinds=["resample"]).run(agent, config.setting, 20)
print({{"torch._dynamo", "scipy.stats"}} & sys.modules.keys())
"""
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout == "set()\n"
