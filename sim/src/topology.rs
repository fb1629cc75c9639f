//! Where a datagram goes: out of its host, out through router after router until its destination is found, and in again through those
//! in front of the receiver. It knows the way, and nothing of how long it takes or what is lost on it.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV6};

use floe_core::base::Instant;

use crate::address::{AddressBook, AddressTaken, Attachment, HostId, Owner, RouterId, Whereabouts};
use crate::dice::Dice;
use crate::firewall::{Cargo, Firewall, Refusal, Wall};
use crate::host::Hosts;
use crate::nat::Hairpin;
use crate::nat64::Nat64Prefix;
use crate::payload::Rewrite;
use crate::record::DropReason;
use crate::router::{Families, Ipv6, Router, RouterConfig};
use crate::socket::Sockets;

/// Everything that has an address.
pub(crate) struct Topology {
    pub(crate) addresses: AddressBook,
    pub(crate) udp: Sockets,
    pub(crate) tcp: Sockets,
    /// By `RouterId`.
    pub(crate) routers: Vec<Router>,
    pub(crate) hosts: Hosts,
    /// What is to be replaced in the payload that has left, or entered, last.
    pub(crate) rewrites: Vec<Rewrite>,
    /// For what NATs choose: streams leave to datagrams what they would have had.
    dice: Dice,
    stream_dice: Dice,
}

/// How a datagram has left its host.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    /// Where its destination address is looked for.
    pub(crate) place: Attachment,
    /// Its destination there.
    pub(crate) to: SocketAddr,
    /// Its source address there, which the next filter judges.
    pub(crate) source: SocketAddr,
    /// The source address that is seen behind that filter: another only when hairpinned that way.
    pub(crate) shown: SocketAddr,
}

/// Where a datagram has ended well.
#[derive(Clone, Copy)]
pub(crate) struct Receiver {
    pub(crate) host: HostId,
    /// The destination as the host knows it.
    pub(crate) local: SocketAddr,
    /// The source as the host sees it.
    pub(crate) remote: SocketAddr,
}

impl Topology {
    pub(crate) fn new(dice: Dice, stream_dice: Dice) -> Self {
        Self {
            addresses: AddressBook::default(),
            udp: Sockets::default(),
            tcp: Sockets::default(),
            routers: Vec::new(),
            hosts: Hosts::default(),
            rewrites: Vec::new(),
            dice,
            stream_dice,
        }
    }

    /// A router with external addresses that the world chooses, or with this one.
    pub(crate) fn add_router(
        &mut self,
        place: Attachment,
        external: Option<Ipv4Addr>,
        config: RouterConfig,
    ) -> Result<RouterId, AddressTaken> {
        if let Some(external) = external
            && self.addresses.holder(place, external.into()).is_some()
        {
            return Err(AddressTaken(external.into()));
        }
        let id = self.addresses.add_router(place, config.nat.as_ref());
        let mut externals = Vec::new();
        if let Some(external) = external {
            self.addresses.add_external_at(id, external)?;
            externals.push(external);
        }
        let wanted = config.nat.as_ref().map_or(0, |nat| usize::from(nat.addresses.max(1)));
        while externals.len() < wanted {
            externals.push(self.addresses.add_external(id));
        }
        self.routers.push(Router::new(config, externals));
        Ok(id)
    }

    pub(crate) fn router(&self, id: RouterId) -> Option<&Router> {
        self.routers.get(id.0 as usize)
    }

    pub(crate) fn router_mut(&mut self, id: RouterId) -> Option<&mut Router> {
        self.routers.get_mut(id.0 as usize)
    }

    /// Puts a firewall in front of a host.
    pub(crate) fn set_wall(&mut self, host: HostId, config: Firewall) {
        self.hosts.open(host).wall = Wall::new(config);
    }

    pub(crate) fn rebind(&mut self, now: Instant, id: RouterId) {
        if let Some(nat) = self.routers.get_mut(id.0 as usize).and_then(|router| router.nat.as_mut()) {
            nat.udp.rebind(now, &mut self.dice);
            nat.tcp.rebind(now, &mut self.stream_dice);
        }
    }

    /// Which addresses hosts get at a place.
    pub(crate) fn families(&self, place: Attachment) -> Families {
        match place {
            Attachment::Public => Families::V4,
            Attachment::Behind(id) => self.router(id).map_or(Families::V4, |router| router.families),
        }
    }

    /// The prefix of the first NAT64 on the way out from a place.
    pub(crate) fn nat64_prefix(&self, mut place: Attachment) -> Option<Nat64Prefix> {
        while let Attachment::Behind(id) = place {
            if let Some(nat64) = self.router(id).and_then(|router| router.nat64.as_ref()) {
                return Some(nat64.prefix);
            }
            place = self.addresses.router_place(id);
        }
        None
    }

    /// Whether a host's firewall says what it does not let through.
    pub(crate) fn wall_rejects(&self, host: HostId) -> bool {
        let wall = self.hosts.get(host).and_then(|host| host.wall.as_ref());
        wall.is_some_and(|wall| wall.config.refusal == Refusal::Reject)
    }

