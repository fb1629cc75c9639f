//! Who has which address, and where that address means something. Every NAT has a network of its own
//! behind it, so an address counts only together with its [`Attachment`].

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

/// A host of one [`Network`](crate::Network).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub(crate) u32);

/// A NAT of one [`Network`](crate::Network).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NatId(pub(crate) u32);

/// Where an interface is plugged in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attachment {
    /// On the public internet.
    Public,
    /// On the network behind this NAT.
    Behind(NatId),
}

/// The address family of an interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Family {
    /// IPv4, private behind a NAT.
    V4,
    /// IPv6, public wherever the host is: NATs translate IPv4 only.
    V6,
}

/// The address is in use already.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AddressTaken(
    /// The address.
    pub IpAddr,
);

impl fmt::Display for AddressTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the address {} is in use already", self.0)
    }
}

impl core::error::Error for AddressTaken {}

/// Who answers to an address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    Host(HostId),
    Nat(NatId),
}

/// The address book of a world. It hands out addresses of the documentation ranges (RFC 5737, RFC 3849)
/// in a fixed order, so that they are the same in every run.
#[derive(Default)]
pub(crate) struct AddressBook {
    owners: BTreeMap<(Attachment, IpAddr), Owner>,
    hosts: Vec<Host>,
    lans: Vec<Lan>,
    public_hosts: u32,
    public_nats: u32,
    public_v6: u32,
}

struct Host {
    home: Attachment,
    interfaces: Vec<(IpAddr, Attachment)>,
}

struct Lan {
    base: Ipv4Addr,
    given: u32,
}

impl AddressBook {
    /// A host without addresses whose home is `home`.
    pub(crate) fn add_host(&mut self, home: Attachment) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        self.hosts.push(Host { home, interfaces: Vec::new() });
        id
    }

    /// A NAT with an external address that the world chooses.
    pub(crate) fn add_nat(&mut self, overlapping: bool) -> (NatId, Ipv4Addr) {
        loop {
            let external = numbered(NAT_RANGE, NAT_OVERFLOW, self.public_nats);
            self.public_nats += 1;
            if let Ok(nat) = self.add_nat_at(external, overlapping) {
                return (nat, external);
            }
        }
    }

    pub(crate) fn add_nat_at(
        &mut self,
        external: Ipv4Addr,
        overlapping: bool,
    ) -> Result<NatId, AddressTaken> {
        let number = self.lans.len() as u32;
        let nat = NatId(number);
        self.claim(Attachment::Public, external.into(), Owner::Nat(nat))?;
        let base = if overlapping { COMMON_LAN } else { Ipv4Addr::from(OWN_LANS | (number & 0xffff) << 8) };
        self.lans.push(Lan { base, given: 0 });
        Ok(nat)
    }

    /// Gives a host one more address: one that its interfaces do not have yet, wherever they are.
    pub(crate) fn add_interface(&mut self, host: HostId, place: Attachment, family: Family) -> IpAddr {
        loop {
            let address = self.next_address(place, family);
            if self.assign(host, place, address).is_ok() {
                return address;
            }
        }
    }

    pub(crate) fn assign(
        &mut self,
        host: HostId,
        place: Attachment,
        address: IpAddr,
    ) -> Result<(), AddressTaken> {
        let place = if address.is_ipv4() { place } else { Attachment::Public };
        if self.place_of(host, address).is_some() {
            return Err(AddressTaken(address));
        }
        self.claim(place, address, Owner::Host(host))?;
        if let Some(host) = self.hosts.get_mut(host.0 as usize) {
            host.interfaces.push((address, place));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, host: HostId, address: IpAddr) -> bool {
        let Some(place) = self.place_of(host, address) else { return false };
        self.owners.remove(&(place, address));
        if let Some(host) = self.hosts.get_mut(host.0 as usize) {
            host.interfaces.retain(|(own, _)| *own != address);
        }
        true
    }

    pub(crate) fn home(&self, host: HostId) -> Attachment {
        self.hosts.get(host.0 as usize).map_or(Attachment::Public, |host| host.home)
    }

    /// A host's addresses in the order in which it got them.
    pub(crate) fn addresses(&self, host: HostId) -> impl Iterator<Item = IpAddr> {
        let interfaces = self.hosts.get(host.0 as usize).map_or(&[][..], |host| &host.interfaces);
        interfaces.iter().map(|(address, _)| *address)
    }

    /// Where the host's interface with this address is plugged in; none if it has no such interface.
    pub(crate) fn place_of(&self, host: HostId, address: IpAddr) -> Option<Attachment> {
        let host = self.hosts.get(host.0 as usize)?;
        host.interfaces.iter().find(|(own, _)| *own == address).map(|(_, place)| *place)
    }

    pub(crate) fn owner(&self, place: Attachment, address: IpAddr) -> Option<Owner> {
        self.owners.get(&(place, address)).copied()
    }

    /// Whether a datagram to this address stays behind the NAT, delivered or not.
    pub(crate) fn is_local(&self, nat: NatId, address: Ipv4Addr) -> bool {
        let of_prefix = |address: Ipv4Addr| u32::from(address) >> 8;
        self.owners.contains_key(&(Attachment::Behind(nat), address.into()))
            || self.lans.get(nat.0 as usize).is_some_and(|lan| of_prefix(lan.base) == of_prefix(address))
    }

    fn claim(&mut self, place: Attachment, address: IpAddr, owner: Owner) -> Result<(), AddressTaken> {
        if self.owners.contains_key(&(place, address)) {
            return Err(AddressTaken(address));
        }
        self.owners.insert((place, address), owner);
        Ok(())
    }

    fn next_address(&mut self, place: Attachment, family: Family) -> IpAddr {
        if family == Family::V6 {
            let [a, b] = [self.public_v6 >> 16, self.public_v6 & 0xffff].map(|half| half as u16);
            self.public_v6 += 1;
            return Ipv6Addr::new(0x2001, 0xdb8, a, b, 0, 0, 0, 1).into();
        }
        let lan = match place {
            Attachment::Public => None,
            Attachment::Behind(nat) => self.lans.get_mut(nat.0 as usize),
        };
        match lan {
            // The router would be .1. A full /24 runs on into the next: nobody else is on this network.
            Some(lan) => {
                lan.given += 1;
                Ipv4Addr::from(u32::from(lan.base).wrapping_add(1 + lan.given)).into()
            }
            None => {
                self.public_hosts += 1;
                numbered(HOST_RANGE, HOST_OVERFLOW, self.public_hosts - 1).into()
            }
        }
    }
}

