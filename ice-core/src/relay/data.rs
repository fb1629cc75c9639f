//! Data in both directions (RFC 8656 §11, §12): nothing here allocates.

use core::net::{IpAddr, SocketAddr};
use core::ops::Range;

use super::allocation::{Allocation, Phase};
use super::config::Carrier;
use crate::base::Instant;
use crate::trace::DropReason;
use crate::wire::{
    BufferTooSmall, ChannelData, Class, HEADER_SIZE, Icmp, Kind, Message, MessageWriter, Method,
    ServerAttributes, TransactionId, classify, is_stun,
};

/// What came from the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum FromServer {
    /// An answer to a request of ours. There may be events.
    Handled,
    /// A peer's datagram: these of the bytes.
    Data { peer: SocketAddr, payload: Range<usize> },
    /// Something sent to a peer did not arrive (RFC 8656 §11.6).
    IcmpError { peer: SocketAddr, icmp: Icmp },
    /// It changed nothing.
    Dropped(DropReason),
    /// No business of this allocation: no TURN, or the answer to a request that is not ours.
    NotMine,
}

/// Why data could not be framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NotFramed {
    /// The server has not said that data may go there, or long ago (RFC 8656 §11.1).
    NoPermission,
    /// It does not fit into the buffer.
    TooLong,
}

impl Allocation {
    /// A datagram from the server, or one frame of its stream.
    pub(crate) fn on_message(&mut self, now: Instant, bytes: &[u8]) -> FromServer {
        self.on_heard();
        match classify(bytes) {
            Kind::TurnChannel => self.on_channel_data(now, bytes),
            Kind::Stun if is_stun(bytes) => match Message::parse(bytes) {
                Ok(message) => self.on_stun(now, &message),
                Err(error) => FromServer::Dropped(DropReason::Malformed(error)),
            },
            _ => FromServer::NotMine,
        }
    }

    /// Whether data may go to that address now.
    pub(crate) fn may_send(&self, now: Instant, peer: IpAddr) -> bool {
        let is_alive = matches!(&self.phase, Phase::Alive(alive) if alive.expires > now);
        is_alive && self.permissions.is_granted(now, peer)
    }

    /// How many bytes are added to data for that peer, at the most.
    pub(crate) fn overhead(&self, now: Instant, peer: SocketAddr) -> usize {
        match self.channels.number_of(now, peer) {
            Some(_) if self.config.carrier == Carrier::Datagrams => ChannelData::HEADER_SIZE,
            Some(_) => ChannelData::HEADER_SIZE + MAX_PADDING,
            None => HEADER_SIZE + if peer.is_ipv4() { 12 } else { 24 } + ATTRIBUTE_HEADER + MAX_PADDING,
        }
    }

    /// Puts data for a peer into what goes to the server: ChannelData if there is a channel, else a Send indication, whose
    /// id nobody answers. Gives its length.
    ///
    /// # Errors
    /// It may not be sent, or is too long.
    pub(crate) fn frame(
        &mut self,
        now: Instant,
        id: TransactionId,
        peer: SocketAddr,
        payload: &[u8],
        buffer: &mut [u8],
    ) -> Result<usize, NotFramed> {
        if !self.may_send(now, peer.ip()) {
            return Err(NotFramed::NoPermission);
        }
        let framed = match (self.channels.number_of(now, peer), self.config.carrier) {
            (Some(channel), Carrier::Datagrams) => ChannelData { channel, data: payload }.write(buffer),
            (Some(channel), Carrier::Stream) => ChannelData { channel, data: payload }.write_padded(buffer),
            (None, _) => MessageWriter::new(buffer, Class::Indication, Method::SEND, id)
                .xor_peer_address(peer)
                .data(payload)
                .finish(),
        };
        let length = framed.map_err(|BufferTooSmall| NotFramed::TooLong)?;
        self.last_sent = now;
        Ok(length)
    }

    fn on_channel_data(&self, now: Instant, bytes: &[u8]) -> FromServer {
        let Ok(message) = ChannelData::parse(bytes) else {
            return FromServer::Dropped(DropReason::NothingRelayed);
        };
        let Some(peer) = self.channels.peer_of(now, message.channel) else {
            return FromServer::Dropped(DropReason::UnknownChannel);
        };
        let start = ChannelData::HEADER_SIZE;
        self.data_from(now, peer, start..start + message.data.len())
    }

    fn on_stun(&mut self, now: Instant, message: &Message<'_>) -> FromServer {
        match message.class() {
            Class::Success | Class::Error => self.on_response(now, message),
            Class::Indication if message.method() == Method::DATA => self.on_data_indication(now, message),
            _ => FromServer::NotMine,
        }
    }

    fn on_data_indication(&self, now: Instant, message: &Message<'_>) -> FromServer {
        let attributes = match ServerAttributes::read(message) {
            Ok(attributes) => attributes,
            Err(error) => return FromServer::Dropped(DropReason::Malformed(error)),
        };
        if !attributes.unknown_required().is_empty() {
            return FromServer::Dropped(DropReason::UnknownAttributes);
        }
        let Some(peer) = attributes.xor_peer_addresses().next() else {
            return FromServer::Dropped(DropReason::NothingRelayed);
        };
        match (attributes.data(), attributes.icmp()) {
            (_, Some(icmp)) if self.permissions.is_known(now, peer.ip()) => {
                FromServer::IcmpError { peer, icmp }
            }
            (Some(data), None) => {
                // The data is a part of the message, so its place is where it is.
                let start = data.as_ptr().addr().saturating_sub(message.bytes().as_ptr().addr());
                self.data_from(now, peer, start..start + data.len())
            }
            (None, None) => FromServer::Dropped(DropReason::NothingRelayed),
            (_, Some(_)) => FromServer::Dropped(DropReason::NoPermission),
        }
    }

    fn data_from(&self, now: Instant, peer: SocketAddr, payload: Range<usize>) -> FromServer {
        if self.is_alive() && self.permissions.is_known(now, peer.ip()) {
            FromServer::Data { peer, payload }
        } else {
            FromServer::Dropped(DropReason::NoPermission)
        }
    }
}

/// Type and length (RFC 8489 §14).
const ATTRIBUTE_HEADER: usize = 4;
/// To a whole word.
const MAX_PADDING: usize = 3;
