//! The world: it knows the time, moves datagrams from host to host, and calls nobody. Whoever runs
//! the hosts sends into it and asks it to [`advance`](Network::advance).

use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;
use std::collections::BTreeMap;

use floe_core::base::Instant;

use crate::address::{AddressTaken, Attachment, Family, HostId, RouterId};
use crate::dice::Dice;
use crate::firewall::{Cargo, Firewall, Wall};
use crate::icmp::{IcmpError, IcmpKind};
use crate::link::{LinkConfig, Links, Oversize, packet_size};
use crate::nat::NatConfig;
use crate::nat64::Nat64Prefix;
use crate::protocol::Answer;
use crate::queue::Queue;
use crate::record::{Books, Counters, DropReason, LogEntry, LogEvent, Tag};
use crate::router::{Families, RouterConfig};
use crate::rule::{Fate, Passing, Rule};
use crate::script::Script;
use crate::socket::BindError;
use crate::stream::{Happening, Streams};
use crate::topology::{Receiver, Topology, Way};

/// A simulated network, at [`Instant::ZERO`] when it is made.
///
/// Routers are next to the hosts behind them: they translate (and map) when a datagram is sent, whatever the link then does
/// with it, and they filter when a datagram arrives. Hosts behind the same NAT reach each other by their private addresses. Routers
/// stand behind routers as one likes, each with a network of its own behind it.
///
/// Ids belong to the network that made them; those of another may name something else here.
pub struct Network {
    now: Instant,
    in_flight: Queue<Flight>,
    /// ICMP errors under way.
    pub(crate) errors: Queue<IcmpError>,
    pub(crate) ports_answer: bool,
    pub(crate) scripts: Queue<Script>,
    pub(crate) topology: Topology,
    pub(crate) links: Links,
    pub(crate) streams: Streams,
    link_dice: Dice,
    rule: Option<Rule>,
    pub(crate) servers: BTreeMap<(HostId, SocketAddr), Answer>,
    books: Books,
    log: Option<Vec<LogEntry>>,
}

/// A datagram that has come to a host.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Delivery {
    /// When.
    pub at: Instant,
    /// The host that has it.
    pub host: HostId,
    /// The bound socket that it came to.
    pub local: SocketAddr,
    /// Where it came from, as this host sees it.
    pub remote: SocketAddr,
    /// The payload.
    pub bytes: Vec<u8>,
}

impl Network {
    /// An empty network. The same seed and the same calls give the same run, byte for byte.
    pub fn seeded(seed: u64) -> Self {
        Self {
            now: Instant::ZERO,
            in_flight: Queue::new(),
            errors: Queue::new(),
            ports_answer: false,
            scripts: Queue::new(),
            topology: Topology::new(Dice::new(seed, 2), Dice::new(seed, 6)),
            links: Links::default(),
            streams: Streams::new(seed),
            link_dice: Dice::new(seed, 1),
            rule: None,
            servers: BTreeMap::new(),
            books: Books::default(),
            log: None,
        }
    }

    /// The simulated time.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Adds a host at this place, with an address of each family that there is: see [`RouterConfig::families`]. On the public
    /// internet it gets one of IPv4.
    pub fn add_host(&mut self, home: Attachment) -> HostId {
        let host = self.topology.addresses.add_host(home);
        let families: &[Family] = match self.topology.families(home) {
            Families::V4 => &[Family::V4],
            Families::Dual => &[Family::V4, Family::V6],
            Families::V6 => &[Family::V6],
        };
        for family in families {
            self.topology.addresses.add_interface(host, home, *family);
        }
        host
    }

    /// Adds a router at this place, on the public internet or behind another. If it translates, the world chooses its external
    /// addresses: of the network that it is plugged in at.
    #[expect(clippy::expect_used, reason = "the world knows which addresses are free")]
    pub fn add_router(&mut self, place: Attachment, config: impl Into<RouterConfig>) -> RouterId {
        self.topology.add_router(place, None, config.into()).expect("a free address")
    }

    /// Adds a NAT on the public internet whose external address the world chooses.
    pub fn add_nat(&mut self, config: NatConfig) -> RouterId {
        self.add_router(Attachment::Public, config)
    }

    /// Adds a NAT with this external address.
    pub fn add_nat_at(&mut self, external: Ipv4Addr, config: NatConfig) -> Result<RouterId, AddressTaken> {
        self.topology.add_router(Attachment::Public, Some(external), config.into())
    }

    /// The first external address of a router; none if there is no such router, or if it does not translate.
    pub fn external_address(&self, router: RouterId) -> Option<Ipv4Addr> {
        self.external_addresses(router).next()
    }

