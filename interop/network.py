"""A network of one server and its clients, each in a network namespace of its own, with firewalls between them."""

import concurrent.futures
import contextlib
import ctypes
import itertools
import os
import socket
import subprocess

# What all need to find each other at all.
NEIGHBOURS = "ether type arp accept\nicmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
# os.setns comes with Python 3.12.
LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000


class Host:
    """A network namespace with at most one address of each family. IPv4 is 4, and IPv6 is 6."""

    counter = itertools.count()

    def __init__(self, addresses):
        self.name = f"floe-interop-{os.getpid()}-net-{next(self.counter)}"
        self.addresses = addresses

    def __enter__(self):
        subprocess.run(["ip", "netns", "add", self.name], check=True)
        try:
            self.ip("link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        subprocess.run(["ip", "netns", "delete", self.name], check=True)

    def ip(self, *words):
        subprocess.run(["ip", "-n", self.name, *words], check=True)

    def set_up(self, link):
        # Only our own addresses, and these at once: link-local ones come when duplicate detection is through.
        self.ip("link", "set", link, "addrgenmode", "none")
        for family, address in self.addresses.items():
            manners = ["nodad"] if family == 6 else []
            self.ip("address", "add", f"{address}/{24 if family == 4 else 64}", "dev", link, *manners)
        self.ip("link", "set", link, "up")

    def filter(self, rules):
        subprocess.run(["ip", "netns", "exec", self.name, "nft", "-f", "-"], input=rules, text=True, check=True)

    def udp(self, address, port=0):
        """A socket of this host for this process, of which only the thread that opens it ever enters the namespace."""

        def opened():
            with open(f"/run/netns/{self.name}") as namespace:
                if LIBC.setns(namespace.fileno(), CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"cannot enter {self.name}")
            udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            udp.bind((address, port))
            return udp

        with concurrent.futures.ThreadPoolExecutor(1) as thread:
            return thread.submit(opened).result()


class Network:
    """A server and clients that reach it, and each other, over one link."""

    def __init__(self, clients=("alice", "bob"), families=(4, 6)):
        def host(number):
            return Host({family: address for family, address in addresses(number).items() if family in families})

        self.server = host(1)
        self.clients = {name: host(number) for number, name in enumerate(clients, start=2)}

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            for host in (self.server, *self.clients.values()):
                stack.enter_context(host)
            # Without snooping, what is for all goes to all, also before the bridge knows who listens.
            self.server.ip("link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
            for name, host in self.clients.items():
                self.server.ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", host.name)
                self.server.ip("link", "set", name, "addrgenmode", "none", "master", "bridge", "up")
                host.set_up("eth0")
            self.server.set_up("bridge")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def let_out(self, client, rule):
        """A firewall on the way swallows all that `client` sends but its neighbour discovery and what fits nft's `rule`."""
        hook = f'type filter hook ingress device "{client}" priority 0; policy drop;'
        self.server.filter(f"table netdev {client} {{\nchain out {{\n{hook}\n{NEIGHBOURS}\n{rule} accept\n}}\n}}\n")

    def refuse_own(self, client, rule):
        """The firewall of `client` itself, which makes its sends fail: all but what fits `rule`."""
        hook = "type filter hook output priority 0; policy drop;"
        neighbours = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept"
        host = self.clients[client]
        host.filter(
            f'table inet own {{\nchain out {{\n{hook}\noifname "lo" accept\n{neighbours}\n{rule} accept\n}}\n}}\n'
        )


def addresses(number):
    return {4: f"10.77.0.{number}", 6: f"fd77::{number}"}
