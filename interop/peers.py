"""A network namespace, peers, the signalling between them, and what they have to have done in the end."""

import contextlib
import itertools
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
# Seconds until a peer gives up by itself, and until it is killed if it does not.
DEADLINE = 10
PATIENCE = DEADLINE + 4
SIGNALLING = ("desc", "cand", "eoc")
# Between trickled candidates, in seconds: long enough that checks run before the next one comes.
TRICKLE_GAP = 0.1
# How long the other peer still gets when one has failed, in seconds: its own report is worth having.
GRACE = 3


class Namespace:
    """A network namespace with lo and one ordinary interface (aioice leaves 127.0.0.1 out)."""

    ADDRESS = "10.77.0.1"
    counter = itertools.count()

    def __enter__(self):
        self.name = f"floe-interop-{os.getpid()}-{next(self.counter)}"
        ip("netns", "add", self.name)
        try:
            self.ip("link", "set", "lo", "up")
            self.ip("link", "add", "eth0", "type", "veth", "peer", "name", "eth1")
            for link in ("eth0", "eth1"):
                # No IPv6 link-local address: whether it is past duplicate detection would differ from run to run.
                self.ip("link", "set", link, "addrgenmode", "none")
                self.ip("link", "set", link, "up")
            self.ip("address", "add", f"{self.ADDRESS}/24", "dev", "eth0")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        ip("netns", "delete", self.name)

    def ip(self, *words):
        ip("-n", self.name, *words)


def floe(role, *options):
    """The command line of a peer, its name first."""
    return ["floe", os.environ["FLOE_BIN"], "connect", role, "--deadline", str(DEADLINE), *options]


def aioice(role, *options):
    program = os.path.join(HERE, "aioice_peer.py")
    return ["aioice", sys.executable, program, role, "--deadline", str(DEADLINE), *options]


def ip(*words):
    subprocess.run(["ip", *words], check=True)


class Peer:
    """A process that signals in JSON lines, with all that it said and when."""

    def __init__(self, name, namespace, command, signals):
        self.name = name
        self.said = []
        self.log = []
        self.start = time.monotonic()
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace.name, *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            bufsize=1,
        )
        self.readers = [
            threading.Thread(target=self._read_stdout, args=(signals,), daemon=True),
            threading.Thread(target=self._read_stderr, daemon=True),
        ]
        for reader in self.readers:
            reader.start()

    def _read_stdout(self, signals):
        for line in self.process.stdout:
            self._note(f"out  {line.rstrip()}")
            try:
                message = json.loads(line)
                kind = message["t"]
            except (ValueError, TypeError, KeyError):
                self._note("     (not a message)")
                continue
            self.said.append(message)
            if kind in SIGNALLING:
                signals.put((self, message))

    def _read_stderr(self):
        for line in self.process.stderr:
            self._note(f"err  {line.rstrip()}")

    def _note(self, text):
        self.log.append(f"{(time.monotonic() - self.start) * 1000:6.0f} ms  {text}")

    def hear(self, message):
        """Writes one signalling message to the peer; one that has gone needs none."""
        line = json.dumps(message)
        self._note(f"in   {line}")
        try:
            self.process.stdin.write(line + "\n")
        except (BrokenPipeError, ValueError):
            self._note("     (not delivered: it has exited)")

    def saying(self, kind):
        return [message for message in self.said if message.get("t") == kind]

    def stop(self):
        """Ends the process if it still runs, and reads what it said to the end."""
        if self.process.poll() is None:
            self._note("     (killed: it was still running)")
            self.process.kill()
        self.process.wait()
        for reader in self.readers:
            reader.join(timeout=2)
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.stdout.close()
        self.process.stderr.close()

    def transcript(self):
        return "\n".join([f"--- {self.name}, exit status {self.process.returncode}", *self.log])


def converse(one, other, signals, patience):
    """Carries the signalling between two peers until both have exited or `patience` seconds have passed."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            sender, message = signals.get(timeout=0.05)
        except queue.Empty:
            statuses = [one.process.poll(), other.process.poll()]
            if None not in statuses:
                return
            if any(statuses):
                end = min(end, time.monotonic() + GRACE)
            continue
        if message["t"] != "desc":
            time.sleep(TRICKLE_GAP)
        (other if sender is one else one).hear(message)


def introduce(one, other, signals, patience):
    """Tells two peers of each other as soon as both have described themselves, so that neither checks long before the other."""
    end = time.monotonic() + patience
    said = {}
    while len(said) < 2 and None in (one.process.poll(), other.process.poll()) and time.monotonic() < end:
        with contextlib.suppress(queue.Empty):
            sender, message = signals.get(timeout=0.05)
            said[sender] = message
    for sender, message in said.items():
        (other if sender is one else one).hear(message)


def faults(peer, other, trickled, gathers_on=False):
    """What `peer` did not do, in words. One that waits for a server to the end need not say that it has all candidates."""
    if peer.process.returncode != 0:
        yield f"{peer.name} exited with {peer.process.returncode}"
    if not peer.saying("connected"):
        yield f"{peer.name} did not connect"
    if f"hello from {other.name}" not in [message.get("text") for message in peer.saying("data")]:
        yield f"{peer.name} got no data from {other.name}"
    ends = [message.get("eoc") for message in peer.saying("desc")]
    if ends != [not trickled]:
        yield f"{peer.name} gave descriptions with eoc {ends}, not one with {not trickled}"
    if bool(peer.saying("cand")) != trickled or bool(peer.saying("eoc")) != (trickled and not gathers_on):
        yield f"{peer.name} {'did not trickle' if trickled else 'trickled unasked'}"


def run(*cases, rounds=1):
    """Runs the tests of classes so many times, and gives the exit status."""
    # Ended politely, a run still takes its namespaces and its processes with it.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    suite = unittest.TestSuite(
        unittest.defaultTestLoader.loadTestsFromTestCase(case) for _ in range(rounds) for case in cases
    )
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(suite)
    failed = len(result.failures) + len(result.errors)
    print(f"{result.testsRun - failed} passed, {failed} failed")
    return 0 if failed == 0 and result.testsRun else 1
