"""The settings that have a short name and a title: what claims and comparisons are made on."""

from __future__ import annotations

from typing import Any

from metalocus.envs import FAMILIES, InvalidTask, Setting
from metalocus.envs.discovery import unknown
from metalocus.experiments.runs.arguments import differing, env_defaults, listed


class NamedSetting(Setting):
    """A setting under a short name.

    Args:
        name: as given on the command line.
        title: a few words for people.
        env: as for :class:`~metalocus.envs.setting.Setting`.
        **kwargs: as for :class:`~metalocus.envs.setting.Setting`.
    """

    def __init__(self, name: str, title: str, env: str, /, **kwargs: Any) -> None:
        super().__init__(env, **kwargs)
        self.name, self.title = name, title


BERNOULLI, REVERSALS = "metalocus/BernoulliBandit-v0", "metalocus/ReversalBandit-v0"
BANDIT = NamedSetting("bandit", "two-armed bandit, 50 pulls", BERNOULLI, n_arms=2, horizon=50)
REVERSAL = NamedSetting(
    "reversal", "hidden reversals, 100 trials", REVERSALS, p=0.75, hazard=0.02, horizon=100
)
CUED = NamedSetting(
    "cued",
    "hidden reversals with the better arm shown, 100 trials",
    REVERSALS,
    **REVERSAL.kwargs,
    cued=True,
)
FIVE_ARMS = NamedSetting(
    "five_arms", "five-armed bandit, 100 pulls", BERNOULLI, n_arms=5, horizon=100
)
RULES = NamedSetting("rules", "rule switching, 100 cards", "metalocus/RuleSwitching-v0")
INFORMATIVE = NamedSetting(
    "informative",
    "eleven arms, one of which tells the target, 5 pulls",
    "metalocus/InformativeBandit-v0",
)
BINDING = NamedSetting(
    "binding",
    "four random cues, each bound to one of four actions, 32 trials",
    "metalocus/CueBinding-v0",
    n_cues=4,
    cue_bits=8,
    horizon=32,
)
DATASET = NamedSetting(
    "dataset",
    "twenty examples of five arms, one a trial, then one choice",
    "metalocus/DatasetBandit-v0",
    sequence=True,
    n_arms=5,
    n_examples=20,
)
NAMED = {
    setting.name: setting
    for setting in (BANDIT, REVERSAL, CUED, FIVE_ARMS, RULES, INFORMATIVE, BINDING, DATASET)
}
"""By the name on the command line."""


def setting_called(name: str, /, **kwargs: Any) -> NamedSetting:
    """The setting of a short name, or of an environment's id and its arguments.

    Args:
        name: one of ``NAMED``, or a full id.
        **kwargs: arguments of the environment; a short name takes none.

    Raises:
        InvalidTask: there is no such setting.
    """
    if name in FAMILIES:
        setting = Setting(name, **kwargs)
        setting.episodes()
        short = name.rpartition("/")[2].lower()
        return NamedSetting(short, title_of(setting), name, **kwargs)
    if name not in NAMED:
        known = unknown("setting", name, [*NAMED, *FAMILIES] if "-v" in name else NAMED)
        raise InvalidTask(f"{known}, or give the id of an environment and its arguments")
    if kwargs:
        raise InvalidTask(f"setting {name!r} takes no arguments; give {NAMED[name].env} its own")
    return NAMED[name]


def title_of(setting: Setting) -> str:
    """A few words for people: a named setting's title, else the id and what is not by default.

    Raises:
        InvalidTask: no such environment.
    """
    own = differing(setting.kwargs, env_defaults(setting))
    for named in NAMED.values():
        if setting.env == named.env and own == differing(named.kwargs, env_defaults(named)):
            return named.title
    return listed(setting.env.rpartition("/")[2], own)
