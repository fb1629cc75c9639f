//! Who has which address, and where that address means something. Every NAT has a network of its own behind it, so an IPv4 address
//! counts only together with its realm: the network behind the nearest NAT, or the public one. Routers that do not translate only
//! divide a realm, and all IPv6 addresses are of the public one.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::collections::BTreeMap;

use crate::nat::NatConfig;

/// A host of one [`Network`](crate::Network).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub(crate) u32);

/// A router of one [`Network`](crate::Network): the box between the network behind it and the one in front of it, be it a NAT, a
/// firewall, or both.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RouterId(pub(crate) u32);

/// Where an interface or a router is plugged in.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attachment {
    /// On the public internet.
    Public,
    /// On the network behind this router.
    Behind(RouterId),
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
    Router(RouterId),
}

/// Who answers to an address, and where that is plugged in.
#[derive(Clone, Copy)]
pub(crate) struct Holder {
    pub(crate) owner: Owner,
    pub(crate) place: Attachment,
}

/// Where a datagram's destination is, seen from some place.
pub(crate) enum Whereabouts {
    /// Here, or behind a router here.
    Here(Holder),
    /// It would be here, but nobody has the address.
    Nowhere,
    /// Not here.
    Beyond,
}

/// The address book of a world. It hands out addresses of the documentation ranges (RFC 5737, RFC 3849)
/// in a fixed order, so that they are the same in every run.
#[derive(Default)]
pub(crate) struct AddressBook {
    /// By realm and address.
    owners: BTreeMap<(Attachment, IpAddr), Holder>,
    hosts: Vec<Host>,
    /// By `RouterId`.
    lans: Vec<Lan>,
    public_hosts: u32,
    public_nats: u32,
    public_v6: u32,
}

struct Host {
    home: Attachment,
    interfaces: Vec<(IpAddr, Attachment)>,
}

/// The network behind a router.
struct Lan {
    /// Where the router is plugged in.
    place: Attachment,
    /// Of the IPv4 addresses behind it.
    realm: Attachment,
    base: Ipv4Addr,
    given: u32,
    /// Somebody in this realm has an address that is not of its prefix.
    has_others: bool,
}

impl Lan {
    fn covers(&self, address: Ipv4Addr) -> bool {
        u32::from(self.base) >> 8 == u32::from(address) >> 8
    }
}

impl AddressBook {
    /// A host without addresses whose home is `home`.
    pub(crate) fn add_host(&mut self, home: Attachment) -> HostId {
        let id = HostId(self.hosts.len() as u32);
        self.hosts.push(Host { home, interfaces: Vec::new() });
        id
    }

    /// A router. If it translates, the IPv4 network behind it is one of its own. Behind a router that is not there yet, which is one
    /// of another network, it would stand behind itself sooner or later: then it is a public one.
    pub(crate) fn add_router(&mut self, place: Attachment, nat: Option<&NatConfig>) -> RouterId {
        let number = self.lans.len() as u32;
        let id = RouterId(number);
        let place = match place {
            Attachment::Behind(outer) if outer >= id => Attachment::Public,
            place => place,
        };
        let overlapping = nat.is_some_and(|nat| nat.overlapping);
        let base = if overlapping { COMMON_LAN } else { Ipv4Addr::from(OWN_LANS | (number & 0xffff) << 8) };
        let realm = if nat.is_some() { Attachment::Behind(id) } else { self.realm_v4(place) };
        self.lans.push(Lan { place, realm, base, given: 0, has_others: false });
        id
    }

    /// An external address for a router, which the world chooses.
    pub(crate) fn add_external(&mut self, router: RouterId) -> Ipv4Addr {
        let place = self.router_place(router);
        loop {
            let external = self.next_v4(place, true);
            if self.add_external_at(router, external).is_ok() {
                return external;
            }
        }
    }

    pub(crate) fn add_external_at(
        &mut self,
        router: RouterId,
        external: Ipv4Addr,
    ) -> Result<(), AddressTaken> {
        let place = self.router_place(router);
        self.claim(external.into(), Holder { owner: Owner::Router(router), place })
    }

    /// Where a router is plugged in.
    pub(crate) fn router_place(&self, router: RouterId) -> Attachment {
        self.lans.get(router.0 as usize).map_or(Attachment::Public, |lan| lan.place)
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
        if self.place_of(host, address).is_some() {
            return Err(AddressTaken(address));
        }
        self.claim(address, Holder { owner: Owner::Host(host), place })?;
        if let Some(host) = self.hosts.get_mut(host.0 as usize) {
            host.interfaces.push((address, place));
        }
        Ok(())
    }

