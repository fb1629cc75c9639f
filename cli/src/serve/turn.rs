//! `floe serve turn`: one task that owns the server, and everything that comes to it in one queue.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use floe_sim::Instant;
use floe_sim::server::{FiveTuple, Transport, TurnConfig, TurnEvent, TurnOutput, TurnServer};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::sleep_until;

use super::streams::{self, Piece, Serial, StreamInput};
use super::udp::{Datagram, Sockets};
use super::{MAX_WAITING, SOFTWARE, cannot_listen, log, log_listening, tls};
use crate::args::ServeTurn;
use crate::error::Error;

/// What the server is told.
pub(super) enum Input {
    FromClient(Datagram),
    FromPeer(Datagram),
    Stream(StreamInput),
}

/// Serves until `stop`, and tells of everything.
pub(super) async fn run(args: &ServeTurn, stop: impl Future<Output = ()>) -> Result<(), Error> {
    let mut turn = Turn::bind(args)?;
    for (transport, local) in &turn.bound {
        log_listening(transport, *local)?;
    }
    turn.server.watch();
    turn.serve(stop).await?;
    let counts = turn.server.counts();
    let allocations = turn.server.allocations().count();
    let relayed = counts.to_peers + counts.to_clients;
    Ok(log(format_args!(
        "ended: {allocations} allocations open, {} requests, {relayed} datagrams relayed, {} dropped",
        counts.requests, counts.dropped
    ))?)
}

/// What is served. Relayed from are the addresses that are listened on, where no others are given.
fn config(args: &ServeTurn, listening: Vec<IpAddr>) -> TurnConfig {
    let relays = if args.relay_ip.is_empty() { listening } else { args.relay_ip.clone() };
    let first = relays.first().copied().unwrap_or(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));
    let mut config = TurnConfig::new(&args.realm, first);
    // From the loopback interface nothing else can be reached, so that who relays from there means peers there.
    if relays.iter().all(IpAddr::is_loopback) {
        config.refused_peers.retain(|prefix| !relays.iter().any(|relay| prefix.contains(*relay)));
    }
    config.relay_addresses = relays;
    config.users.clone_from(&args.user);
    config.software = Some(SOFTWARE.to_owned());
    config.max_relays = args.max_allocations;
    config.quota = args.quota;
    // Nothing here sets the flag of IPv4 for a single datagram.
    config.dont_fragment = false;
    config
}

/// A server and all that it is reached by.
pub(crate) struct Turn {
    server: TurnServer,
    /// When the server's time began.
    start: tokio::time::Instant,
    sockets: Sockets<Input>,
    relays: Sockets<Input>,
    /// The connections that are open: which one, and what is to be written to it.
    streams: BTreeMap<FiveTuple, (Serial, Sender<Vec<u8>>)>,
    queue: Receiver<Input>,
    /// Where it listens, and over what.
    bound: Vec<(&'static str, SocketAddr)>,
}

impl Turn {
    /// Opens everything that is to be listened on.
    pub(crate) fn bind(args: &ServeTurn) -> Result<Self, Error> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| Error::Output(error.into()))?;
        let (sender, queue) = mpsc::channel(MAX_WAITING);
        let mut sockets = Sockets::new(sender.clone(), Input::FromClient);
        let mut bound = Vec::new();
        for at in &args.listen {
            bound.push(("udp", sockets.bind(*at).map_err(cannot_listen("udp", *at))?));
            bound.push(("tcp", streams::listen(*at, None, &sender).map_err(cannot_listen("tcp", *at))?));
        }
        if let (Some(cert), Some(key)) = (&args.tls_cert, &args.tls_key) {
            let acceptor = tls::acceptor(cert, key)?;
            for at in &args.tls_listen {
                let local = streams::listen(*at, Some(acceptor.clone()), &sender);
                bound.push(("tls", local.map_err(cannot_listen("tls", *at))?));
            }
        }
        let udp = bound.iter().filter(|(transport, _)| *transport == "udp").map(|(_, at)| at.ip());
        let server = TurnServer::new(config(args, udp.collect()), seed)?;
        let relays = Sockets::new(sender, Input::FromPeer);
        let start = tokio::time::Instant::now();
        Ok(Self { server, start, sockets, relays, streams: BTreeMap::new(), queue, bound })
    }

    /// The first address that it is asked at over UDP.
    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.bound.first().map(|(_, at)| *at)
    }

    /// Serves until `stop`.
    pub(crate) async fn serve(&mut self, stop: impl Future<Output = ()>) -> Result<(), Error> {
        let mut stop = pin!(stop);
        loop {
            let due = self.server.next_deadline();
            let due = due.map(|due| self.start + Duration::from_nanos(due.as_nanos()));
            tokio::select! {
                biased;
                () = &mut stop => return Ok(()),
                () = sleep_until(due.unwrap_or(self.start)), if due.is_some() => {
                    self.server.advance(self.now(), &mut self.relays);
                }
                input = self.queue.recv() => match input {
                    Some(input) => self.on_input(input),
                    None => return Ok(()),
                },
            }
            self.flush()?;
        }
    }

    fn now(&self) -> Instant {
        let passed = self.start.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    fn on_input(&mut self, input: Input) {
        let now = self.now();
        match input {
            Input::FromClient(Datagram { local, remote, bytes }) => {
                self.server.receive(now, FiveTuple::udp(remote, local), &bytes, &mut self.relays);
            }
            Input::FromPeer(Datagram { local, remote, bytes }) => {
                self.server.relay_input(now, local, remote, &bytes);
            }
            Input::Stream(input) => self.on_stream(now, input),
        }
    }

    fn on_stream(&mut self, now: Instant, StreamInput { client, serial, piece }: StreamInput) {
        if let Piece::Opened(writer) = piece {
            // The same addresses again, before the end of the former connection was told.
            if self.streams.insert(client, (serial, writer)).is_some() {
                self.server.stream_closed(client, &mut self.relays);
            }
            return;
        }
        if self.streams.get(&client).is_none_or(|(current, _)| *current != serial) {
            return;
        }
        let ended = match piece {
            Piece::Bytes(bytes) => {
                self.server.stream_input(now, client, &bytes, &mut self.relays);
                false
            }
            Piece::Idle => self.server.allocation(client).is_none(),
            Piece::Opened(_) | Piece::Closed => true,
        };
        if ended {
            self.streams.remove(&client);
            self.server.stream_closed(client, &mut self.relays);
        }
    }

    /// Sends what is to be sent, and tells what has happened.
    fn flush(&mut self) -> Result<(), Error> {
        while let Some(output) = self.server.poll() {
            match output {
                TurnOutput::ToClient { client, bytes } if client.transport == Transport::Udp => {
                    self.sockets.send(client.server, client.client, &bytes);
                }
                TurnOutput::ToClient { client, bytes } => {
                    // A client that does not read loses whole frames, as it would on any other slow link.
                    if let Some((_, writer)) = self.streams.get(&client) {
                        let _full = writer.try_send(bytes);
                    }
                }
                TurnOutput::ToPeer { relay, peer, bytes, .. } => {
                    self.relays.send(relay, peer, &bytes);
                }
                TurnOutput::CloseStream(client) => {
                    self.streams.remove(&client);
                }
            }
        }
        while let Some(TurnEvent { client, kind }) = self.server.next_event() {
            let transport = match client.transport {
                Transport::Udp => "udp",
                Transport::Tcp => "tcp",
                Transport::Tls => "tls",
            };
            log(format_args!("{transport} {}: {kind}", client.client))?;
        }
        Ok(())
    }
}
