//! Servers that never say anything, and the sockets and streams that the agent asks for because of them.

use core::net::{IpAddr, SocketAddr};
use std::collections::BTreeMap;

use floe_core::server::IceServer;
use floe_core::{
    ComponentId, Instant, MAX_STREAM_BACKLOG, Received, RelayFamilies, SocketId, SocketRequest, StreamEnd,
    StreamId, Transmit, TurnServer,
};

use super::Stage;
use crate::PARTING;
use crate::places::address;
use crate::script::pick;

#[derive(Default)]
pub(super) struct Servers {
    /// Those that the agent has asked for, and whether they are open.
    sockets: BTreeMap<SocketId, (IpAddr, bool)>,
    streams: BTreeMap<StreamId, (bool, usize)>,
    has_turn: bool,
    /// Until when an agent that has ended may still give back what servers keep for it.
    parting: Option<Instant>,
}

impl Servers {
    pub(super) fn on_request(&mut self, request: SocketRequest) {
        match request {
            SocketRequest::Bind { socket, local } => {
                assert!(self.sockets.insert(socket, (local, false)).is_none(), "asked for twice");
            }
            SocketRequest::Connect { stream, local, remote, .. } => {
                assert_eq!(local.is_ipv4(), remote.is_ipv4(), "one address family");
                assert!(self.streams.insert(stream, (false, 0)).is_none(), "asked for twice");
            }
            SocketRequest::CloseStream(stream) => {
                assert!(self.streams.remove(&stream).is_some(), "no such stream to close");
            }
            SocketRequest::Close(socket) => {
                assert!(self.sockets.remove(&socket).is_some(), "no such socket to close");
            }
            other => panic!("asked for {other:?}"),
        }
        assert!(self.has_turn, "nobody has given a TURN server");
    }

    pub(super) fn on_transmit(
        &mut self,
        now: Instant,
        transmit: &Transmit<'_>,
        own: &BTreeMap<SocketId, (SocketAddr, ComponentId)>,
    ) {
        let may_send = self.parting.is_none_or(|end| self.has_turn && now <= end);
        assert!(may_send, "it has ended and sends {transmit:?}");
        match transmit.stream {
            Some(id) => {
                let (open, backlog) = self.streams.get_mut(&id).expect("a stream that there is");
                *backlog += transmit.contents.len();
                assert!(*open && *backlog <= MAX_STREAM_BACKLOG, "{backlog} bytes wait");
            }
            None => {
                let is_open = self.sockets.get(&transmit.socket).is_some_and(|(_, open)| *open);
                assert!(is_open || own.contains_key(&transmit.socket), "a socket that is gone");
            }
        }
    }

    /// The agent has failed or was closed: its allocations are deleted within a second.
    pub(super) fn on_end(&mut self, now: Instant) {
        self.parting = Some(now + PARTING);
    }

    /// Whether an agent that has ended may still have something to do.
    pub(super) fn may_linger(&self, now: Instant, until: Option<Instant>) -> bool {
        self.has_turn && until.is_some_and(|until| until > now && Some(until) <= self.parting)
    }

    /// What all that may weigh.
    pub(super) fn most_bytes(&self) -> i64 {
        let allocations = if self.has_turn { 32 * MOST_IN_ALLOCATION } else { 0 };
        allocations + self.streams.len() as i64 * MOST_IN_STREAM
    }
}

