"""floe against floe where a firewall drops UDP and lets TCP through, over real sockets in a network namespace.

Usage: test_tcp.py (see interop/run). FLOE_BIN names the binary.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import unittest

from peers import Namespace, Peer, converse

# Seconds until a peer gives up by itself, and until it is killed if it does not.
DEADLINE = 10
PATIENCE = DEADLINE + 4
# All of UDP, on its way in: in a namespace of its own, there is nothing else to hurt.
WITHOUT_UDP = "table inet floe { chain input { type filter hook input priority 0; meta l4proto udp drop; }; }"


def meet(*options):
    signals = queue.Queue()
    peers = []
    with Namespace() as namespace, contextlib.ExitStack() as stack:
        subprocess.run(["ip", "netns", "exec", namespace.name, "nft", WITHOUT_UDP], check=True)
        for role in ("controlling", "controlled"):
            command = [os.environ["FLOE_BIN"], "connect", role, "--deadline", str(DEADLINE), *options]
            peers.append(Peer(role, namespace, command, signals))
            stack.callback(peers[-1].stop)
        converse(*peers, signals, PATIENCE)
    return peers


class WithoutUdp(unittest.TestCase):
    def statuses(self, peers):
        return [peer.process.returncode for peer in peers], "\n".join(peer.transcript() for peer in peers)

    def test_tcp_connects(self):
        peers = meet("--tcp")
        statuses, log = self.statuses(peers)
        self.assertEqual(statuses, [0, 0], log)
        for peer in peers:
            self.assertIn("hello from floe", [message.get("text") for message in peer.saying("data")], log)

    def test_udp_alone_does_not(self):
        statuses, log = self.statuses(meet())
        self.assertEqual(statuses, [1, 1], log)


def main():
    # Ended politely, a run still takes its namespace and its peers with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(WithoutUdp)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 0 if failed == 0 and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main())
