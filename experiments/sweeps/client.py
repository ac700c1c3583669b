"""A fork server as seen by who has orders for it."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from contextlib import suppress
from threading import Lock

from metalocus.envs.discovery import loaded_files
from metalocus.experiments.sweeps.order import LOST, NOT_STARTED, STOPPED, Order, Outcome
from metalocus.experiments.sweeps.processes import ENVIRONMENT

SERVER = "metalocus.experiments.sweeps.fork_server"
STOP_SECONDS = 15.0
"""After which a server that was asked to stop is killed; longer than it gives its worker."""


class ForkServer:
    """Starts a fork server when there is something to do, and again when it has been killed.

    Args:
        files: from outside the package that are to be loaded; None for those of this process.
    """

    def __init__(self, files: tuple[str, ...] | None = None) -> None:
        self.files = tuple(loaded_files()) if files is None else files
        self.process: subprocess.Popen[bytes] | None = None
        self.stopped = False
        self.lock = Lock()

    def attend(self, order: Order) -> Outcome:
        """Have an order carried out, and wait for it."""
        try:
            process = self._process()
        except OSError as error:
            said = f"its worker could not be started ({error})"
            return Outcome(NOT_STARTED, said, host=platform.node())
        if process is None:
            return Outcome(STOPPED, "interrupted", host=platform.node())
        assert process.stdin is not None
        assert process.stdout is not None
        answer = b""
        with suppress(BrokenPipeError, ValueError):
            process.stdin.write(f"{order.to_line()}\n".encode())
            process.stdin.flush()
            answer = process.stdout.readline()
        if answer.endswith(b"\n"):
            return Outcome.from_record(json.loads(answer))
        with self.lock:
            self.process = None
        process.stdin.close()
        process.stdout.close()
        code = process.wait()
        stopped = self.stopped
        return Outcome(STOPPED if stopped else LOST, f"killed (exit code {code})", 0, 0, _node())

    def stop(self) -> None:
        """Ask the server and its worker to end, and start no more."""
        with self.lock:
            self.stopped = True
            if self.process is not None:
                self.process.terminate()

    def wait(self) -> None:
        """Wait for the end; kill what does not end."""
        with self.lock:
            process, self.process = self.process, None
        if process is None:
            return
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _process(self) -> subprocess.Popen[bytes] | None:
        """The server, started if need be; None if it was stopped."""
        with self.lock:
            if self.stopped:
                return None
            if self.process is None or self.process.poll() is not None:
                self.process = self.start()
            return self.process

    def start(self) -> subprocess.Popen[bytes]:
        """Start the server; OSError if that cannot be."""
        command = [sys.executable, "-m", SERVER, str(os.getpid()), *self.files]
        pipe = subprocess.PIPE
        nowhere, more = subprocess.DEVNULL, {**os.environ, **ENVIRONMENT}
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=nowhere, env=more)


def _node() -> str:
    return platform.node()