impl Stage {
    /// The application gives a server; whether it was taken.
    pub(super) fn server(&mut self, at: Instant, which: u8, how: u8) -> bool {
        let server = SocketAddr::new(address(which).ip(), 3_478);
        let turn = |server: TurnServer, families| server.with_families(families);
        let long = "x".repeat(509);
        let taken = match how % 8 {
            0 => return self.agent.add_stun_server(at, server).is_ok(),
            1 => {
                let server = TurnServer::udp(server, "user", format!("secret{}", how / 8));
                self.agent.add_turn_server(at, turn(server, RelayFamilies::Both))
            }
            2 => self.agent.add_turn_server(at, turn(TurnServer::tcp(server, "", ""), RelayFamilies::Ipv4)),
            3 => {
                let server = TurnServer::tls(server, "turn.example", "user", "secret");
                self.agent.add_turn_server(at, turn(server, RelayFamilies::Apart))
            }
            4 => {
                let server = TurnServer::udp(server, "user", "secret");
                self.agent.add_turn_server(at, turn(server, RelayFamilies::Apart))
            }
            5 => {
                let taken = self.agent.add_turn_server(at, TurnServer::udp(server, long, "secret"));
                assert!(taken.is_err(), "a username of 509 bytes");
                taken
            }
            _ => {
                let uris = pick(
                    [
                        &["stun:stun.example", "turn:turn.example?transport=tcp"][..],
                        &["turn:turn.example"],
                        &["turns:192.0.2.7:5349?transport=tcp"],
                        &["stuns:stun.example"],
                    ],
                    which,
                );
                let uris = uris.iter().map(|uri| uri.parse().expect("a good URI")).collect();
                let server = IceServer::with_credentials(uris, "user", "secret").expect("a good entry");
                self.agent.add_ice_server(at, &server)
            }
        }
        .is_ok();
        self.servers.has_turn |= taken;
        taken
    }

    pub(super) fn socket_answer(&mut self, at: Instant, which: u8, how: u8) -> bool {
        let asked = self.servers.sockets.iter().nth(usize::from(which % 8));
        let Some((&id, &(local, open))) = asked else {
            let unknown = SocketId(u32::MAX - u32::from(which));
            assert!(self.agent.socket_opened(at, unknown, address(which)).is_err());
            assert!(self.agent.socket_refused(at, unknown).is_err());
            return false;
        };
        match how % 3 {
            0 if !open => {
                let taken = self.agent.socket_opened(at, id, SocketAddr::new(local, 30_000)).is_ok();
                self.servers.sockets.insert(id, (local, taken));
            }
            0 => {}
            1 => assert!(self.agent.socket_opened(at, id, SocketAddr::new(local, 0)).is_err()),
            _ => {
                if self.agent.socket_refused(at, id).is_ok() {
                    self.servers.sockets.remove(&id);
                }
            }
        }
        false
    }

    pub(super) fn stream_answer(&mut self, at: Instant, which: u8, how: u8, bytes: &[u8]) {
        let asked = self.servers.streams.iter().nth(usize::from(which % 8));
        let (id, open) = asked.map_or((StreamId(u32::MAX), false), |(id, (open, _))| (*id, *open));
        let is_known = asked.is_some();
        match how % 4 {
            0 => {
                let taken = self.agent.stream_opened(at, id, address(0)).is_ok();
                assert!(!taken || is_known && !open);
                if let Some((open, _)) = self.servers.streams.get_mut(&id) {
                    *open |= taken;
                }
            }
            1 => {
                let end = pick([StreamEnd::Refused, StreamEnd::Ended, StreamEnd::Tls], how / 4);
                let taken = self.agent.stream_closed(at, id, end).is_ok();
                assert!(!taken || is_known);
                if taken {
                    self.servers.streams.remove(&id);
                }
            }
            2 => {
                let written = bytes.len() * usize::from(how);
                self.agent.stream_written(at, id, written);
                if let Some((_, backlog)) = self.servers.streams.get_mut(&id) {
                    *backlog = backlog.saturating_sub(written);
                }
            }
            _ => {
                // With room for a frame, and without.
                let mut scratch = vec![0; if how & 4 == 0 { 65_552 } else { 40 }];
                let (mut input, mut calls) = (bytes, 0);
                while !input.is_empty() {
                    let received = self.agent.stream_input(at, id, &mut input, &mut scratch);
                    assert!(!matches!(received, Received::Data { .. }), "data from a server");
                    calls += 1;
                    assert!(calls <= bytes.len(), "it takes nothing of the input");
                }
            }
        }
    }
}

/// Whether a server was given that may have this address: nobody else has its port.
pub(super) fn is_server(remote: SocketAddr) -> bool {
    matches!(remote.port(), 3_478 | 5_349)
}

/// An allocation: 128 permissions of some 70 bytes, and as many messages that wait for one, of some 150.
const MOST_IN_ALLOCATION: i64 = 32 * 1024;
/// The longest frame that there is, and that its buffer may have grown by doubling.
const MOST_IN_STREAM: i64 = 2 * 65_560;
