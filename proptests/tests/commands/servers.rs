//! Servers, and what the agent asks of its driver because of them.

use core::net::SocketAddr;

use floe_core::server::IceServer;
use floe_core::{CarrierError, RelayFamilies, ServerError, SocketId, StreamEnd, StreamId, TurnServer};

use super::Bench;

#[derive(Default)]
pub(crate) struct Servers {
    pub(crate) has_turn: bool,
}

impl Bench {
    /// A server, the useful more often than the odd. None ever answers.
    pub(super) fn server(&mut self, how: u8, host: u8) {
        let now = self.now();
        let at = match host {
            0..3 => SocketAddr::from(([192, 0, 2, host], 3_478)),
            3 => "[2001:db8:2::1]:3478".parse().unwrap(),
            _ => "0.0.0.0:3478".parse().unwrap(),
        };
        let (agent, user) = (&mut self.agent, "user");
        let taken = match how {
            0 => agent.add_stun_server(now, at),
            1 => agent.add_turn_server(now, TurnServer::udp(at, user, "secret")),
            2 => agent.add_turn_server(now, TurnServer::tcp(at, user, "another")),
            3 => {
                let server = TurnServer::udp(at, user, "secret").with_families(RelayFamilies::Apart);
                agent.add_turn_server(now, server)
            }
            4 => agent.add_turn_server(now, TurnServer::udp(at, "u".repeat(509), "secret")),
            _ => {
                let uris: &[&str] = match how {
                    5 => &["stun:stun.example", "turn:turn.example", "turns:turn.example"],
                    _ => &["turn:turn.example", "stuns:stun.example"],
                };
                let uris = uris.iter().map(|uri| uri.parse().unwrap()).collect();
                agent.add_ice_server(now, &IceServer::with_credentials(uris, user, "secret").unwrap())
            }
        };
        assert!(!self.is_closed || taken == Err(ServerError::Ended));
        let is_odd = how == 4 || how > 5 || how < 5 && host == 4;
        assert!(!is_odd || taken.is_err(), "it took {how} at {at}");
        self.servers.has_turn |= taken.is_ok() && how > 0;
    }

    pub(super) fn socket_answer(&mut self, id: u32, how: u8) {
        let (now, id) = (self.now(), SocketId(SocketId::FIRST_OF_AGENT.0 + id));
        let local = match how {
            0 => "10.0.0.1:30000",
            _ => "192.0.2.77:0",
        };
        let taken = match how {
            2 => self.agent.socket_refused(now, id),
            _ => self.agent.socket_opened(now, id, local.parse().unwrap()),
        };
        assert!(!self.is_closed || taken == Err(CarrierError::Ended));
        assert!(how != 1 || taken.is_err());
    }

    pub(super) fn stream_answer(&mut self, id: u32, how: u8, bytes: &[u8]) {
        let (now, id) = (self.now(), StreamId(id));
        match how {
            0 => {
                let _ = self.agent.stream_opened(now, id, "10.0.0.1:30000".parse().unwrap());
                let again = self.agent.stream_opened(now, id, "10.0.0.1:30001".parse().unwrap());
                assert!(again.is_err(), "opened twice");
            }
            1 => {
                let _ = self.agent.stream_closed(now, id, StreamEnd::Reset);
                let again = self.agent.stream_closed(now, id, StreamEnd::Reset);
                assert_eq!(again, Err(CarrierError::UnknownStream(id)));
            }
            2 => self.agent.stream_written(now, id, bytes.len() * 1_000),
            _ => {
                let mut scratch = vec![0; if how == 3 { 8 } else { 65_552 }];
                // Bytes as they come, or what may be the beginning of a frame.
                let head = match how {
                    5 => vec![0x40, 0, 0, bytes.len() as u8],
                    _ => Vec::new(),
                };
                let whole = [&head, bytes].concat();
                let (mut input, mut calls) = (&whole[..], 0);
                while !input.is_empty() {
                    self.agent.stream_input(now, id, &mut input, &mut scratch);
                    calls += 1;
                    assert!(calls <= whole.len(), "it takes nothing of the input");
                }
            }
        }
    }
}

/// Whether a server was given that may have this address: no candidate has its port.
pub(crate) fn is_server(remote: SocketAddr) -> bool {
    matches!(remote.port(), 3_478 | 5_349)
}
