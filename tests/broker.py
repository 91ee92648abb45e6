"""Brokers of a test's own, which it may kill: a Redis server that keeps a log, and a RabbitMQ node."""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from tests.site import free_port, wait_for

LOOPBACK = "127.0.0.1"


class Broker:
    """One server in a folder; what it stored there is found again after a kill."""

    PROGRAM = ""
    PATIENCE_SECONDS = 90

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def installed(cls) -> bool:
        return shutil.which(cls.PROGRAM) is not None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> tuple[list[str], dict[str, str]]:
        """How to start it: arguments and environment."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it, and wait until it takes connections."""
        arguments, environment = self.command()
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                arguments, env=os.environ | environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(f"the start of {self.PROGRAM}", self._listens, self.PATIENCE_SECONDS)

    def kill(self) -> None:
        """SIGKILL to it and everything it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, self.port), timeout=1):
            return True
        return False


class RedisServer(Broker):
    """Redis that writes every command to its log before it answers."""

    PROGRAM = "redis-server"

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def command(self) -> tuple[list[str], dict[str, str]]:
        log = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]
        return [self.PROGRAM, "--bind", LOOPBACK, "--port", str(self.port), "--dir", str(self.folder), *log], {}


class RabbitNode(Broker):
    """A RabbitMQ node beside the machine's own, without plugins, under a name of its own."""

    PROGRAM = "/usr/lib/rabbitmq/bin/rabbitmq-server"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._distribution_port = free_port()
        (folder / "plugins").write_text("[].")

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{LOOPBACK}:{self.port}//"

    def command(self) -> tuple[list[str], dict[str, str]]:
        nothing = str(self.folder / "nothing")
        environment = {
            "HOME": str(self.folder),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": f"arena-test-{self.port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": LOOPBACK,
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "store"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_CONFIG_FILE": nothing,
            "RABBITMQ_CONF_ENV_FILE": nothing,
        }
        return [self.PROGRAM], environment
