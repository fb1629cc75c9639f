//! TURN servers: allocations as sockets of the agent's own. What is sent from one is framed for its server, and what the server
//! brings is taken out of its frame, so that checks and paths need not know.

use core::net::SocketAddr;

use super::carriers::Purpose;
use super::{Agent, Received, StreamEnd};
use crate::base::SocketId;

impl Agent {
    /// A socket that was asked for is open.
    pub(super) fn on_socket_opened(&mut self, _purpose: Purpose, _socket: SocketId, _local: SocketAddr) {}

    /// A stream that was asked for is open.
    pub(super) fn on_stream_opened(&mut self, _purpose: Purpose, _local: SocketAddr) {}

    /// A stream has ended, or a socket was not to be had.
    pub(super) fn on_carrier_lost(&mut self, _purpose: Purpose, _end: StreamEnd) {}

    /// A whole frame has come out of a stream.
    pub(super) fn on_frame<'d>(&mut self, purpose: Purpose, frame: &'d mut [u8]) -> Received<'d> {
        match purpose {
            Purpose::Relay(_) => Received::Consumed,
            Purpose::Peer(tuple) => self.receive_on(tuple, frame),
        }
    }
}
