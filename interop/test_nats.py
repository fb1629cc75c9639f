"""floe against floe through real NATs: what each preset does to floe here has to be what it does in the simulator.

Usage: test_nats.py ROUNDS (see interop/run). FLOE_BIN names the binary.
"""

import concurrent.futures
import contextlib
import itertools
import os
import queue
import re
import sys
import tempfile
import time
import unittest

from coturn import Coturn
from nats import PRESETS, Homes
from peers import PATIENCE, Peer, converse, faults, floe, introduce, run

# RFC 4787: what a mapping depends on (section 4.1), and what the filter looks at (section 5).
INDEPENDENT, ADDRESS, ADDRESS_AND_PORT = "endpoint-independent", "address-dependent", "address-and-port-dependent"
AXES = {
    "full_cone": (INDEPENDENT, INDEPENDENT),
    "address_restricted": (INDEPENDENT, ADDRESS),
    "port_restricted": (INDEPENDENT, ADDRESS_AND_PORT),
    "symmetric": (ADDRESS_AND_PORT, ADDRESS_AND_PORT),
}


class Probes(unittest.TestCase):
    """Each preset seen from outside, by plain sockets at two ports of two public addresses."""

    # Seconds in which a datagram gets through, where it can.
    PATIENCE = 5
    PORTS = (4001, 4002)
    INSIDE = 5000

    def begin(self, preset):
        self.homes = self.enterContext(Homes(preset, preset))
        self.inside = self.socket(self.homes.hosts["left"], self.homes.hosts["left"].addresses[4], self.INSIDE)
        places = [(address, port) for address in (Homes.SERVER, Homes.OTHER) for port in self.PORTS]
        self.outside = {place: self.socket(self.homes.server, *place) for place in places}

    def socket(self, host, *place):
        udp = self.enterContext(host.udp(*place))
        udp.settimeout(self.PATIENCE)
        return udp

    def mapped(self, place):
        """Where the host's datagram to a place seems to come from."""
        self.inside.sendto(b"out", place)
        return self.outside[place].recvfrom(100)[1]

    def let_in(self, external, places):
        """Those of the places whose datagrams to the external address get in; the last one is a place that does."""
        for place in places:
            self.outside[place].sendto(b"in", external)
        seen = set()
        with contextlib.suppress(TimeoutError):
            while places[-1] not in seen:
                seen.add(self.inside.recvfrom(100)[1])
        return seen

    def probe(self, preset):
        self.begin(preset)
        asked, other_port, other_address, other_both = self.outside
        # Nobody is let in where nothing has gone out yet.
        self.outside[other_both].sendto(b"in", (self.homes.external("left"), self.INSIDE))
        first = self.mapped(asked)
        self.assertEqual(self.let_in(first, [asked]), {asked})
        entered = self.let_in(first, [other_both, other_address, other_port, asked])
        filtering = {
            frozenset(): ADDRESS_AND_PORT,
            frozenset([other_port]): ADDRESS,
            frozenset([other_port, other_address, other_both]): INDEPENDENT,
        }.get(frozenset(entered - {asked}), entered)
        # They have been heard, or turned away, and that must not change where they are answered from.
        seen = {place: self.mapped(place) for place in self.outside}
        self.assertEqual(seen[asked], first)
        distinct = len(set(seen.values()))
        by_address = seen[asked] == seen[other_port] and seen[other_address] == seen[other_both]
        mapping = {1: INDEPENDENT, 2: ADDRESS if by_address else seen, 4: ADDRESS_AND_PORT}.get(distinct, seen)
        self.assertEqual((mapping, filtering), AXES[preset])
        # Those who were sent to get in: each where it was sent from.
        for place, external in seen.items():
            self.assertEqual(self.let_in(external, [place]), {place})

    def test_full_cone(self):
        self.probe("full_cone")

    def test_address_restricted(self):
        self.probe("address_restricted")

    def test_port_restricted(self):
        self.probe("port_restricted")

    def test_symmetric(self):
        self.probe("symmetric")

    def test_private_addresses_lead_nowhere(self):
        self.begin("full_cone")
        right = self.homes.hosts["right"]
        neighbour = self.socket(right, right.addresses[4], self.INSIDE)
        self.inside.sendto(b"private", (right.addresses[4], self.INSIDE))
        neighbour.sendto(b"out", next(iter(self.outside)))
        seen = next(iter(self.outside.values())).recvfrom(100)[1]
        self.inside.sendto(b"public", seen)
        self.assertEqual(neighbour.recv(100), b"public")


