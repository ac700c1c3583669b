"""Runs Python code in forks of one process that has imported all of an installed metalocus.

So the imports, most of what a command costs, are paid for once. It first says what an import looked
up in a registry, which none may. Then it answers each request, a line of JSON on standard input
with ``code``, ``path`` (folders to look for modules in first) and ``out`` and ``err`` (files for
what is written), with the exit code.
"""

import gc
import importlib
import json
import os
import pkgutil
import sys
import traceback

from metalocus.envs import discovery

FOLDERS = ("envs", "agents", "experiments")


def import_everything():
    """Import all modules; True if one of them looked at a registry, which loads plugins."""
    looked = []
    load_installed = discovery._load_installed
    discovery._load_installed = lambda: looked.append(True)
    for folder in FOLDERS:
        package = importlib.import_module(f"metalocus.{folder}")
        for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            importlib.import_module(info.name)
    importlib.import_module("torch._dynamo")  # as the first optimizer does
    discovery._load_installed = load_installed
    return bool(looked)


def act(code, path, out, err):
    """Run code as a script is run, and end; in the fork."""
    sys.path[:0] = path
    for number, name in enumerate((os.devnull, out, err)):
        os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
    try:
        exec(code, {"__name__": "__main__"})
        exit_code = 0
    except SystemExit as end:
        exit_code = end.code
    except BaseException:
        traceback.print_exc()
        exit_code = 1
    sys.stdout.flush()
    os._exit(exit_code)  # an end in order takes apart all that was imported, which copies it


def main():
    gc.disable()
    print(json.dumps(import_everything()), flush=True)
    gc.enable()
    gc.freeze()  # no fork searches what is imported for garbage, which would copy it all
    for line in sys.stdin:
        fork = os.fork()
        if not fork:
            act(**json.loads(line))
        print(os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]), flush=True)


if __name__ == "__main__":
    main()