    fn is_bound(&self, cargo: Cargo, host: HostId, local: SocketAddr) -> bool {
        let sockets = if cargo == Cargo::Datagram { &self.udp } else { &self.tcp };
        sockets.is_bound(host, local)
    }

    /// Takes a datagram out of its host and through the routers in front of it, up to where its destination is to be found.
    pub(crate) fn leave(
        &mut self,
        cargo: Cargo,
        now: Instant,
        host: HostId,
        local: SocketAddr,
        to: SocketAddr,
    ) -> Result<Way, DropReason> {
        self.rewrites.clear();
        let mut place = self.addresses.place_of(host, local.ip()).ok_or(DropReason::NoRoute)?;
        // A piece of a stream is sent for it if need be when its end is gone.
        if !matches!(cargo, Cargo::Segment { .. }) && !self.is_bound(cargo, host, local) {
            return Err(DropReason::NotBound);
        }
        if local.is_ipv4() != to.is_ipv4() {
            return Err(DropReason::NoRoute);
        }
        if let Some(of) = self.hosts.get(host) {
            if let Some(reason) = of.is_away(now) {
                return Err(reason);
            }
            if let Some((_, via)) = of.exits.iter().find(|(of, _)| *of == local.ip()) {
                place = self.addresses.place_of(host, *via).ok_or(DropReason::NoRoute)?;
            }
        }
        if self.hosts.wall(host).is_some_and(|wall| !wall.lets_out(now, cargo, local, to)) {
            return Err(DropReason::Firewall);
        }
        let mut way = Way { place, to, source: local, shown: local };
        while let Attachment::Behind(id) = way.place {
            match self.addresses.whereabouts(way.place, way.to.ip()) {
                Whereabouts::Nowhere => return Err(DropReason::NoRoute),
                Whereabouts::Here(found) => {
                    let apart = self.router(id).is_some_and(|router| router.isolated);
                    return if apart && found.owner != Owner::Host(host) {
                        Err(DropReason::Isolated(id))
                    } else {
                        Ok(way)
                    };
                }
                Whereabouts::Beyond => {}
            }
            if self.pass_out(cargo, now, id, &mut way)? {
                break;
            }
        }
        Ok(way)
    }

    /// Through one router, from behind it. Whether it turns back at once, to what is behind the same router.
    fn pass_out(
        &mut self,
        cargo: Cargo,
        now: Instant,
        id: RouterId,
        way: &mut Way,
    ) -> Result<bool, DropReason> {
        let place = self.addresses.router_place(id);
        let router = self.routers.get_mut(id.0 as usize).ok_or(DropReason::NoRoute)?;
        if let Some(wall) = &mut router.wall
            && !wall.lets_out(now, cargo, way.source, way.to)
        {
            return Err(DropReason::RouterFirewall(id));
        }
        let mut turns = false;
        let ends = match (way.source, way.to) {
            (SocketAddr::V4(internal), SocketAddr::V4(remote)) => Some((internal, remote)),
            (SocketAddr::V6(internal), SocketAddr::V6(remote)) => {
                let ends = router.nat64.as_mut().and_then(|nat64| nat64.outward(internal, remote));
                if ends.is_none() && router.ipv6 != Ipv6::Working {
                    return Err(DropReason::BrokenIpv6(id));
                }
                ends
            }
            _ => None,
        };
        if let (Some(nat), Some((internal, remote))) = (&mut router.nat, ends) {
            turns = nat.udp.externals().any(|own| own == *remote.ip());
            let hairpin = nat.udp.hairpin();
            if turns && hairpin == Hairpin::None {
                return Err(DropReason::NoHairpin(id));
            }
            // The internal source of a NAT64 is not of the family that comes back (RFC 6146 §3.8).
            let keeps_source = turns && hairpin == Hairpin::InternalSource && way.source.is_ipv4();
            way.to = remote.into();
            let table = nat.table(cargo);
            let mapped = match cargo {
                Cargo::Segment { ends } => {
                    table.segment_out(now, internal, remote, ends).ok_or(DropReason::NoMapping(id))?
                }
                _ => {
                    let dice = if cargo == Cargo::Datagram { &mut self.dice } else { &mut self.stream_dice };
                    let mapped = table.outbound(now, internal, remote, dice);
                    mapped.ok_or(DropReason::PortsExhausted(id))?
                }
            };
            if nat.rewrites_payload && way.source.is_ipv4() {
                self.rewrites.push(Rewrite { from: internal, to: mapped });
            }
            let mapped = mapped.into();
            (way.shown, way.source) = (if keeps_source { way.source } else { mapped }, mapped);
        }
        way.place = place;
        Ok(turns)
    }

