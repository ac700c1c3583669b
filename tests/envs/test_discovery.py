"""Whatever has a module in a package is found, under its name, once."""

import sys
from types import ModuleType

import pytest

from metalocus.envs import InvalidTask
from metalocus.envs.discovery import Registry, classes, suggestion

BASE = "class Tool:\n    name: str\n"
FILES = {
    "__init__.py": "",
    "base.py": BASE,
    "saw.py": "from toolbox.base import Tool\nclass Saw(Tool):\n    name = 'saw'\n",
    "deep/__init__.py": "",
    "deep/deeper/__init__.py": "",
    "deep/deeper/drill.py": (
        "from toolbox.saw import Saw\n"
        "class Drill(Saw):\n    name = 'Drill'\n"
        "class Nameless(Saw):\n    pass\n"
        "class Other:\n    name = 'other'\n"
        "Alias = Drill\n"
    ),
    "deep/_helper.py": "from toolbox.saw import Saw\nname = 'helper'\nAGENTS = 5\n",
}


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Makes the registry of a package of the files of FILES and further ones; imports nothing."""

    def make(**more):
        for path, text in (FILES | {f"{name}.py": text for name, text in more.items()}).items():
            file = tmp_path / "toolbox" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return Registry("tool", "toolbox", lambda module: classes(base())(module))

    def base():
        return sys.modules["toolbox.base"].Tool

    monkeypatch.syspath_prepend(tmp_path)
    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "toolbox"]:
        del sys.modules[name]


def test_modules_of_subpackages_are_found_in_alphabetical_order_and_helpers_passed_over(tools):
    found = tools(zither="from toolbox.base import Tool\nclass Z(Tool):\n    name = 'axe'\n")
    assert list(found) == ["Drill", "axe", "saw"]
    assert found["axe"].__module__ == "toolbox.zither"
    assert found["Drill"].__module__ == "toolbox.deep.deeper.drill"
    assert len(found) == 3
    assert "other" not in found


def test_nothing_is_imported_before_the_first_look(tools):
    found = tools()
    assert "toolbox" not in sys.modules
    assert "saw" in found
    assert "toolbox.deep.deeper.drill" in sys.modules


def test_an_unknown_name_is_refused_with_the_nearest_one(tools):
    found = tools()
    for name, hint in (
        ("dril", "unknown tool 'dril'; did you mean 'Drill'? choose from Drill, saw"),
        ("box/SAW", "unknown tool 'box/SAW'; did you mean 'saw'? choose from Drill, saw"),
        ("hammer", "unknown tool 'hammer'; choose from Drill, saw"),
        ("", "unknown tool ''; choose from Drill, saw"),
        (5, "unknown tool 5; choose from Drill, saw"),
        (["saw"], "unknown tool ['saw']; choose from Drill, saw"),
        (10**5000, "unknown tool a value of type int; choose from Drill, saw"),
    ):
        with pytest.raises(InvalidTask) as caught:
            found.find(name)
        assert str(caught.value) == hint
    assert found.find("saw").__name__ == "Saw"


def test_two_things_of_one_name_are_refused_in_one_line(tools):
    found = tools(second="from toolbox.base import Tool\nclass Two(Tool):\n    name = 'saw'\n")
    for _ in range(2):
        with pytest.raises(InvalidTask) as caught:
            list(found)
        assert str(caught.value) == (
            "two things are called tool 'saw': in toolbox.saw and toolbox.second; rename one"
        )


def test_a_module_that_cannot_be_imported_is_not_passed_over(tools):
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        list(tools(broken="import no_such_module\n"))


def test_a_subpackage_that_cannot_be_imported_is_not_passed_over(tools):
    found = tools(**{"broken/__init__": "import no_such_module\n"})
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        list(found)


def test_entries_may_be_any_objects_and_the_same_one_may_be_met_twice(tools):
    tools(one="AGENTS = [object()]\n", two="from toolbox.one import AGENTS\n")

    def entries(module: ModuleType):
        listed = getattr(module, "AGENTS", ())
        return [] if listed == 5 else [("it", each) for each in listed]

    found = Registry("agent", "toolbox", entries)
    assert list(found) == ["it"]
    assert found["it"] is sys.modules["toolbox.one"].AGENTS[0]


def test_a_suggestion_looks_past_namespace_and_case():
    known = ["metalocus/BernoulliBandit-v0", "metalocus/Harlow-v0"]
    assert "did you mean 'metalocus/Harlow-v0'?" in suggestion("harlow-v1", known)
    assert "did you mean 'metalocus/BernoulliBandit-v0'?" in suggestion("Bernoulibandit-v0", known)
    assert suggestion("x", known) == f"; choose from {', '.join(known)}"


def test_of_very_many_names_the_nearest_are_told_and_the_command_that_lists_all():
    known = [f"thing_{i}" for i in range(100)]
    everything = "`metalocus list` shows all 100"
    near = "'thing_1' or 'thing_91' or 'thing_81'"
    assert suggestion("thing_1x", known) == f"; did you mean {near}? {everything}"
    assert suggestion("q", known) == f"; {everything}"
    assert suggestion("thing_1x", known[:20]).endswith("choose from " + ", ".join(known[:20]))