    /// The external addresses of a router that translates.
    pub fn external_addresses(&self, router: RouterId) -> impl Iterator<Item = Ipv4Addr> {
        let nat = self.topology.router(router).and_then(|router| router.nat.as_ref());
        nat.into_iter().flat_map(|nat| nat.udp.externals())
    }

    /// Makes a router forget its mappings and the flows of its firewall, as a power cut does. What is in a stream does not get through it from
    /// then on, and is [refused](NatConfig::segment_refusal) or [not](Firewall::refusal), until the stream is given up.
    pub fn reboot(&mut self, router: RouterId) {
        if let Some(router) = self.topology.router_mut(router) {
            router.reboot();
        }
    }

    /// Gives a router another firewall, which knows of no flow, for what passes from now on. To streams that are there it is as a
    /// [reboot](Self::reboot), unless it lets everything through.
    pub fn set_router_firewall(&mut self, router: RouterId, firewall: Firewall) {
        if let Some(router) = self.topology.router_mut(router) {
            router.wall = Wall::new(firewall);
        }
    }

    /// The prefix under which hosts behind this router see IPv4: that of the first NAT64 on their way out. It is what DNS64 puts in
    /// front of the addresses that it gives out (RFC 6147 §5.2), and what RFC 7050 finds.
    pub fn nat64_prefix(&self, router: RouterId) -> Option<Nat64Prefix> {
        self.topology.nat64_prefix(Attachment::Behind(router))
    }

    /// The same for a host, where its home is.
    pub fn nat64_prefix_at(&self, host: HostId) -> Option<Nat64Prefix> {
        self.topology.nat64_prefix(self.topology.addresses.home(host))
    }

    /// Whether hosts say by ICMP that nobody is at a port (RFC 1122 §4.1.3.1). At first they do not.
    pub fn set_ports_answer(&mut self, answer: bool) {
        self.ports_answer = answer;
    }

    /// Gives a host one more address at its home. An IPv6 address is public behind a NAT too.
    pub fn add_address(&mut self, host: HostId, family: Family) -> IpAddr {
        let home = self.topology.addresses.home(host);
        self.topology.addresses.add_interface(host, home, family)
    }

    /// Plugs a host in at another place too, with one address there.
    pub fn add_interface(&mut self, host: HostId, place: Attachment, family: Family) -> IpAddr {
        self.topology.addresses.add_interface(host, place, family)
    }

    /// Gives a host this very address at this place. IPv6 addresses are known everywhere.
    pub fn assign(&mut self, host: HostId, place: Attachment, address: IpAddr) -> Result<(), AddressTaken> {
        self.topology.addresses.assign(host, place, address)
    }

    /// Takes an address from a host and closes its sockets there. False if the host did not have it.
    pub fn remove_address(&mut self, host: HostId, address: IpAddr) -> bool {
        self.topology.udp.close_all_at(host, address);
        self.servers.retain(|(of, local), _| *of != host || local.ip() != address);
        self.topology.addresses.remove(host, address)
    }

    /// A host's addresses, in the order in which it got them.
    pub fn addresses(&self, host: HostId) -> impl Iterator<Item = IpAddr> {
        self.topology.addresses.addresses(host)
    }

    /// Binds a socket of a host: to this address, to an ephemeral port if its port is zero, or, if there
    /// is none, to an ephemeral port of the host's first address.
    pub fn bind(&mut self, host: HostId, at: Option<SocketAddr>) -> Result<SocketAddr, BindError> {
        let (ip, port) = match at {
            Some(at) => (at.ip(), at.port()),
            None => (self.addresses(host).next().ok_or(BindError::NotAnAddress)?, 0),
        };
        self.topology.addresses.place_of(host, ip).ok_or(BindError::NotAnAddress)?;
        self.topology.udp.bind(host, ip, port)
    }

    /// Closes a socket. False if it was not bound.
    pub fn close(&mut self, host: HostId, local: SocketAddr) -> bool {
        self.servers.remove(&(host, local));
        self.topology.udp.close(host, local)
    }

    /// Sets the link between any two hosts that have none of their own, from the next datagram on.
    pub fn set_link(&mut self, link: LinkConfig) {
        self.links.common = link;
    }

    /// Gives one direction between two hosts a link of its own, from the next datagram on. A datagram to
    /// a NAT takes it if, when it is sent, the port is mapped to the receiving host.
    pub fn set_link_from(&mut self, from: HostId, to: HostId, link: LinkConfig) {
        self.links.exceptions.insert((from, to), link);
    }