    /// Who has this address at this moment, filters aside.
    pub(crate) fn find(&mut self, cargo: Cargo, now: Instant, mut way: Way) -> Result<HostId, DropReason> {
        loop {
            let found = self.addresses.holder(way.place, way.to.ip()).ok_or(DropReason::NoRoute)?;
            match found.owner {
                Owner::Host(host) => return Ok(host),
                Owner::Router(id) => {
                    self.translate_in(cargo, now, id, &mut way)?;
                }
            }
        }
    }

    /// Takes a datagram through the routers in front of its receiver to the receiver's socket.
    pub(crate) fn enter(&mut self, cargo: Cargo, now: Instant, mut way: Way) -> Result<Receiver, DropReason> {
        self.rewrites.clear();
        loop {
            let found = self.addresses.holder(way.place, way.to.ip()).ok_or(DropReason::NoRoute)?;
            self.pass_in(cargo, now, (way.place, found.place), &way)?;
            match found.owner {
                Owner::Host(host) => {
                    let (local, remote) = (way.to, way.shown);
                    if let Some(reason) = self.hosts.is_away(now, host) {
                        return Err(reason);
                    }
                    if self.hosts.wall(host).is_some_and(|wall| !wall.lets_in(now, cargo, local, remote)) {
                        return Err(DropReason::Firewall);
                    }
                    let bound = matches!(cargo, Cargo::Segment { .. }) || self.is_bound(cargo, host, local);
                    return bound.then_some(Receiver { host, local, remote }).ok_or(DropReason::NotBound);
                }
                Owner::Router(id) => {
                    let outer = way;
                    self.translate_in(cargo, now, id, &mut way)?;
                    let Some(Router { nat: Some(nat), wall, .. }) = self.routers.get_mut(id.0 as usize)
                    else {
                        return Err(DropReason::NoRoute);
                    };
                    let (SocketAddr::V4(external), SocketAddr::V4(source)) = (outer.to, outer.source) else {
                        return Err(DropReason::NoRoute);
                    };
                    if self.addresses.holder(way.place, way.to.ip()).is_none() {
                        return Err(DropReason::NoRoute);
                    }
                    let table = nat.table(cargo);
                    let is_let_in = match cargo {
                        Cargo::Segment { ends } => table.segment_in(now, external, source, ends),
                        _ => table.inbound(now, external, source),
                    };
                    if !is_let_in {
                        return Err(DropReason::Filtered(id));
                    }
                    if let SocketAddr::V4(to) = way.to
                        && nat.rewrites_payload
                    {
                        self.rewrites.push(Rewrite { from: external, to });
                    }
                    // It stands on the inner side, where a NAT64 shows IPv6.
                    let source = if way.to.is_ipv4() { outer.source } else { way.source };
                    if let Some(wall) = wall
                        && !wall.lets_in(now, cargo, way.to, source)
                    {
                        return Err(DropReason::RouterFirewall(id));
                    }
                }
            }
        }
    }

    /// From the outer place to the inner one, through the routers between that divide a realm without translating.
    fn pass_in(
        &mut self,
        cargo: Cargo,
        now: Instant,
        (outer, inner): (Attachment, Attachment),
        way: &Way,
    ) -> Result<(), DropReason> {
        let Attachment::Behind(id) = inner else { return Ok(()) };
        if inner == outer {
            return Ok(());
        }
        self.pass_in(cargo, now, (outer, self.addresses.router_place(id)), way)?;
        let Some(router) = self.router_mut(id) else { return Ok(()) };
        if way.to.is_ipv6() && router.ipv6 != Ipv6::Working {
            return Err(DropReason::BrokenIpv6(id));
        }
        if let Some(wall) = &mut router.wall
            && !wall.lets_in(now, cargo, way.to, way.shown)
        {
            return Err(DropReason::RouterFirewall(id));
        }
        Ok(())
    }

    /// The way behind a router, of what has come to an external address of it.
    fn translate_in(
        &mut self,
        cargo: Cargo,
        now: Instant,
        id: RouterId,
        way: &mut Way,
    ) -> Result<(), DropReason> {
        let router = self.routers.get_mut(id.0 as usize).ok_or(DropReason::NoRoute)?;
        let nat = router.nat.as_mut().ok_or(DropReason::NoRoute)?;
        let internal = match (way.to, way.source) {
            (SocketAddr::V4(to), SocketAddr::V4(from)) if matches!(cargo, Cargo::Segment { .. }) => {
                nat.tcp.connected(now, to, from)
            }
            (SocketAddr::V4(to), SocketAddr::V4(from)) => nat.table(cargo).internal(now, to, from),
            _ => None,
        };
        let internal = internal.ok_or(DropReason::NoMapping(id))?;
        let (mut to, mut shown) = (internal.into(), way.shown);
        if let (Some(nat64), SocketAddr::V4(source)) = (&router.nat64, shown)
            && let Some(inside) = nat64.inward(internal)
        {
            to = inside.into();
            shown = SocketAddrV6::new(nat64.prefix.synthesize(*source.ip()), source.port(), 0, 0).into();
        }
        *way = Way { place: Attachment::Behind(id), to, source: shown, shown };
        Ok(())
    }
}
