"""floe through coturn: relays over UDP, TCP and TLS, nonces that go stale, and firewalls that let nothing else out.

Usage: test_through_coturn.py (see interop/run). FLOE_BIN names the binary.
"""

import contextlib
import os
import queue
import re
import subprocess
import sys
import tempfile
import unittest

import network
from coturn import Coturn, certify
from network import Network
from peers import PATIENCE, Peer, aioice, converse, faults, floe, run

# For what is known at once: seconds until floe gives up.
SHORT = "3"
CLIENTS = ("alice", "bob")
# An authority that coturn's certificate is not from.
STRANGER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli", "tests", "serve", "tls", "ca.pem")


class ThroughCoturn(unittest.TestCase):
    def run(self, result=None):
        try:
            return super().run(result)
        except KeyboardInterrupt:
            # Then unittest leaves them out.
            self.doCleanups()
            raise

    def begin(self, *options, families=(4, 6), **ports):
        """A network with coturn in it, both gone after the test."""
        folder = self.enterContext(tempfile.TemporaryDirectory())
        certify(folder, network.addresses(1).values())
        self.authority = os.path.join(folder, "ca.pem")
        self.network = self.enterContext(Network(CLIENTS, families))
        self.coturn = self.enterContext(Coturn(self.network.server, folder, *options, **ports))

    def turn(self, family, transport, **other):
        return ["--turn", self.coturn.turn(family, transport, **other), "--tls-ca", self.authority]

    def converse(self, *commands, gathers_on=False):
        """Runs two peers, alice and bob, until both have exited; they must have connected."""
        signals = queue.Queue()
        peers = []
        with contextlib.ExitStack() as stack:
            for client, (name, *command) in zip(CLIENTS, commands):
                peers.append(Peer(name, self.network.clients[client], command, signals))
                stack.callback(peers[-1].stop)
            converse(*peers, signals, PATIENCE)
        found = []
        for peer, opposite, command in zip(peers, reversed(peers), commands):
            found += faults(peer, opposite, "--trickle" in command, gathers_on)
        if found:
            self.fail("\n".join([*found, *(peer.transcript() for peer in peers), self.coturn.log()]))
        return peers

    def assert_relayed(self, peers):
        """Each selected the way from its own relayed address to the other's, and coturn has carried the data."""
        log = self.coturn.wait_for(r"peer usage: .* rp=[1-9]\d*, rb=\d+, sp=[1-9]\d*,", len(peers))
        relayed = set(re.findall(r"Local relay addr: (\S+)", log))
        pairs = [peer.saying("connected")[0]["pair"] for peer in peers if peer.name == "floe"]
        ends = [re.findall(r"relay \[?([0-9a-f.:]+?)\]?:(\d+)(?= |$)", pair) for pair in pairs]
        what = "\n".join([*pairs, log])
        for pair in ends:
            self.assertEqual(len(pair), 2, what)
            self.assertLessEqual({f"{ip}:{port}" for ip, port in pair}, relayed, what)
        return log

    def relay(self, family, transport):
        """Two agents that may talk to the server only."""
        self.begin(families=(family,))
        address = self.network.server.addresses[family]
        for client in CLIENTS:
            self.network.let_out(client, f"{'ip' if family == 4 else 'ip6'} daddr {address}")
        options = ["--relay-only", *self.turn(family, transport)]
        self.assert_relayed(self.converse(floe("controlling", *options), floe("controlled", *options)))

    def test_relayed_over_udp(self):
        self.relay(4, "udp")

    def test_relayed_over_tcp(self):
        self.relay(4, "tcp")

    def test_relayed_over_tls(self):
        self.relay(4, "tls")

    def test_relayed_over_udp_ipv6(self):
        self.relay(6, "udp")

    def test_relayed_over_tcp_ipv6(self):
        self.relay(6, "tcp")

    def test_relayed_over_tls_ipv6(self):
        self.relay(6, "tls")

    def test_aioice_relayed_too(self):
        for role, other, transport in (("controlling", "controlled", "udp"), ("controlled", "controlling", "tcp")):
            with self.subTest(role=role):
                self.begin(families=(4,))
                turn = ["--relay-only", "--turn", self.coturn.turn(4, transport)]
                self.assert_relayed(self.converse(floe(role, *turn), aioice(other, *turn)))
                self.doCleanups()

    def test_stale_nonces(self):
        # Allocations of four seconds are refreshed every two, by when the nonce is stale.
        self.begin("--stale-nonce=1", "--max-allocate-lifetime=4", families=(4,))
        options = ["--relay-only", "--stay", "8", *self.turn(4, "udp")]
        peers = self.converse(floe("controlling", *options), floe("controlled", *options))
        log = self.assert_relayed(peers)
        stale = re.findall(r"session (\d+): .* error 438: Stale nonce", log)
        refreshed = re.findall(r"session (\d+): refreshed, .* lifetime=4", log)
        what = "\n".join([*(peer.transcript() for peer in peers), log])
        for session in set(re.findall(r"session (\d+): new", log)):
            # Longer than any allocation, and any nonce, would have lived by itself.
            self.assertGreaterEqual(stale.count(session), 3, what)
            self.assertGreaterEqual(refreshed.count(session), 3, what)
        for peer in peers:
            # Five a second: more than the first allocation would have lived for.
            self.assertGreater(len(peer.saying("data")), 25, what)
            self.assertNotIn("lost", [message["state"] for message in peer.saying("state")], what)

    def firewalled(self, block, port, transport, **ports):
        """Two agents that may use any path, of which firewalls leave what goes over TCP to one port."""
        self.begin(**ports)
        for client in CLIENTS:
            block(self.network, client, f"tcp dport {port}")
        # The server over UDP is waited for longer than it takes to connect without it.
        turn = ["--trickle", "--turn", self.coturn.turn(4, "udp"), *self.turn(4, transport)]
        self.assert_relayed(self.converse(floe("controlling", *turn), floe("controlled", *turn), gathers_on=True))

    def test_udp_swallowed_tcp_let_out(self):
        self.firewalled(Network.let_out, 3478, "tcp")

    def test_udp_swallowed_tls_on_443_let_out(self):
        self.firewalled(Network.let_out, 443, "tls", tls_port=443)

    def test_udp_refused_tcp_let_out(self):
        self.firewalled(Network.refuse_own, 3478, "tcp")

    def test_udp_refused_tls_on_443_let_out(self):
        self.firewalled(Network.refuse_own, 443, "tls", tls_port=443)

    def floe(self, *words):
        """One run of floe at alice, with no peer."""
        namespace = ["ip", "netns", "exec", self.network.clients["alice"].name]
        command = [*namespace, os.environ["FLOE_BIN"], *words]
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=PATIENCE
        )

    def refused(self, transport, words, *options):
        """floe tells why it has no relay, and ends with a failure when it has said it would."""
        port = Coturn.TLS_PORT if transport == "tls" else Coturn.PORT
        ended = self.floe("connect", "controlling", "--relay-only", "--deadline", SHORT, *options)
        what = f"{ended.stdout}\n{ended.stderr}\n{self.coturn.log()}"
        self.assertEqual(ended.returncode, 1, what)
        self.assertIn(f"floe: warning: server {network.addresses(1)[4]}:{port}: {words}\n", ended.stderr, what)
        self.assertIn("floe: no connection: ", ended.stderr, what)

    def test_wrong_password(self):
        self.begin(families=(4,))
        for transport in ("udp", "tls"):
            with self.subTest(transport=transport):
                words = "it does not take our username and password"
                self.refused(transport, words, *self.turn(4, transport, password="wrong"))

    def test_untrusted_certificate(self):
        self.begin(families=(4,))
        turn = self.coturn.turn(4, "tls")
        # Neither this authority nor, without one, those of the system have signed it.
        for trusted in (["--tls-ca", STRANGER], []):
            with self.subTest(trusted=trusted):
                self.refused("tls", "the server's certificate is not good", "--turn", turn, *trusted)

    def test_gather(self):
        self.begin()
        for family in (4, 6):
            for transport in ("udp", "tcp", "tls"):
                with self.subTest(family=family, transport=transport):
                    ended = self.floe("gather", *self.turn(family, transport))
                    what = f"{ended.stdout}\n{ended.stderr}\n{self.coturn.log()}"
                    self.assertEqual(ended.returncode, 0, what)
                    server = re.escape(self.coturn.place(family, transport))
                    rows = re.findall(rf"^relay +\[?([0-9a-f.:]+?)\]?:(\d+) +{server} +[\d.]+ ms$", ended.stdout, re.M)
                    self.assertTrue(rows, what)
                    for ip, port in rows:
                        self.assertIn(f"Local relay addr: {ip}:{port}\n", self.coturn.log(), what)


if __name__ == "__main__":
    sys.exit(run(ThroughCoturn))
