//! Data goes through: from clients to peers (Send, ChannelData), and from peers to clients (Data, ChannelData)
//! (RFC 8656 §11, §12).

use core::net::SocketAddr;

use stun_codec::rfc5766::attributes::{Data, DontFragment, XorPeerAddress};
use stun_codec::rfc5766::methods::{DATA, SEND};
use stun_codec::{MessageClass, TransactionId};

use rand::Rng;

use super::{TurnOutput, TurnServer};
use crate::Instant;
use crate::server::codec::{ICMP, Incoming, Outgoing};
use crate::server::credentials::Signer;
use crate::server::{FiveTuple, MAX_DATAGRAM};

/// An ICMP packet about a datagram that was relayed (RFC 8656 §18.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IcmpError {
    /// ICMPv4's or ICMPv6's type, as the peer's address is.
    pub kind: u8,
    /// Its code.
    pub code: u8,
    /// The next hop's MTU where the packet was too big, else 0.
    pub data: u32,
}

impl TurnServer {
    /// A datagram of a peer has come to a relayed address.
    pub fn relay_input(&mut self, now: Instant, relay: SocketAddr, peer: SocketAddr, bytes: &[u8]) {
        let message = self.for_client(now, relay, peer, bytes);
        match message.filter(|_| bytes.len() <= MAX_DATAGRAM) {
            Some((client, message)) => {
                self.counts.to_clients += 1;
                self.send_to_client(client, message);
            }
            None => self.counts.dropped += 1,
        }
    }

    /// ICMP has come for what was sent from a relayed address to a peer. It is told only if the peer has a permission
    /// (RFC 8656 §11.5).
    pub fn relay_icmp(&mut self, now: Instant, relay: SocketAddr, peer: SocketAddr, icmp: IcmpError) {
        let told = match peer {
            SocketAddr::V4(_) => matches!(icmp.kind, 3 | 11),
            SocketAddr::V6(_) => matches!(icmp.kind, 1..=3),
        };
        let Some(client) = self.client_of(now, relay, peer).filter(|_| told) else {
            self.counts.dropped += 1;
            return;
        };
        let mut value = vec![0, 0, icmp.kind, icmp.code];
        value.extend(icmp.data.to_be_bytes());
        let mut indication = self.data_indication(peer);
        indication.add_raw(ICMP, value);
        if let Some(message) = indication.encode(&Signer::None, false) {
            self.send_to_client(client, message);
        }
    }

    /// An indication of a client: Send is the only one that does anything (RFC 8656 §11.2).
    pub(super) fn on_indication(&mut self, now: Instant, client: FiveTuple, message: &Incoming<'_>) {
        let sent = self.sent(now, client, message);
        self.send_to_peer(sent);
    }

    /// ChannelData of a client (RFC 8656 §12.6).
    pub(super) fn on_channel_data(&mut self, now: Instant, client: FiveTuple, bytes: &[u8]) {
        let sent = self.sent_on_channel(now, client, bytes);
        self.send_to_peer(sent);
    }

    fn sent(&self, now: Instant, client: FiveTuple, message: &Incoming<'_>) -> Option<TurnOutput> {
        if message.method != SEND || !self.unknown_in(message).is_empty() {
            return None;
        }
        let attributes = message.attributes.as_ref()?;
        let peer = attributes.get_attribute::<XorPeerAddress>()?.address();
        let data = attributes.get_attribute::<Data>()?.data();
        let dont_fragment = attributes.get_attribute::<DontFragment>().is_some();
        if dont_fragment && !self.config.dont_fragment {
            return None;
        }
        let relays = self.allocations.get(&client)?.relays();
        let relay = relays.iter().find(|relay| relay.permits(now, peer.ip()))?.address;
        Some(TurnOutput::ToPeer { relay, peer, dont_fragment, bytes: data.to_vec() })
    }

    fn sent_on_channel(&self, now: Instant, client: FiveTuple, bytes: &[u8]) -> Option<TurnOutput> {
        let (&[high, low, length_high, length_low], rest) = bytes.split_first_chunk()?;
        let data = rest.get(..usize::from(u16::from_be_bytes([length_high, length_low])))?;
        let number = u16::from_be_bytes([high, low]);
        let relays = self.allocations.get(&client)?.relays();
        let (relay, peer) = relays.iter().find_map(|r| Some((r, r.peer_of(now, number)?)))?;
        // RFC 8656 §12.6 asks for no permission here: that guards what comes in.
        let bytes = data.to_vec();
        Some(TurnOutput::ToPeer { relay: relay.address, peer, dont_fragment: false, bytes })
    }

    fn send_to_peer(&mut self, sent: Option<TurnOutput>) {
        match sent {
            Some(output) => {
                self.counts.to_peers += 1;
                self.push(output);
            }
            None => self.counts.dropped += 1,
        }
    }

    /// Whose a relayed address is, if this peer may use it.
    fn client_of(&self, now: Instant, relay: SocketAddr, peer: SocketAddr) -> Option<FiveTuple> {
        let client = *self.relays.get(&relay)?;
        let mut relays = self.allocations.get(&client)?.relays().iter();
        let relay = relays.find(|r| r.address == relay && r.expires > now)?;
        relay.permits(now, peer.ip()).then_some(client)
    }

    /// What a client is told of a peer's datagram: on the peer's channel if it has one (RFC 8656 §11.3, §12.7).
    fn for_client(
        &mut self,
        now: Instant,
        relay: SocketAddr,
        peer: SocketAddr,
        bytes: &[u8],
    ) -> Option<(FiveTuple, Vec<u8>)> {
        let client = self.client_of(now, relay, peer)?;
        let relays = self.allocations.get(&client)?.relays();
        if let Some(number) = relays.iter().find_map(|r| r.channel_to(now, peer)) {
            let length = u16::try_from(bytes.len()).ok()?;
            let head = [number.to_be_bytes(), length.to_be_bytes()].concat();
            return Some((client, [head.as_slice(), bytes].concat()));
        }
        let mut indication = self.data_indication(peer);
        indication.add(Data::new(bytes.to_vec()).ok()?);
        Some((client, indication.encode(&Signer::None, false)?))
    }

    fn data_indication(&mut self, peer: SocketAddr) -> Outgoing {
        let mut id = [0; 12];
        self.dice.fill_bytes(&mut id);
        let mut indication = Outgoing::new(MessageClass::Indication, DATA, TransactionId::new(id));
        indication.add(XorPeerAddress::new(peer));
        indication
    }
}
