"""floe against aioice, over real sockets in a network namespace.

Usage: test_aioice.py quick|self|N (see interop/run). FLOE_BIN names the binary.
"""

import contextlib
import queue
import sys
import unittest

from peers import PATIENCE, Namespace, Peer, aioice, converse, faults, floe, run


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
    case = AioiceAndAioice if what == "self" else FloeAndAioice
    return run(case, rounds=int(what) if what.isdigit() else 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
