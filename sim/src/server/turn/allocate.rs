//! Allocations are made (RFC 8656 §7.2): what is asked for is checked, relayed addresses are chosen, some are reserved.

use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use rand::Rng;
use stun_codec::Message;
use stun_codec::rfc5389::attributes::XorMappedAddress;
use stun_codec::rfc5766::attributes::{
    DontFragment, EvenPort, Lifetime, RequestedTransport, ReservationToken, XorRelayAddress,
};

use super::request::{
    ADDRESS_FAMILY_NOT_SUPPORTED, ALLOCATION_MISMATCH, BAD_REQUEST, Failure, INSUFFICIENT_CAPACITY, IPV4,
    IPV6, QUOTA_REACHED, UNSUPPORTED_TRANSPORT, family_in, lifetime, seconds,
};
use super::{Allocation, Relay, RelaySockets, Reservation, TurnEventKind, TurnServer};
use crate::Instant;
use crate::server::FiveTuple;
use crate::server::codec::{
    ADDITIONAL_ADDRESS_FAMILY, ADDRESS_ERROR_CODE, Attribute, Incoming, Outgoing, REQUESTED_ADDRESS_FAMILY,
    reason,
};

/// UDP in REQUESTED-TRANSPORT, the only one that there is (RFC 8656 §18.8).
const UDP: u8 = 17;
/// The least that a reservation is held (RFC 8656 §7.2).
const RESERVED_FOR: Duration = Duration::from_secs(30);
/// How many ports are tried that the system may refuse, before there is none.
const MAX_TRIES: usize = 64;

/// What an Allocate request asks for.
enum Wish {
    /// One address of a family.
    One { ipv4: bool, even: Option<EvenPort> },
    /// One of each.
    Both,
    /// The one that was reserved under this token.
    Reserved(u64),
}

/// What it got.
struct Grant {
    addresses: Vec<SocketAddr>,
    token: Option<u64>,
    /// The family that it did not get, and why.
    missing: Option<(u8, u16)>,
}