    /// Takes a direction's own link away, so that it has the common one again.
    pub fn reset_link_from(&mut self, from: HostId, to: HostId) {
        self.links.exceptions.remove(&(from, to));
    }

    /// Cuts one direction between two hosts, whatever addresses they use: until
    /// [`unblock`](Self::unblock), nothing arrives, nor does what is under way already.
    pub fn block(&mut self, from: HostId, to: HostId) {
        self.links.cuts.insert((from, to));
    }

    /// Undoes [`block`](Self::block).
    pub fn unblock(&mut self, from: HostId, to: HostId) {
        self.links.cuts.remove(&(from, to));
    }

    /// Asks `rule` about every datagram from the next one on, instead of the rule before. It is asked when the datagram
    /// has left its host and been mapped by the NAT in front of it.
    pub fn set_rule(&mut self, rule: impl FnMut(&Passing<'_>) -> Fate + Send + 'static) {
        self.rule = Some(Box::new(rule));
    }

    /// Takes the rule away.
    pub fn clear_rule(&mut self) {
        self.rule = None;
    }

    /// Sends a datagram from a bound socket of a host, now. What becomes of it is in the
    /// [`counters`](Self::counters) and the [`log`](Self::log).
    pub fn send(&mut self, from: (HostId, SocketAddr), to: SocketAddr, bytes: &[u8]) {
        let (host, local) = from;
        let line = LogEntry {
            at: self.now,
            from: host,
            source: local,
            destination: to,
            size: bytes.len(),
            event: LogEvent::Sent,
        };
        let tag = self.books.tag_of(bytes);
        self.note(tag, line);
        let mut way = match self.topology.leave(Cargo::Datagram, self.now, host, local, to) {
            Ok(way) => way,
            Err(reason) => {
                if reason != DropReason::NotBound {
                    self.answer((host, local), to, reason, None);
                }
                return self.note(tag, LogEntry { event: LogEvent::Dropped(reason), ..line });
            }
        };
        let rewritten;
        let bytes = if self.topology.rewrites.is_empty() {
            bytes
        } else {
            rewritten = self.rewritten(bytes.to_vec());
            &rewritten
        };
        let mut extra = Duration::ZERO;
        let passing = Passing { at: self.now, from: host, local, to, bytes };
        match self.rule.as_mut().map_or(Fate::Pass, |rule| rule(&passing)) {
            Fate::Pass => {}
            Fate::Lose => {
                return self.note(tag, LogEntry { event: LogEvent::Dropped(DropReason::Rule), ..line });
            }
            Fate::ComeFrom(source) => (way.source, way.shown) = (source, source),
            Fate::Delay(time) => extra = time,
        }
        let line = LogEntry { source: way.source, ..line };
        let link = self.links.between(host, || self.topology.find(Cargo::Datagram, self.now, way).ok());
        let Some(packets) = link.packets(bytes.len(), to) else {
            if link.oversize == Oversize::Told {
                self.tell((host, local), to, IcmpKind::TooBig { mtu: link.mtu }, (None, Some(way)));
            }
            return self.note(tag, LogEntry { event: LogEvent::Dropped(DropReason::TooBig), ..line });
        };
        let mut loss = link.loss;
        if link.has_state() {
            let receiver = self.topology.find(Cargo::Datagram, self.now, way).ok();
            let state = self.links.state(host, receiver);
            if let Some(bandwidth) = link.bandwidth {
                let Some(time) = state.pass(self.now, packet_size(bytes.len(), to, packets), bandwidth)
                else {
                    return self
                        .note(tag, LogEntry { event: LogEvent::Dropped(DropReason::QueueFull), ..line });
                };
                extra = extra.saturating_add(time);
            }
            loss = state.loss(&link, &mut self.link_dice);
        }
        if (0..packets).any(|_| self.link_dice.chance(loss)) {
            return self.note(tag, LogEntry { event: LogEvent::Dropped(DropReason::Loss), ..line });
        }
        let twice = self.link_dice.chance(link.duplication);
        if twice {
            self.note(tag, LogEntry { event: LogEvent::Duplicated, ..line });
        }
        for _ in 0..=u8::from(twice) {
            let at = self.now + link.transit(&mut self.link_dice) + extra;
            self.in_flight
                .push(at, Flight { from: host, local, remote: to, way, tag, bytes: bytes.to_vec() });
        }
    }

    /// When the next datagram arrives somewhere, if only to be dropped there, or something else happens.
    pub fn next_event(&self) -> Option<Instant> {
        [self.next_datagram(), self.next_error(), self.streams.next_event(), self.scripts.next_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Lets time pass up to the next delivery, or, if there is none by then, to `until`. Call again for what
    /// arrives at the same time. Time never goes back. What happens to streams meanwhile is not told, nor are ICMP errors:
    /// where there are some, use [`advance_all`](Self::advance_all).
    pub fn advance(&mut self, until: Instant) -> Option<Delivery> {
        while let Some(happening) = self.advance_all(until) {
            if let Happening::Datagram(delivery) = happening {
                return Some(delivery);
            }
        }
        None
    }

    pub(crate) fn next_datagram(&self) -> Option<Instant> {
        self.in_flight.next_at()
    }

    /// The first datagram that arrives until then is delivered, or dropped.
    pub(crate) fn datagram_until(&mut self, until: Instant) -> Option<Delivery> {
        let (at, flight) = self.in_flight.pop_until(until)?;
        self.pass(at);
        self.arrive(flight).and_then(|delivery| self.answered(delivery))
    }

    pub(crate) fn pass(&mut self, until: Instant) {
        self.now = self.now.max(until);
    }

    /// The source address that `towards` sees when this socket sends to it, as a STUN server would tell it. It does
    /// to the NAT what a datagram would do: makes or refreshes the mapping and the filter's entry.
    pub fn mapped_address(
        &mut self,
        host: HostId,
        local: SocketAddr,
        towards: SocketAddr,
    ) -> Result<SocketAddr, DropReason> {
        self.topology.leave(Cargo::Datagram, self.now, host, local, towards).map(|way| way.shown)
    }

    /// What became of all datagrams so far.
    pub fn counters(&self) -> &Counters {
        self.books.all()
    }

    /// Counts datagrams with `needle` in their payload apart from now on, and among all others still. A datagram
    /// with several needles counts for the first of them. A copy that somebody forwards counts as another datagram.
    pub fn count_apart(&mut self, needle: &[u8]) -> Tag {
        self.books.open(needle)
    }

    /// What became of the datagrams that are counted apart.
    pub fn counters_of(&self, tag: Tag) -> &Counters {
        self.books.of(tag)
    }

    /// Datagrams under way, those that are yet to be dropped included.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Starts the log, or ends it and throws it away. It grows by a line for each event.
    pub fn record(&mut self, on: bool) {
        self.log = on.then(|| self.log.take().unwrap_or_default());
    }

    /// The log since [`record`](Self::record) was called; empty without it.
    pub fn log(&self) -> &[LogEntry] {
        self.log.as_deref().unwrap_or_default()
    }

    fn arrive(&mut self, flight: Flight) -> Option<Delivery> {
        let Flight { from, local: sent_from, remote: sent_to, way, tag, mut bytes } = flight;
        let (source, destination, event) = match self.accept(from, way) {
            Ok(Receiver { host, local, remote }) => {
                if !self.topology.rewrites.is_empty() {
                    bytes = self.rewritten(bytes);
                }
                (remote, local, LogEvent::Delivered(host))
            }
            Err(reason) => {
                self.answer((from, sent_from), sent_to, reason, Some(way));
                (way.source, way.to, LogEvent::Dropped(reason))
            }
        };
        self.note(tag, LogEntry { at: self.now, from, source, destination, size: bytes.len(), event });
        match event {
            LogEvent::Delivered(host) => {
                Some(Delivery { at: self.now, host, local: destination, remote: source, bytes })
            }
            _ => None,
        }
    }

    fn accept(&mut self, from: HostId, way: Way) -> Result<Receiver, DropReason> {
        // Before any router, which a datagram that was cut off must not refresh.
        if !self.links.cuts.is_empty() {
            let receiver = self.topology.find(Cargo::Datagram, self.now, way)?;
            if self.links.is_cut(from, receiver) {
                return Err(DropReason::Blocked);
            }
        }
        self.topology.enter(Cargo::Datagram, self.now, way)
    }

    /// What the routers on the way have made of a payload.
    fn rewritten(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        self.topology.rewrites.iter().for_each(|rewrite| rewrite.apply(&mut bytes));
        bytes
    }

    fn note(&mut self, tag: Option<Tag>, line: LogEntry) {
        self.books.count(tag, line.event);
        if let Some(log) = &mut self.log {
            log.push(line);
        }
    }
}

/// A datagram under way.
struct Flight {
    from: HostId,
    /// The sender's socket, and where it has sent to.
    local: SocketAddr,
    remote: SocketAddr,
    way: Way,
    tag: Option<Tag>,
    bytes: Vec<u8>,
}
