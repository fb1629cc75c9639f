//! A small NAT in front of a discovery, and an honest server behind it: what comes back for each question. Only so much of RFC 4787
//! as to lead the discovery to its end on every branch; the simulator has the rest.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use floe_core::SocketId;
use floe_core::wire::{Class, Message, MessageWriter, Method, ServerAttributes};

use super::bench::Addresses;

/// How many kinds of mapping and of filter there are.
pub(super) const MAPPINGS: u8 = 3;
pub(super) const FILTERS: u8 = 3;

/// What was sent outwards so far, and by whom.
#[derive(Default)]
pub(super) struct Nat {
    sent: BTreeSet<(SocketId, SocketAddr)>,
}

/// Something that comes back: to which socket, from where, and what.
pub(super) type Reply = (SocketId, SocketAddr, Vec<u8>);

impl Nat {
    pub(super) fn on_sent(&mut self, socket: SocketId, to: SocketAddr) {
        self.sent.insert((socket, to));
    }

    /// What comes of a question: an answer, our own datagram, or nothing. `kind` is mapping, filter and, above, hairpinning.
    pub(super) fn reply(
        &self,
        kind: u8,
        at: &Addresses,
        (socket, to): (SocketId, SocketAddr),
        request: &[u8],
    ) -> Option<Reply> {
        let hairpins = kind / (MAPPINGS * FILTERS) % 2 == 1;
        let seen = mapped(kind, at, socket, to);
        let receiver = |target| self.receiver(kind, at, target);
        if let Some(inside) = receiver(to).filter(|_| hairpins) {
            return self.lets_in(kind, inside, seen).then(|| (inside, seen, request.to_vec()));
        }
        if !at.servers.contains(&to) {
            return None;
        }
        let message = Message::parse(request).ok()?;
        let asked = ServerAttributes::read(&message).ok()?;
        let from = match asked.change_request() {
            Some(change) if change.ip => at.servers[3],
            Some(_) => at.servers[1],
            None => to,
        };
        let target = SocketAddr::new(seen.ip(), asked.response_port().unwrap_or(seen.port()));
        let inside = receiver(target)?;
        let mut buffer = [0; 128];
        let length =
            MessageWriter::new(&mut buffer, Class::Success, Method::BINDING, message.transaction_id())
                .xor_mapped_address(seen)
                .mapped_address(seen)
                .other_address(at.servers[3])
                .finish()
                .ok()?;
        self.lets_in(kind, inside, from).then(|| (inside, from, buffer.into_iter().take(length).collect()))
    }

    /// Whose mapping an outer address is.
    fn receiver(&self, kind: u8, at: &Addresses, outer: SocketAddr) -> Option<SocketId> {
        let flow = self.sent.iter().find(|(socket, to)| mapped(kind, at, *socket, *to) == outer);
        flow.map(|(socket, _)| *socket)
    }

    fn lets_in(&self, kind: u8, socket: SocketId, from: SocketAddr) -> bool {
        let mut sent = self.sent.iter().filter(|(of, _)| *of == socket);
        match kind / MAPPINGS % FILTERS {
            0 => true,
            1 => sent.any(|(_, to)| to.ip() == from.ip()),
            _ => sent.any(|(_, to)| *to == from),
        }
    }
}

/// The outer address of a flow.
fn mapped(kind: u8, at: &Addresses, socket: SocketId, to: SocketAddr) -> SocketAddr {
    let place = at.servers.iter().position(|server| *server == to).unwrap_or(at.servers.len()) as u16;
    let flow = match kind % MAPPINGS {
        0 => 0,
        // The server's two addresses have two ports each.
        1 => 1 + place / 2,
        _ => 4 + place,
    };
    SocketAddr::new(at.outer, 6_000 + socket.0 as u16 * 100 + flow)
}
