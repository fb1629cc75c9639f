"""An aioice agent that is signalled over stdin and stdout, one JSON object a line.

It speaks the protocol of `floe connect` (interop/README.md), sends `hello from aioice` every
200 ms once connected, and exits 0 one second after it has both sent and received a datagram.
"""

import argparse
import asyncio
import json
import logging
import sys
import time

import aioice

HELLO = b"hello from aioice"
# How long to go on sending after the first datagram came, so that the peer gets one too.
LINGER = 1.0
INTERVAL = 0.2


def say(**message):
    print(json.dumps(message), flush=True)


def to_attribute(candidate):
    return "candidate:" + candidate.to_sdp()


def from_attribute(line):
    # aioice reads the value without the name of the attribute.
    return aioice.Candidate.from_sdp(line.removeprefix("candidate:"))


async def stdin_lines():
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


async def listen(connection, described):
    """Feeds the connection what the peer signals; sets `described` once it may connect."""
    async for message in stdin_lines():
        if message["t"] == "desc":
            connection.remote_username = message["ufrag"]
            connection.remote_password = message["pwd"]
            connection.remote_is_lite = message.get("lite", False)
            for candidate in message["cands"]:
                await connection.add_remote_candidate(from_attribute(candidate))
            if message["eoc"]:
                await connection.add_remote_candidate(None)
            described.set()
        elif message["t"] == "cand":
            await connection.add_remote_candidate(from_attribute(message["cand"]))
        elif message["t"] == "eoc":
            await connection.add_remote_candidate(None)


def describe(connection, trickle):
    """Says our description; with `trickle`, each candidate in a line of its own after it."""
    candidates = [to_attribute(candidate) for candidate in connection.local_candidates]
    say(
        t="desc",
        ufrag=connection.local_username,
        pwd=connection.local_password,
        cands=[] if trickle else candidates,
        eoc=not trickle,
    )
    if trickle:
        for candidate in candidates:
            say(t="cand", cand=candidate)
        say(t="eoc")


async def send_hellos(connection, sent):
    while True:
        await connection.send(HELLO)
        sent.set()
        await asyncio.sleep(INTERVAL)


async def receive_one(connection):
    data = await connection.recv()
    say(t="data", text=data.decode(errors="replace"))


async def exchange(connection):
    """Sends until a datagram has come and `LINGER` has passed since."""
    sent = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        sender = tasks.create_task(send_hellos(connection, sent))
        await receive_one(connection)
        await sent.wait()
        await asyncio.sleep(LINGER)
        sender.cancel()


async def talk(connection, trickle):
    start = time.monotonic()
    await connection.gather_candidates()
    described = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        listener = tasks.create_task(listen(connection, described))
        describe(connection, trickle)
        await described.wait()
        await connection.connect()
        # aioice has no public way to tell the pair; the pinned version keeps it here.
        pair = connection._nominated[1]
        say(t="connected", ms=round((time.monotonic() - start) * 1000), pair=repr(pair))
        await exchange(connection)
        listener.cancel()


def reasons(error):
    """The errors inside an exception group, or the error itself."""
    if isinstance(error, BaseExceptionGroup):
        return [reason for inner in error.exceptions for reason in reasons(inner)]
    return [error]


def relaying(turn):
    """What aioice takes for a server like `HOST:PORT,USER,PASSWORD[,udp|tcp]`, without which it relays nothing."""
    if turn is None:
        return {}
    server, username, password, *transport = turn.split(",")
    host, port = server.rsplit(":", 1)
    return {
        "turn_server": (host, int(port)),
        "turn_username": username,
        "turn_password": password,
        "turn_transport": transport[0] if transport else "udp",
    }


async def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("role", choices=["controlling", "controlled"])
    parser.add_argument("--deadline", type=float, default=15, metavar="S", help="give up after this many seconds")
    parser.add_argument("--trickle", action="store_true", help="signal each candidate by itself")
    parser.add_argument("--turn", metavar="HOST:PORT,USER,PASSWORD[,udp|tcp]", help="have this server relay")
    parser.add_argument("--relay-only", action="store_true", help="tell of the relayed candidates only")
    options = parser.parse_args()
    logging.basicConfig(level=logging.DEBUG, format="%(relativeCreated)6d ms %(name)s %(message)s")

    policy = aioice.TransportPolicy.RELAY if options.relay_only else aioice.TransportPolicy.ALL
    connection = aioice.Connection(
        ice_controlling=options.role == "controlling", transport_policy=policy, **relaying(options.turn)
    )
    try:
        async with asyncio.timeout(options.deadline):
            await talk(connection, options.trickle)
    except Exception as error:
        say(t="fail", why="; ".join(repr(reason) for reason in reasons(error)))
        return 1
    finally:
        await connection.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
