"""coturn's client against `floe serve turn`, over real sockets in a network namespace.

Usage: test_coturn.py (see interop/run). FLOE_BIN names the binary.
"""

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import time
import unittest

from peers import Namespace, Peer, run

# Seconds until the client is killed. It needs about seven for its start, whatever the server does.
PATIENCE = 60
MESSAGES = 10
CLIENTS = 2
# UDP, TCP and TLS.
PLACES = 3
TLS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli", "tests", "serve", "tls")


class CoturnAndFloe(unittest.TestCase):
    """`turnutils_uclient` sends messages from relayed address to relayed address and counts those that arrive."""

    def relay(self, *options):
        with Namespace() as namespace, contextlib.ExitStack() as stack:
            place = f"{namespace.ADDRESS}:3478"
            tls = ["--tls-listen", f"{namespace.ADDRESS}:5349", "--tls-cert", f"{TLS}/cert.pem", "--tls-key", f"{TLS}/key.pem"]
            serve = [os.environ["FLOE_BIN"], "serve", "turn", "--listen", place, "--user", "interop:secret", *tls]
            server = Peer("floe", namespace, serve, queue.Queue())
            stack.callback(server.stop)
            listening(server, PLACES)
            client = subprocess.run(
                ["ip", "netns", "exec", namespace.name, "turnutils_uclient", "-y", "-c", "-u", "interop", "-w", "secret"]
                + ["-m", str(CLIENTS), "-n", str(MESSAGES), *options, namespace.ADDRESS],
                capture_output=True,
                text=True,
                errors="replace",
                timeout=PATIENCE,
            )
            server.process.send_signal(signal.SIGINT)
            server.process.wait(timeout=PATIENCE)
        said = client.stdout + client.stderr
        sent, received = max(map(pair, re.findall(r"tot_send_msgs=(\d+), tot_recv_msgs=(\d+)", said)), default=(0, 0))
        log = server.transcript()
        what = f"{said}\n{log}"
        self.assertEqual(client.returncode, 0, what)
        self.assertEqual((sent, received), (CLIENTS * MESSAGES, CLIENTS * MESSAGES), what)
        self.assertEqual(server.process.returncode, 0, what)
        self.assertIn("allocation of", log)
        self.assertNotIn("refusal of", log)

    # Send indications (-s): for channels it takes numbers of RFC 5766, most of which RFC 8656 section 12 forbids.

    def test_udp(self):
        self.relay("-s")

    def test_tcp(self):
        self.relay("-s", "-t")

    def test_tls(self):
        self.relay("-s", "-t", "-S", "-E", f"{TLS}/ca.pem", "-p", "5349")


def listening(server, places):
    """Waits until the server says that it listens at so many places."""
    end = time.monotonic() + PATIENCE
    while sum("listening on" in line for line in list(server.log)) < places:
        if time.monotonic() > end or server.process.poll() is not None:
            raise AssertionError(f"it does not listen\n{server.transcript()}")
        time.sleep(0.01)


def pair(numbers):
    return tuple(map(int, numbers))


if __name__ == "__main__":
    sys.exit(run(CoturnAndFloe))
