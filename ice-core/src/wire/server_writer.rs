//! Writing what clients say to STUN and TURN servers, and servers to them.

use core::net::SocketAddr;
use core::time::Duration;

use super::address::{AddressFamily, write_address};
use super::attribute::AttributeType;
use super::channel::ChannelNumber;
use super::error_code::ErrorCode;
use super::long_term::{PasswordAlgorithm, PasswordAlgorithms, USERHASH_SIZE};
use super::server::{ChangeRequest, Icmp};
use super::writer::MessageWriter;

impl MessageWriter<'_> {
    /// CHANNEL-NUMBER (RFC 8656 §18.1).
    pub fn channel_number(self, channel: ChannelNumber) -> Self {
        let [high, low] = channel.get().to_be_bytes();
        self.attribute(AttributeType::CHANNEL_NUMBER, &[high, low, 0, 0])
    }

    /// LIFETIME, in whole seconds: 2^32 - 1 of them at the most (RFC 8656 §18.2).
    pub fn lifetime(self, lifetime: Duration) -> Self {
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        self.attribute(AttributeType::LIFETIME, &seconds.to_be_bytes())
    }

    /// XOR-PEER-ADDRESS; CreatePermission may have several (RFC 8656 §18.3, §10.1).
    pub fn xor_peer_address(self, peer: SocketAddr) -> Self {
        self.xor_address(AttributeType::XOR_PEER_ADDRESS, peer)
    }

    /// DATA (RFC 8656 §18.4).
    pub fn data(self, data: &[u8]) -> Self {
        self.attribute(AttributeType::DATA, data)
    }

    /// XOR-RELAYED-ADDRESS (RFC 8656 §18.5).
    pub fn xor_relayed_address(self, relayed: SocketAddr) -> Self {
        self.xor_address(AttributeType::XOR_RELAYED_ADDRESS, relayed)
    }

    /// REQUESTED-ADDRESS-FAMILY (RFC 8656 §18.6).
    pub fn requested_address_family(self, family: AddressFamily) -> Self {
        self.attribute(AttributeType::REQUESTED_ADDRESS_FAMILY, &[family.0, 0, 0, 0])
    }

    /// ADDITIONAL-ADDRESS-FAMILY, which may only be IPv6 (RFC 8656 §18.11).
    pub fn additional_address_family(self, family: AddressFamily) -> Self {
        self.attribute(AttributeType::ADDITIONAL_ADDRESS_FAMILY, &[family.0, 0, 0, 0])
    }

    /// ADDRESS-ERROR-CODE (RFC 8656 §18.12).
    pub fn address_error(self, family: AddressFamily, error: ErrorCode<'_>) -> Self {
        let [_, _, class, number] = error.head();
        let head = [family.0, 0, class, number];
        self.parts(AttributeType::ADDRESS_ERROR_CODE, [&head, error.reason().as_bytes()])
    }

    /// EVEN-PORT, and whether the port above is to be held in reserve (RFC 8656 §18.7).
    pub fn even_port(self, reserve_next: bool) -> Self {
        self.attribute(AttributeType::EVEN_PORT, &[u8::from(reserve_next) << 7])
    }

    /// REQUESTED-TRANSPORT, by the number of a protocol: [`UDP`](super::UDP) (RFC 8656 §18.8).
    pub fn requested_transport(self, protocol: u8) -> Self {
        self.attribute(AttributeType::REQUESTED_TRANSPORT, &[protocol, 0, 0, 0])
    }

    /// DONT-FRAGMENT (RFC 8656 §18.9).
    pub fn dont_fragment(self) -> Self {
        self.attribute(AttributeType::DONT_FRAGMENT, &[])
    }

    /// RESERVATION-TOKEN (RFC 8656 §18.10).
    pub fn reservation_token(self, token: [u8; 8]) -> Self {
        self.attribute(AttributeType::RESERVATION_TOKEN, &token)
    }

    /// ICMP (RFC 8656 §18.13).
    pub fn icmp(self, icmp: Icmp) -> Self {
        self.parts(AttributeType::ICMP, [&[0, 0, icmp.kind, icmp.code], &icmp.data.to_be_bytes()])
    }

    /// ALTERNATE-SERVER (RFC 8489 §14.15).
    pub fn alternate_server(self, server: SocketAddr) -> Self {
        self.address(AttributeType::ALTERNATE_SERVER, write_address(server))
    }

    /// ALTERNATE-DOMAIN, at most 255 characters of ASCII (RFC 8489 §14.16).
    pub fn alternate_domain(self, domain: &str) -> Self {
        self.attribute(AttributeType::ALTERNATE_DOMAIN, domain.as_bytes())
    }

    /// USERHASH, in the place of USERNAME (RFC 8489 §14.4).
    pub fn userhash(self, hash: &[u8; USERHASH_SIZE]) -> Self {
        self.attribute(AttributeType::USERHASH, hash)
    }

    /// PASSWORD-ALGORITHM: the one that was chosen (RFC 8489 §14.12).
    pub fn password_algorithm(self, algorithm: PasswordAlgorithm) -> Self {
        let [high, low] = algorithm.number().to_be_bytes();
        self.attribute(AttributeType::PASSWORD_ALGORITHM, &[high, low, 0, 0])
    }

    /// PASSWORD-ALGORITHMS, as the server sent them (RFC 8489 §14.11, §9.2.5).
    pub fn password_algorithms(self, algorithms: PasswordAlgorithms<'_>) -> Self {
        self.attribute(AttributeType::PASSWORD_ALGORITHMS, algorithms.as_bytes())
    }

    /// MAPPED-ADDRESS, for clients of classic STUN (RFC 8489 §14.1).
    pub fn mapped_address(self, address: SocketAddr) -> Self {
        self.address(AttributeType::MAPPED_ADDRESS, write_address(address))
    }

    /// CHANGE-REQUEST (RFC 5780 §7.2).
    pub fn change_request(self, change: ChangeRequest) -> Self {
        let flags = u8::from(change.ip) << 2 | u8::from(change.port) << 1;
        self.attribute(AttributeType::CHANGE_REQUEST, &[0, 0, 0, flags])
    }

    /// RESPONSE-PORT (RFC 5780 §7.5).
    pub fn response_port(self, port: u16) -> Self {
        let [high, low] = port.to_be_bytes();
        self.attribute(AttributeType::RESPONSE_PORT, &[high, low, 0, 0])
    }

    /// RESPONSE-ORIGIN (RFC 5780 §7.3).
    pub fn response_origin(self, address: SocketAddr) -> Self {
        self.address(AttributeType::RESPONSE_ORIGIN, write_address(address))
    }

    /// OTHER-ADDRESS (RFC 5780 §7.4).
    pub fn other_address(self, address: SocketAddr) -> Self {
        self.address(AttributeType::OTHER_ADDRESS, write_address(address))
    }
}