    pub(crate) fn remove(&mut self, host: HostId, address: IpAddr) -> bool {
        let Some(place) = self.place_of(host, address) else { return false };
        self.owners.remove(&(self.realm(place, address), address));
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

    /// Who has an address that means something at this place.
    pub(crate) fn holder(&self, place: Attachment, address: IpAddr) -> Option<Holder> {
        self.owners.get(&(self.realm(place, address), address)).copied()
    }

    /// Whether a datagram at this place, behind a router, has arrived or has to go further out. An address of its own
    /// network never leaves it, even if another network uses the same.
    pub(crate) fn whereabouts(&self, place: Attachment, address: IpAddr) -> Whereabouts {
        let realm = self.realm(place, address);
        let covered = match (realm, address) {
            (Attachment::Behind(of), IpAddr::V4(address)) => {
                let Some(lan) = self.lans.get(of.0 as usize) else { return Whereabouts::Beyond };
                let covered = lan.covers(address);
                if !covered && !lan.has_others {
                    return Whereabouts::Beyond;
                }
                covered
            }
            _ => false,
        };
        match self.owners.get(&(realm, address)) {
            Some(holder) if self.is_within(holder.place, place) => Whereabouts::Here(*holder),
            None if covered && realm == place => Whereabouts::Nowhere,
            _ => Whereabouts::Beyond,
        }
    }

    /// Whether a place is another, or behind a router there.
    fn is_within(&self, mut inner: Attachment, outer: Attachment) -> bool {
        loop {
            match inner {
                _ if inner == outer => return true,
                Attachment::Public => return false,
                Attachment::Behind(router) => inner = self.router_place(router),
            }
        }
    }

    fn realm(&self, place: Attachment, address: IpAddr) -> Attachment {
        if address.is_ipv4() { self.realm_v4(place) } else { Attachment::Public }
    }

    fn realm_v4(&self, place: Attachment) -> Attachment {
        match place {
            Attachment::Public => Attachment::Public,
            Attachment::Behind(router) => {
                self.lans.get(router.0 as usize).map_or(Attachment::Public, |lan| lan.realm)
            }
        }
    }

    fn claim(&mut self, address: IpAddr, holder: Holder) -> Result<(), AddressTaken> {
        let realm = self.realm(holder.place, address);
        if self.owners.contains_key(&(realm, address)) {
            return Err(AddressTaken(address));
        }
        if let (Attachment::Behind(of), IpAddr::V4(address)) = (realm, address)
            && let Some(lan) = self.lans.get_mut(of.0 as usize)
        {
            lan.has_others |= !lan.covers(address);
        }
        self.owners.insert((realm, address), holder);
        Ok(())
    }

    fn next_address(&mut self, place: Attachment, family: Family) -> IpAddr {
        match family {
            Family::V4 => self.next_v4(place, false).into(),
            Family::V6 => {
                let [a, b] = [self.public_v6 >> 16, self.public_v6 & 0xffff].map(|half| half as u16);
                self.public_v6 += 1;
                Ipv6Addr::new(0x2001, 0xdb8, a, b, 0, 0, 0, 1).into()
            }
        }
    }

    fn next_v4(&mut self, place: Attachment, for_router: bool) -> Ipv4Addr {
        let lan = match self.realm_v4(place) {
            Attachment::Public => None,
            Attachment::Behind(of) => self.lans.get_mut(of.0 as usize),
        };
        let (range, overflow, given) = match lan {
            // The router would be .1. A full /24 runs on into the next: nobody else is on this network.
            Some(lan) => {
                lan.given += 1;
                return Ipv4Addr::from(u32::from(lan.base).wrapping_add(1 + lan.given));
            }
            None if for_router => (NAT_RANGE, NAT_OVERFLOW, &mut self.public_nats),
            None => (HOST_RANGE, HOST_OVERFLOW, &mut self.public_hosts),
        };
        *given += 1;
        numbered(range, overflow, *given - 1)
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

    fn a_nat(book: &mut AddressBook, overlapping: bool) -> (RouterId, Ipv4Addr) {
        let config = NatConfig { overlapping, ..NatConfig::full_cone() };
        let nat = book.add_router(Attachment::Public, Some(&config));
        (nat, book.add_external(nat))
    }

    #[test]
    fn a_large_world_never_gives_an_address_twice() {
        let mut book = AddressBook::default();
        let nat = a_nat(&mut book, false).0;
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
                    (place, IpAddr::V4(_)) => {
                        matches!(book.whereabouts(place, *address), Whereabouts::Here(_))
                    }
                }));
            }
        }
        let mut external: Vec<Ipv4Addr> = (0..600).map(|_| a_nat(&mut book, true).1).collect();
        external.sort_unstable();
        external.dedup();
        assert_eq!(external.len(), 600);
    }

    #[test]
    fn an_address_is_taken_once_in_a_place_and_once_on_a_host() {
        let mut book = AddressBook::default();
        let [(one, _), (two, _)] = [(); 2].map(|()| a_nat(&mut book, true));
        let [first, second] = [one, two].map(|nat| book.add_host(Attachment::Behind(nat)));
        let address = book.add_interface(first, Attachment::Behind(one), Family::V4);
        assert_eq!(book.assign(second, Attachment::Behind(one), address), Err(AddressTaken(address)));
        assert_eq!(book.assign(first, Attachment::Behind(two), address), Err(AddressTaken(address)));
        assert_ne!(book.add_interface(first, Attachment::Behind(two), Family::V4), address);
        assert_eq!(book.assign(second, Attachment::Behind(two), address), Ok(()));
    }

    #[test]
    fn routers_never_stand_in_a_circle() {
        let mut book = AddressBook::default();
        // A router of another network, which has more of them.
        let itself = book.add_router(Attachment::Behind(RouterId(0)), None);
        let later = book.add_router(Attachment::Behind(RouterId(7)), Some(&NatConfig::full_cone()));
        let inner = book.add_router(Attachment::Behind(later), None);
        assert_eq!(
            [itself, later, inner].map(|router| book.router_place(router)),
            [Attachment::Public, Attachment::Public, Attachment::Behind(later)]
        );
    }
}
