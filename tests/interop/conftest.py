"""The processes of the interoperability tests: our scripts on each runtime, and the other implementations' programs."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from host_tools.setup import micropython

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# More than a board's, for bodies of 20 kB and their copies.
HEAP = "512K"
RUNTIMES = ["cpython", *(name for name, _ in micropython.interpreters())]
PROCESS_TIMEOUT_S = 60


def command(runtime, script):
    """How to run one of our portable scripts."""
    if runtime == "cpython":
        return [sys.executable, str(HERE / script)], {"PYTHONPATH": f"{ROOT}:{ROOT / 'firmware'}:{HERE}"}
    path = str(dict(micropython.interpreters())[runtime])
    return [path, "-X", f"heapsize={HEAP}", str(HERE / script)], {
        "MICROPYPATH": f"{ROOT / 'firmware'}:{HERE}:.frozen"
    }


def run(argv, environment=None):
    """Run a program to its end; the JSON objects that it printed."""
    done = subprocess.run(
        [str(part) for part in argv],
        check=False,
        env=os.environ | (environment or {}),
        capture_output=True,
        timeout=PROCESS_TIMEOUT_S,
    )
    assert done.returncode == 0, (done.stdout + done.stderr).decode(errors="replace")
    return done.stdout


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Server:
    """A server in a process of its own."""

    def __init__(self, argv, port, environment=None):
        self.port = port
        self._output = []
        self._process = subprocess.Popen(
            [str(part) for part in argv],
            env=os.environ | (environment or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._ready = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        assert self._process.stdout
        for line in self._process.stdout:
            self._output.append(line)
            self._ready.set()

    def wait_for_line(self):
        assert self._ready.wait(10), "the server says nothing"
        assert self._process.poll() is None, b"".join(self._output).decode()
        return self

    def wait_for_ping(self):
        """Until it answers a CoAP ping, for programs that print nothing."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(0.05)
            sock.connect(("127.0.0.1", self.port))
            for _ in range(200):
                try:
                    sock.send(b"\x40\x00\x12\x34")
                    if sock.recv(100) == b"\x70\x00\x12\x34":
                        return self
                except OSError:
                    assert self._process.poll() is None, b"".join(self._output).decode()
                    time.sleep(0.02)
        raise AssertionError("the server does not answer")

    def stop(self):
        self._process.terminate()
        self._process.wait(10)
        self._reader.join(10)


@pytest.fixture(scope="session", params=RUNTIMES)
def runtime(request):
    return request.param


@pytest.fixture(scope="session")
def our_server(runtime):
    """peer_server.py on a runtime."""
    port = free_port()
    argv, environment = command(runtime, "peer_server.py")
    server = Server([*argv, port, 200], port, environment)
    yield server.wait_for_line()
    server.stop()


@pytest.fixture(scope="session")
def aiocoap_server():
    pytest.importorskip("aiocoap")
    port = free_port()
    server = Server([sys.executable, HERE / "aiocoap_server.py", port], port)
    yield server.wait_for_line()
    server.stop()


@pytest.fixture(scope="session")
def libcoap_server(coap_server):
    port = free_port()
    server = Server([coap_server, "-A", "127.0.0.1", "-p", port, "-d", "10", "-v", "3"], port)
    yield server.wait_for_ping()
    server.stop()


@pytest.fixture
def ask(runtime):
    """ask(port, steps) -> what our client on this runtime has to say of each step, and of itself at the end."""

    def ask_(port, steps, ack_timeout=200, szx=6):
        argv, environment = command(runtime, "peer_client.py")
        output = run([*argv, port, json.dumps(steps), ack_timeout, szx], environment)
        return [json.loads(line) for line in output.splitlines()]

    return ask_


@pytest.fixture
def aiocoap_ask():
    """The same for aiocoap's client."""
    pytest.importorskip("aiocoap")

    def ask_(port, steps):
        output = run([sys.executable, HERE / "aiocoap_client.py", port, json.dumps(steps)])
        return [json.loads(line) for line in output.splitlines()]

    return ask_


@pytest.fixture
def libcoap_ask(coap_client, tmp_path):
    """libcoap_ask(port, path, *options, payload=None) -> the payload that came back."""

    def ask_(port, path, *options, payload=None, seconds=20):
        received = tmp_path / "received"
        received.unlink(missing_ok=True)
        argv = [coap_client, "-v", "3", "-B", seconds, "-o", received, *options]
        if payload is not None:
            sent = tmp_path / "sent"
            sent.write_bytes(payload)
            argv += ["-f", sent]
        output = run([*argv, f"coap://127.0.0.1:{port}/{path}"])
        assert b"WARN" not in output, output.decode()
        return received.read_bytes() if received.exists() else b""

    return ask_
