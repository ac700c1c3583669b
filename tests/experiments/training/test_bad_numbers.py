"""A reward that is not finite stops a run; its last good checkpoint is kept and named."""

from pathlib import Path

import numpy as np
import pytest
import torch

from metalocus.agents.ppo.files import read_tensors
from metalocus.envs.sb3 import BatchVecEnv
from metalocus.experiments.folders.folder import CHECKPOINT
from metalocus.experiments.runs.records import is_done
from metalocus.experiments.training import monitor


@pytest.fixture
def broken(monkeypatch):
    """Rewards turn bad in two environments, after three episodes or more of five trials."""
    step_wait = BatchVecEnv.step_wait

    def bad_step(self):
        obs, reward, done, infos = step_wait(self)
        bad = (self.episodes.number >= 3) & (np.arange(self.num_envs) % 2 == 1)
        return obs, np.where(bad, np.nan, reward).astype(np.float32), done, infos

    with monkeypatch.context() as patch:
        patch.setattr(BatchVecEnv, "step_wait", bad_step)
        yield patch


WHAT = "the reward of environment 1 at step 60 is not finite; the weights were not changed; "


def test_a_bad_number_leaves_the_last_good_checkpoint(
    broken, monkeypatch, tiny, train_command, call, elsewhere
):
    """The run can be continued once that is mended."""
    monkeypatch.setattr(monitor, "CHECKPOINT_SECONDS", -1.0)
    file = Path("runs") / tiny.name / CHECKPOINT
    expected = f"last good checkpoint: {file}, at step 40; mend the cause, "
    expected += "then the same command continues from there"
    for _ in range(2):
        assert call(train_command) == (1, "", f"metalocus: {WHAT}{expected}\n")
    tensors, header = read_tensors(file)
    assert header["counters"]["num_timesteps"] == 40
    assert all(torch.isfinite(t).all() for n, t in tensors.items() if n.startswith("policy."))
    broken.undo()
    code, out, err = call(train_command)
    assert (code, out, err) == (0, f"{file.parent}\n", "")
    assert is_done(file.parent)


def test_a_bad_number_before_the_first_checkpoint_says_so(broken, train_command, call, elsewhere):
    none = "there is no checkpoint yet; mend the cause, then the same command begins anew"
    assert call(train_command) == (1, "", f"metalocus: {WHAT}{none}\n")
