"""What options ask for, as an object: an executor, a setting, an agent."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from metalocus.experiments.cli.texts import Texts, keywords
from metalocus.experiments.errors import WrongUse

if TYPE_CHECKING:
    from metalocus.experiments.runs.named import NamedSetting
    from metalocus.experiments.runs.subject import Subject


def on_executor(
    name: str, address: str | None = None, workers: int | None = None
) -> AbstractContextManager[None]:
    """A context in which work is done by an executor."""
    from metalocus.experiments.sweeps.executors.chosen import executed_by, executor_called

    return executed_by(executor_called(name, address, workers))


def subject_of(
    what: str,
    env: str | None,
    env_kwargs: Texts,
    algo: str | None,
    policy: str | None,
    policy_kwargs: Texts,
) -> Subject:
    """What is named on the command line, as an agent with its setting."""
    from metalocus.envs import Setting
    from metalocus.experiments.runs.subject import find_subject

    if env is None and env_kwargs:
        raise WrongUse("--env-kwargs are of one environment; name it with --env")
    setting = None if env is None else Setting(env, **keywords(env_kwargs))
    given = keywords(policy_kwargs, "--policy-kwargs") if policy_kwargs else None
    return find_subject(what, setting, algo, policy, given)


def setting_of(words: Texts) -> NamedSetting | None:
    """The setting of a question: a short name, or an id and arguments; None for no words."""
    from metalocus.experiments.runs.named import setting_called

    return setting_called(words[0], **keywords(words[1:], "--setting")) if words else None
