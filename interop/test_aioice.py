"""floe against aioice, over real sockets in a network namespace.

Usage: test_aioice.py quick|self|N (see interop/run). FLOE_BIN names the binary.
"""

import contextlib
import os
import queue
import signal
import sys
import unittest

from peers import Namespace, Peer, converse

HERE = os.path.dirname(os.path.abspath(__file__))
# Seconds until a peer gives up by itself, and until it is killed if it does not.
DEADLINE = 10
PATIENCE = DEADLINE + 4


def floe(role, *options):
    return ["floe", os.environ["FLOE_BIN"], "connect", role, "--deadline", str(DEADLINE), *options]


def aioice(role, *options):
    program = os.path.join(HERE, "aioice_peer.py")
    return ["aioice", sys.executable, program, role, "--deadline", str(DEADLINE), *options]


def meet(*commands):
    """Runs two peers, each a name and its command line, until both have exited."""
    signals = queue.Queue()
    peers = []
    with Namespace() as namespace, contextlib.ExitStack() as stack:
        for name, *command in commands:
            peers.append(Peer(name, namespace, command, signals))
            stack.callback(peers[-1].stop)
        converse(*peers, signals, PATIENCE)
    return peers


def faults(peer, other, trickled):
    """What `peer` did not do, in words."""
    if peer.process.returncode != 0:
        yield f"{peer.name} exited with {peer.process.returncode}"
    if not peer.saying("connected"):
        yield f"{peer.name} did not connect"
    if f"hello from {other.name}" not in [message.get("text") for message in peer.saying("data")]:
        yield f"{peer.name} got no data from {other.name}"
    ends = [message.get("eoc") for message in peer.saying("desc")]
    if ends != [not trickled]:
        yield f"{peer.name} gave descriptions with eoc {ends}, not one with {not trickled}"
    if bool(peer.saying("cand")) != trickled or bool(peer.saying("eoc")) != trickled:
        yield f"{peer.name} {'did not trickle' if trickled else 'trickled unasked'}"


class Case(unittest.TestCase):
    def assert_connect(self, one, other):
        peers = meet(one, other)
        found = []
        for peer, opposite, command in zip(peers, reversed(peers), (one, other)):
            found += faults(peer, opposite, "--trickle" in command)
        if found:
            self.fail("\n".join([*found, *(peer.transcript() for peer in peers)]))


class FloeAndAioice(Case):
    def test_floe_controlling(self):
        self.assert_connect(floe("controlling"), aioice("controlled"))

    def test_floe_controlled(self):
        self.assert_connect(floe("controlled"), aioice("controlling"))

    def test_floe_controlling_trickles(self):
        self.assert_connect(floe("controlling", "--trickle"), aioice("controlled"))

    def test_floe_controlled_trickles(self):
        self.assert_connect(floe("controlled", "--trickle"), aioice("controlling"))

    def test_floe_lite(self):
        self.assert_connect(floe("controlled", "--lite"), aioice("controlling"))


class AioiceAndAioice(Case):
    """The harness by itself: where this fails, floe is not to blame."""

    def test_plain(self):
        self.assert_connect(aioice("controlling"), aioice("controlled"))

    def test_trickled(self):
        self.assert_connect(aioice("controlling", "--trickle"), aioice("controlled", "--trickle"))


def main(what):
    # Ended politely, a run still takes its namespace and its peers with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    case = AioiceAndAioice if what == "self" else FloeAndAioice
    rounds = int(what) if what.isdigit() else 1
    suite = unittest.TestSuite(
        test for _ in range(rounds) for test in unittest.defaultTestLoader.loadTestsFromTestCase(case)
    )
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 0 if failed == 0 and result.testsRun else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