impl TurnServer {
    /// The checks of RFC 8656 §7.2 in their order, and the allocation.
    pub(super) fn allocate(
        &mut self,
        now: Instant,
        client: FiveTuple,
        username: &str,
        (request, attributes): (&Incoming<'_>, &Message<Attribute>),
        sockets: &mut dyn RelaySockets,
    ) -> Result<Outgoing, Failure> {
        if self.allocations.contains_key(&client) {
            return Err(ALLOCATION_MISMATCH);
        }
        let transport = attributes.get_attribute::<RequestedTransport>().ok_or(BAD_REQUEST)?;
        if transport.protocol() != UDP {
            return Err(UNSUPPORTED_TRANSPORT);
        }
        if attributes.get_attribute::<DontFragment>().is_some() && !self.config.dont_fragment {
            return Err(Failure::Unknown(vec![DontFragment::CODEPOINT]));
        }
        let wish = self.wish(request, attributes)?;
        let mine = self.allocations.values().filter(|allocation| allocation.username == username);
        if mine.count() >= self.config.quota {
            return Err(QUOTA_REACHED);
        }
        let mut alternates = self.config.alternates.clone();
        // RFC 8489 §10: one of the client's family comes first, and has to be there.
        alternates.sort_by_key(|server| server.is_ipv4() != client.client.is_ipv4());
        if alternates.first().is_some_and(|server| server.is_ipv4() == client.client.is_ipv4()) {
            return Err(Failure::TryAlternate(alternates));
        }
        let Grant { addresses, token, missing } = self.grant(now, client, &wish, sockets)?;

        let wanted = attributes.get_attribute::<Lifetime>().map(Lifetime::lifetime);
        let lifetime = lifetime(wanted, self.config.default_lifetime, self.config.max_lifetime);
        let mut response = Outgoing::success(request);
        for address in &addresses {
            response.add(XorRelayAddress::new(*address));
        }
        response.add(seconds(lifetime));
        if let Some(token) = token {
            response.add(ReservationToken::new(token));
        }
        response.add(XorMappedAddress::new(client.client));
        if let Some((family, code)) = missing {
            response.add_raw(ADDRESS_ERROR_CODE, address_error(family, code));
        }
        let told =
            TurnEventKind::Allocated { username: username.to_owned(), relays: addresses.clone(), lifetime };
        self.events.tell(client, told);
        let relays = addresses.into_iter().map(|address| Relay::new(address, now + lifetime)).collect();
        let allocation = Allocation { client, username: username.to_owned(), relays };
        self.allocations.insert(client, allocation);
        self.ends_at(now + lifetime);
        Ok(response)
    }

    /// What is asked for, if that can be asked for at all.
    fn wish(&self, request: &Incoming<'_>, attributes: &Message<Attribute>) -> Result<Wish, Failure> {
        let requested = family_in(request, REQUESTED_ADDRESS_FAMILY)?;
        let additional = family_in(request, ADDITIONAL_ADDRESS_FAMILY)?;
        let even = attributes.get_attribute::<EvenPort>();
        if let Some(token) = attributes.get_attribute::<ReservationToken>() {
            let alone = requested.is_none() && additional.is_none() && even.is_none();
            return if alone { Ok(Wish::Reserved(token.token())) } else { Err(BAD_REQUEST) };
        }
        match (requested, additional) {
            (Some(_), Some(_)) => Err(BAD_REQUEST),
            (None, Some(IPV6)) if even.is_some_and(EvenPort::is_requested) => Err(BAD_REQUEST),
            (None, Some(IPV6)) => Ok(Wish::Both),
            (None, Some(_)) => Err(BAD_REQUEST),
            (family @ (None | Some(IPV4 | IPV6)), None) => {
                let ipv4 = family != Some(IPV6);
                self.config.relay_address(ipv4).ok_or(ADDRESS_FAMILY_NOT_SUPPORTED)?;
                Ok(Wish::One { ipv4, even: even.cloned() })
            }
            (Some(_), None) => Err(ADDRESS_FAMILY_NOT_SUPPORTED),
        }
    }

    /// Opens what is asked for, for this client.
    fn grant(
        &mut self,
        now: Instant,
        client: FiveTuple,
        wish: &Wish,
        sockets: &mut dyn RelaySockets,
    ) -> Result<Grant, Failure> {
        let one = |address| Grant { addresses: vec![address], token: None, missing: None };
        match wish {
            Wish::Reserved(token) => {
                let reserved = self.reservations.remove(token).ok_or(INSUFFICIENT_CAPACITY)?;
                self.relays.insert(reserved.address, client);
                Ok(one(reserved.address))
            }
            Wish::One { ipv4, even } => {
                let ip = self.config.relay_address(*ipv4).ok_or(ADDRESS_FAMILY_NOT_SUPPORTED)?;
                let opened = self.open(client, ip, even.as_ref(), sockets);
                let (address, next) = opened.ok_or(INSUFFICIENT_CAPACITY)?;
                let token = next.map(|next| self.reserve(now, next));
                Ok(Grant { token, ..one(address) })
            }
            Wish::Both => {
                let mut grant = Grant { addresses: Vec::new(), token: None, missing: None };
                for (family, ipv4) in [(IPV4, true), (IPV6, false)] {
                    let opened = match self.config.relay_address(ipv4) {
                        None => Err(440),
                        Some(ip) => self.open(client, ip, None, sockets).ok_or(508),
                    };
                    match opened {
                        Ok((address, _)) => grant.addresses.push(address),
                        Err(code) => grant.missing = Some((family, code)),
                    }
                }
                if grant.addresses.is_empty() { Err(INSUFFICIENT_CAPACITY) } else { Ok(grant) }
            }
        }
    }

    /// Opens a port of this address, at random (RFC 6056), and the next higher one too if it is to be reserved.
    fn open(
        &mut self,
        client: FiveTuple,
        ip: IpAddr,
        even: Option<&EvenPort>,
        sockets: &mut dyn RelaySockets,
    ) -> Option<(SocketAddr, Option<SocketAddr>)> {
        let reserve = even.is_some_and(EvenPort::is_requested);
        let wanted = 1 + usize::from(reserve);
        if self.relays.len() + self.reservations.len() + wanted > self.config.max_relays {
            return None;
        }
        let (first, last) = (u32::from(*self.config.ports.start()), u32::from(*self.config.ports.end()));
        let count = last - first + 1;
        let offset = self.dice.next_u32() % count;
        let ports = (0..count).filter_map(|n| u16::try_from(first + (offset + n) % count).ok());
        let suits = |port: u16| even.is_none() || port.is_multiple_of(2);
        let free = |at: SocketAddr| {
            !self.relays.contains_key(&at) && !self.reservations.values().any(|r| r.address == at)
        };
        let mut tries = 0;
        for port in ports.filter(|port| suits(*port)) {
            let at = SocketAddr::new(ip, port);
            let next = port.checked_add(1).filter(|next| self.config.ports.contains(next));
            let next = next.map(|next| SocketAddr::new(ip, next)).filter(|_| reserve);
            if !free(at) || next.map_or(reserve, |next| !free(next)) {
                continue;
            }
            tries += 1;
            if tries > MAX_TRIES {
                return None;
            }
            if !sockets.open(at) {
                continue;
            }
            if next.is_none_or(|next| sockets.open(next)) {
                self.relays.insert(at, client);
                return Some((at, next));
            }
            sockets.close(at);
        }
        None
    }

    /// Holds an open address for whoever has the token.
    fn reserve(&mut self, now: Instant, address: SocketAddr) -> u64 {
        let token = self.dice.next_u64();
        self.reservations.insert(token, Reservation { address, until: now + RESERVED_FOR });
        self.ends_at(now + RESERVED_FOR);
        token
    }
}

/// The value of ADDRESS-ERROR-CODE (RFC 8656 §18.12).
fn address_error(family: u8, code: u16) -> Vec<u8> {
    let (class, number) = (code / 100, code % 100);
    let mut value = vec![family, 0, class as u8, number as u8];
    value.extend(reason(code).as_bytes());
    value
}
