"""What each probe costs."""

from __future__ import annotations

import time
from contextlib import suppress

from metalocus.agents.catalogue import make_named
from metalocus.envs import InvalidTask, Setting
from metalocus.experiments.bench.base import TEN_ARMS, Row
from metalocus.experiments.probes.base import PROBES


def bench_probe() -> list[Row]:
    """CPU seconds of each probe on a counting agent, 1,000 episodes of the default bandit.

    Probes of other tasks are left out.
    """
    setting = Setting(TEN_ARMS.env)
    rows = []
    for name, probe in PROBES.items():
        began = time.process_time()
        with suppress(InvalidTask):
            probe().run(make_named("counts_in_state", setting.family), setting, episodes=1000)
            rows.append({"probe": name, "cpu_s": round(time.process_time() - began, 2)})
    return rows