/// Addresses 1 to 254 of a /24, then, for large worlds, of a range that nobody uses.
fn numbered(range: u32, overflow: u32, number: u32) -> Ipv4Addr {
    Ipv4Addr::from(if number < 254 { range + 1 + number } else { overflow + (number - 254) })
}

/// 198.51.100.0/24 and 203.0.113.0/24 are for documentation (RFC 5737).
const HOST_RANGE: u32 = 0xc633_6400;
const NAT_RANGE: u32 = 0xcb00_7100;
/// The two halves of 240.0.0.0/4, reserved for ever (RFC 1112 §4).
const HOST_OVERFLOW: u32 = 0xf000_0000;
const NAT_OVERFLOW: u32 = 0xf800_0000;
/// The network of each NAT is its own /24 of 10.0.0.0/8, or the one that every shop sells.
const OWN_LANS: u32 = 0x0a00_0000;
const COMMON_LAN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_world_never_gives_an_address_twice() {
        let mut book = AddressBook::default();
        let (nat, _) = book.add_nat(false);
        for place in [Attachment::Public, Attachment::Behind(nat)] {
            for family in [Family::V4, Family::V6] {
                let mut all: Vec<IpAddr> = (0..600)
                    .map(|_| {
                        let host = book.add_host(place);
                        book.add_interface(host, place, family)
                    })
                    .collect();
                all.sort_unstable();
                all.dedup();
                assert_eq!(all.len(), 600);
                // Public ones stay in the ranges that are for this; private ones are local, all of them.
                assert!(all.iter().all(|address| match (place, address) {
                    (_, IpAddr::V6(address)) => address.segments().starts_with(&[0x2001, 0xdb8]),
                    (Attachment::Public, IpAddr::V4(address)) => {
                        address.octets()[0] >= 240 || address.octets().starts_with(&[198, 51, 100])
                    }
                    (Attachment::Behind(nat), IpAddr::V4(address)) => book.is_local(nat, *address),
                }));
            }
        }
        let mut external: Vec<Ipv4Addr> = (0..600).map(|_| book.add_nat(true).1).collect();
        external.sort_unstable();
        external.dedup();
        assert_eq!(external.len(), 600);
    }

    #[test]
    fn an_address_is_taken_once_in_a_place_and_once_on_a_host() {
        let mut book = AddressBook::default();
        let [(one, _), (two, _)] = [(); 2].map(|()| book.add_nat(true));
        let [first, second] = [one, two].map(|nat| book.add_host(Attachment::Behind(nat)));
        let address = book.add_interface(first, Attachment::Behind(one), Family::V4);
        assert_eq!(book.assign(second, Attachment::Behind(one), address), Err(AddressTaken(address)));
        assert_eq!(book.assign(first, Attachment::Behind(two), address), Err(AddressTaken(address)));
        assert_ne!(book.add_interface(first, Attachment::Behind(two), Family::V4), address);
        assert_eq!(book.assign(second, Attachment::Behind(two), address), Ok(()));
    }
}
