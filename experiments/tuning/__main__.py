"""``python -m metalocus.experiments.tuning``: tune online rules and print what was found."""

from __future__ import annotations

import sys
import time

import tyro

from metalocus.agents.catalogue import ONLINE
from metalocus.envs import InvalidTask
from metalocus.experiments.runs.named import (
    BANDIT,
    FIVE_ARMS,
    REVERSAL,
    RULES,
    NamedSetting,
    setting_called,
)
from metalocus.experiments.tuning.search import tune

SETTINGS = (
    BANDIT,
    FIVE_ARMS,
    NamedSetting("ten_arms", "ten-armed bandit, 100 pulls", BANDIT.env, n_arms=10, horizon=100),
    REVERSAL,
    RULES,
    NamedSetting("informative", "informative bandit, 5 pulls", "metalocus/InformativeBandit-v0"),
)
"""What the constants that rules come with are tuned on."""


def tuning(rule: str = "", setting: str = "", budget: float = 1e7, seed: int = 0) -> None:
    """Tune online rules; a line for each with what was spent and the constants.

    Ten million steps, the default, take about ten CPU seconds a rule and setting.

    Args:
        rule: its name; all rules if left out.
        setting: short name of one of the settings that rules come tuned for, or id of an
            environment with its default arguments; if left out, all the settings that rules come
            tuned for.
        budget: most environment steps to take; 0 for constants that are not tuned.
        seed: of candidates and episodes.
    """
    own = {each.name: each for each in SETTINGS}
    settings = SETTINGS if not setting else (own.get(setting) or setting_called(setting),)
    for each in settings:
        for name in [rule] if rule else ONLINE:
            if not rule and ONLINE[name].why_not(each.family) is not None:
                continue
            began = time.process_time()
            found = tune(name, each, int(budget), seed)
            seconds = time.process_time() - began
            pace = f"{found.spent / seconds:,.0f} a CPU second" if found.spent else "none"
            print(
                f"{name} on {each.name}, seed {seed}: {found.spent:,} steps ({pace}): "
                f"{found.settings}",
                flush=True,
            )


if __name__ == "__main__":
    try:
        tyro.cli(tuning, prog="python -m metalocus.experiments.tuning")
    except InvalidTask as error:
        sys.exit(f"tuning: {error}")
