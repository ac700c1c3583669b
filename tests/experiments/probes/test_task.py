"""What probes ask of a task: which of its choices pay, and which rewards come before one."""

from metalocus.envs import Setting
from metalocus.experiments.instruments.task import no_telling_reward, paying_trials
from metalocus.experiments.probes.base import PROBES

DATASET = "metalocus/DatasetBandit-v0"


def test_choices_pay_where_one_action_is_worth_more_than_another():
    for setting, expected in (
        (Setting("metalocus/BernoulliBandit-v0", horizon=5), [0, 1, 2, 3, 4]),
        (Setting("metalocus/TwoStep-v0", horizon=8), [0, 2, 4, 6]),
        (Setting(DATASET), [0]),
        (Setting(DATASET, again=True), [0, 1]),
        (Setting(DATASET, sequence=True, n_examples=4), [4]),
        (Setting(DATASET, sequence=True, n_examples=4, again=True), [4, 5]),
        (Setting("metalocus/GaussianBandit-v0", prior_sd=0.0, horizon=5), []),
    ):
        assert paying_trials(setting) == expected, setting


def test_no_reward_is_asked_about_where_all_come_too_late():
    """Its input never differs before the one choice that pays: what is shown otherwise is alien."""
    for kwargs, expected in (
        ({"sequence": True}, "before any reward"),
        ({"sequence": True, "again": True}, None),
        ({"again": True}, None),
        ({}, "use a horizon of at least 2"),
    ):
        setting = Setting(DATASET, **kwargs)
        reasons = [no_telling_reward(setting)]
        reasons += [
            PROBES[name]().why_not(None, setting) for name in ("reward_channel", "influence")
        ]
        for reason in reasons:
            assert reason is None if expected is None else expected in reason, (kwargs, reason)