class Cells(unittest.TestCase):
    """Every preset on the controlling side with every preset on the controlled side, without a relay and with one."""

    # So many meet at a time: they wait more than they work.
    AT_A_TIME = 8

    @classmethod
    def setUpClass(cls):
        cls.pool = concurrent.futures.ThreadPoolExecutor(cls.AT_A_TIME)
        # Those that do not connect, which lasts longest, come first.
        cells = sorted(SIMULATED, key=connects)
        cls.meetings = {cell: Meeting(*cell) for cell in cells}
        cls.ends = {cell: cls.pool.submit(meeting.hold) for cell, meeting in cls.meetings.items()}

    @classmethod
    def tearDownClass(cls):
        cls.pool.shutdown(wait=False, cancel_futures=True)
        while not all(end.done() for end in cls.ends.values()):
            for meeting in cls.meetings.values():
                meeting.interrupt()
            time.sleep(0.1)

    def run(self, result=None):
        try:
            return super().run(result)
        except KeyboardInterrupt:
            # Then unittest leaves it out.
            self.tearDownClass()
            raise

    def judge(self, cell):
        """What becomes of a cell is what the simulator says, on both sides."""
        self.ends[cell].result()
        meeting = self.meetings[cell]
        left, right = meeting.peers
        ends = (end(left), end(right))
        found = [] if ends == SIMULATED[cell] else [f"left and right: {ends}, in the simulator {SIMULATED[cell]}"]
        if connects(cell):
            found += [*faults(left, right, False), *faults(right, left, False)]
            if list(reversed(pair(left))) != pair(right):
                found.append(f"different pairs: {pair(left)} on the left and {pair(right)} on the right")
        else:
            statuses = [peer.process.returncode for peer in meeting.peers]
            whys = tuple(words(message["why"] for message in peer.saying("fail")) for peer in meeting.peers)
            if (statuses, whys) != ([1, 1], ends):
                found.append(f"gave up with {statuses} because of {whys}")
        if found:
            self.fail("\n".join([*found, meeting.transcript()]))


class Meeting:
    """Two floes that try to connect, each behind a NAT, with a server that relays or only tells them their addresses."""

    def __init__(self, left, right, relay):
        self.left, self.right, self.relay = left, right, relay
        self.peers = []
        self.log = ""

    def hold(self):
        signals = queue.Queue()
        with contextlib.ExitStack() as stack:
            homes = stack.enter_context(Homes(self.left, self.right))
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            # It tells addresses at both of its own, and relays from the first.
            addresses = ["-L", Homes.OTHER, "-E", Homes.SERVER]
            coturn = stack.enter_context(Coturn(homes.server, folder, "--no-tls", *addresses))
            servers = ["--stun", f"{Homes.OTHER}:{coturn.PORT}"]
            if self.relay:
                servers += ["--turn", coturn.turn(4, "udp")]
            for role, host in zip(("controlling", "controlled"), homes.hosts.values()):
                name, *command = floe(role, *servers)
                self.peers.append(Peer(name, host, command, signals))
                stack.callback(self.peers[-1].stop)
            introduce(*self.peers, signals, PATIENCE)
            converse(*self.peers, signals, PATIENCE)
            self.log = coturn.log()

    def interrupt(self):
        for peer in self.peers:
            peer.process.kill()

    def transcript(self):
        return "\n".join([*(peer.transcript() for peer in self.peers), "--- coturn", self.log])


def pair(peer):
    """Our end and the peer's of the pair that was selected first, with their types."""
    return next((message["pair"].split(" > ") for message in peer.saying("connected")), [])


def end(peer):
    """How it ended for a peer: the types of its pair's ends, or else what its trouble was."""
    if selected := pair(peer):
        return "-".join(candidate.split()[0] for candidate in selected)
    return words(message["why"] for message in peer.saying("state") if message["state"] == "trouble")


def words(causes):
    """Why there is no path. How many checks there were is a matter of time."""
    return "; ".join(re.sub(r"\d+", "N", cause) for cause in causes)


def simulated():
    """How each cell ends in the simulator for the left and for the right, from the snapshot of its grid."""
    cells = {}
    with open(SNAPSHOT) as snapshot:
        for line in snapshot:
            if found := re.match(ROW, line):
                left, right, relay, *pairs, one, other = found.groups()
                whys = [words([cause for cause in re.split(TOLD, why or "") if cause]) for why in (one, other)]
                cells[left, right, relay is not None] = tuple(pairs if pairs[0] else whys)
    return {cell: cells[cell] for cell in itertools.product(PRESETS, PRESETS, (False, True))}


def connects(cell):
    return all(re.fullmatch(r"\w+-\w+", end) for end in SIMULATED[cell])


# What floe does by itself: `Nomination::Fast`.
SNAPSHOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "sim", "tests", "grid", "fast.txt")
ROW = r"(\w+) - (\w+)(, relay over UDP)?: (?:(\w+-\w+) seen as (\w+-\w+), |no path; left: (.+); right: (.+), checks )"
# What follows a cause.
TOLD = r" \(\d+ ms\)(?:; )?"
SIMULATED = simulated()

for cell in SIMULATED:
    name = f"test_{cell[0]}_and_{cell[1]}{'_relayed' if cell[2] else ''}"
    setattr(Cells, name, lambda self, cell=cell: self.judge(cell))

if __name__ == "__main__":
    sys.exit(run(Probes, Cells, rounds=int(sys.argv[1])))
