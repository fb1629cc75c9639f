"""Routers with the NATs of the simulator's presets, built from nftables, and two hosts, each behind one of them."""

import contextlib
import subprocess

from network import Host, Network

# Linux keeps the source port where it is free, so one internal port has one external port for all destinations, and
# conntrack lets in only what answers: endpoint-independent mapping, address- and port-dependent filtering.
MASQUERADE = "masquerade"
# A port at random for each destination.
SCATTER = "masquerade random,fully-random"
# What conntrack does not know of is let in by ports, or ports and addresses, that the host has sent from and to.
ANYONE = "udp dport @mapped accept"
KNOWN_ADDRESSES = "udp dport . ip saddr @known accept"

# How ports are mapped, and who is let in besides those who answer.
PRESETS = {
    "full_cone": (MASQUERADE, ANYONE),
    "address_restricted": (MASQUERADE, KNOWN_ADDRESSES),
    "port_restricted": (MASQUERADE, None),
    "symmetric": (SCATTER, None),
}

# What remembers where the host has sent from, and to. A mapping lives for two minutes (RFC 4787 REQ-5).
MEMORY = """
    set mapped { type inet_service; flags dynamic,timeout; timeout 2m; }
    set known { type inet_service . ipv4_addr; flags dynamic,timeout; timeout 2m; }
    chain back {
        type nat hook prerouting priority dstnat;
        iifname "eth0" udp dport @mapped dnat to %(host)s
    }
"""
REMEMBER = "update @mapped { udp sport } update @known { udp sport . ip daddr }"

# `eth0` is outside, `home` inside.
# What comes unasked for must be dropped before conntrack takes it for a session of the router itself: the host that
# sends to the same place later would find its port taken, and get another one.
ROUTER = """
table ip router {
    %(memory)s
    chain unasked {
        type filter hook input priority filter;
        iifname "eth0" drop
    }
    chain through {
        type filter hook forward priority filter; policy drop;
        iifname "home" %(remember)s accept
        iifname "eth0" ct state established accept
        %(let_in)s
    }
    chain out {
        type nat hook postrouting priority srcnat;
        oifname "eth0" %(masquerade)s
    }
}
"""


class Homes:
    """Two hosts, `left` and `right`, each behind a router with the NAT of a preset, and a server between the routers.

    The server has a second address. The private networks do not reach each other: no router knows a way.
    """

    SERVER, OTHER, NOBODY = "10.77.0.1", "10.77.0.254", "10.77.0.253"

    def __init__(self, left, right):
        self.street = Network(("left", "right"), families=(4,))
        self.server = self.street.server
        self.presets = {"left": left, "right": right}
        self.hosts = {side: Host({4: f"192.168.{number}.2"}) for number, side in enumerate(self.presets, start=1)}

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.street)
            self.server.ip("address", "add", f"{self.OTHER}/24", "dev", "bridge")
            # As on the Internet, the server can send to private addresses, and nothing comes of it: the next hop is nobody.
            # Where sending fails, coturn 4.6 ends the allocation.
            self.server.ip("neighbour", "add", self.NOBODY, "lladdr", "02:00:00:00:00:01", "dev", "bridge")
            self.server.ip("route", "add", "default", "via", self.NOBODY, "dev", "bridge")
            for side, host in self.hosts.items():
                stack.enter_context(host)
                self.put_behind(self.street.clients[side], host, self.presets[side])
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def external(self, side):
        return self.street.clients[side].addresses[4]

    def put_behind(self, router, host, preset):
        address = host.addresses[4]
        gateway = address.removesuffix("2") + "1"
        router.ip("link", "add", "home", "type", "veth", "peer", "name", "eth0", "netns", host.name)
        router.ip("link", "set", "home", "addrgenmode", "none", "up")
        router.ip("address", "add", f"{gateway}/24", "dev", "home")
        host.set_up("eth0")
        host.ip("route", "add", "default", "via", gateway)
        router.filter(rules(preset, address))
        forward = ["ip", "netns", "exec", router.name, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]
        subprocess.run(forward, check=True)


def rules(preset, host):
    """What nft is told in the router before `host`."""
    masquerade, let_in = PRESETS[preset]
    return ROUTER % {
        "masquerade": masquerade,
        "memory": MEMORY % {"host": host} if let_in else "",
        "remember": REMEMBER if let_in else "",
        "let_in": f'iifname "eth0" {let_in}' if let_in else "",
    }
