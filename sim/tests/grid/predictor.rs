//! What the standards say of a cell of the grid, from the axes of the boxes alone. It was written before the grid was run, and
//! knows neither the engine nor the simulator: addresses are symbols, and time does not pass. What is sent is sent for ever, so
//! whatever can get through does; the result is a least fixed point.
//!
//! Lifetimes and what refreshes them do not appear: both sides talk all the time, and whoever is silent for minutes has met
//! or failed long before.

use std::collections::{BTreeMap, BTreeSet};

use super::axes::{Axes, Case, Dependence, Firewall, Hairpin, Place, Pooling, Ports, Relay};

/// The type of a candidate.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    Host,
    ServerReflexive,
    PeerReflexive,
    Relayed,
}

/// What a side has to complain of that has no path.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Trouble {
    /// The STUN server does not answer.
    ServerSilent,
    /// The TURN server gives no address.
    NoRelay,
    /// Answers come from elsewhere than was asked.
    Asymmetric,
    /// The peer's requests come, and no answer.
    OneWay,
    /// Neither requests nor answers come; whether there is a relayed candidate.
    NothingThrough { relay: bool },
}

/// How the external ports of two hosts behind one box differ, when they asked a server one after the other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gap {
    /// The right's is so much higher.
    Step(u16),
    /// Both are in the first two blocks.
    Low,
    /// Nothing of that.
    Far,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct SideOutcome {
    /// Gathered, in order of their types.
    pub(crate) candidates: Vec<Kind>,
    /// The types of the selected pair, our end's first.
    pub(crate) selected: Option<(Kind, Kind)>,
    /// Whether the first server that was reached has seen our own port.
    pub(crate) port_kept: Option<bool>,
    /// Sorted. Empty where there is a path.
    pub(crate) troubles: Vec<Trouble>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Outcome {
    pub(crate) left: SideOutcome,
    pub(crate) right: SideOutcome,
    /// Whether the left heard the right before it knew anything of it. Only where that is late.
    pub(crate) heard_early: Option<bool>,
    /// Of two hosts behind one box: whether a server sees both at the same address, if the axes say so, and how their ports
    /// differ, unless both are kept.
    pub(crate) neighbours: Option<(Option<bool>, Option<Gap>)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Side {
    Left,
    Right,
}

const SIDES: [Side; 2] = [Side::Left, Side::Right];

/// A transport address. Private networks differ from box to box.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Address {
    Host(Side),
    /// Of the one internal address and port that a side has.
    Mapped(Side, Box<Scope>),
    Relayed(Side),
    Stun,
    Turn,
}

/// Which flows a mapping is for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Scope {
    All,
    To(Ip),
    Exactly(Address),
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Ip {
    Private(Side),
    Outside(Side),
    Stun,
    Turn,
}

/// Where a check is sent from: RFC 8445 §6.1.2.4 leaves the bases.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Base {
    Direct,
    Relay,
}

struct Arrival {
    to: (Side, Base),
    /// The source that the receiver sees.
    source: Address,
}

#[derive(Default)]
struct Knowledge {
    candidates: Vec<(Address, Kind)>,
    remote: BTreeMap<Address, Kind>,
    pairs: BTreeSet<(Base, Address)>,
    /// By what was checked, the mapped address of the answer.
    valid: BTreeMap<(Base, Address), Address>,
    /// It has the peer's credentials.
    speaks: bool,
    heard: bool,
    asymmetric: bool,
}

struct World<'c> {
    case: &'c Case,
    left: Knowledge,
    right: Knowledge,
    /// Where each mapping has sent to.
    opened: BTreeSet<(Address, Address)>,
}

/// The outcome for `Regular` nomination with the left side controlling.
pub(crate) fn predict(case: &Case) -> Outcome {
    let mut world =
        World { case, left: Knowledge::default(), right: Knowledge::default(), opened: BTreeSet::new() };
    SIDES.into_iter().for_each(|side| world.gather(side));
    world.tell(Side::Right);
    let mut heard_early = None;
    if case.place == Place::ApartLate {
        world.settle();
        heard_early = Some(world.left.heard);
    }
    world.tell(Side::Left);
    world.settle();
    let selected = world.winner();
    let outcome = |side| SideOutcome {
        candidates: {
            let mut kinds: Vec<Kind> = world.of(side).candidates.iter().map(|(_, kind)| *kind).collect();
            kinds.sort_unstable();
            kinds
        },
        selected: selected.map(|[left, right]| if side == Side::Left { left } else { right }),
        port_kept: world.port_kept(side),
        troubles: if selected.is_some() { Vec::new() } else { world.troubles(side) },
    };
    Outcome {
        left: outcome(Side::Left),
        right: outcome(Side::Right),
        heard_early,
        neighbours: world.neighbours(),
    }
}

impl World<'_> {
    fn axes(&self, side: Side) -> &Axes {
        if side == Side::Left || self.same_box() { &self.case.left } else { &self.case.right }
    }

    fn of(&self, side: Side) -> &Knowledge {
        match side {
            Side::Left => &self.left,
            Side::Right => &self.right,
        }
    }

    fn of_mut(&mut self, side: Side) -> &mut Knowledge {
        match side {
            Side::Left => &mut self.left,
            Side::Right => &mut self.right,
        }
    }

    fn same_box(&self) -> bool {
        matches!(self.case.place, Place::Same { .. })
    }

    fn passes_udp(&self, side: Side) -> bool {
        self.axes(side).firewall == Firewall::Open
    }

    fn reaches_relay(&self, side: Side) -> bool {
        match self.case.relay {
            Relay::None => false,
            Relay::Udp => self.axes(side).firewall == Firewall::Open,
            Relay::Tcp => self.axes(side).firewall != Firewall::WebOnly,
            Relay::Tls => true,
        }
    }

    /// RFC 8445 §5.1.1: host, server-reflexive by the STUN server and by a TURN server over UDP (§5.1.1.2), relayed. What is
    /// there already is redundant (§5.1.3).
    fn gather(&mut self, side: Side) {
        let mut candidates = vec![(Address::Host(side), Kind::Host)];
        let mut servers = Vec::new();
        if self.passes_udp(side) {
            servers.push(Address::Stun);
            if self.case.relay == Relay::Udp {
                servers.push(Address::Turn);
            }
        }
        for server in servers {
            let mapped = (self.map(side, &server), Kind::ServerReflexive);
            self.opened.insert((mapped.0.clone(), server));
            if !candidates.contains(&mapped) {
                candidates.push(mapped);
            }
        }
        if self.reaches_relay(side) {
            candidates.push((Address::Relayed(side), Kind::Relayed));
        }
        self.of_mut(side).candidates = candidates;
    }

    /// A side learns credentials and candidates of the other, and pairs all of its bases with them.
    fn tell(&mut self, side: Side) {
        let told = self.of(side.other()).candidates.clone();
        let relay = self.reaches_relay(side).then_some(Base::Relay);
        let knowledge = self.of_mut(side);
        knowledge.speaks = true;
        for (address, kind) in told {
            for base in [Base::Direct].into_iter().chain(relay) {
                knowledge.pairs.insert((base, address.clone()));
            }
            knowledge.remote.insert(address, kind);
        }
    }

    /// Every check is sent again until nothing new comes of any.
    fn settle(&mut self) {
        loop {
            let before = self.measure();
            for side in SIDES {
                for (base, to) in self.of(side).pairs.clone() {
                    self.check(side, base, &to);
                }
            }
            if self.measure() == before {
                return;
            }
        }
    }

    fn measure(&self) -> [usize; 10] {
        let [l, r] = SIDES.map(|side| {
            let of = self.of(side);
            [of.remote.len(), of.pairs.len(), of.valid.len(), of.heard.into(), of.asymmetric.into()]
        });
        let mut all = [self.opened.len(); 10];
        for (place, value) in all.iter_mut().zip(l.into_iter().chain(r)) {
            *place += value;
        }
        all
    }

    fn check(&mut self, side: Side, base: Base, to: &Address) {
        let Some(Arrival { to: (other, other_base), source }) = self.carry(side, base, to) else { return };
        let receiver = self.of_mut(other);
        receiver.heard = true;
        if receiver.speaks {
            // RFC 8445 §7.3.1.3 and §7.3.1.4: learned, and checked from where it was heard only.
            receiver.remote.entry(source.clone()).or_insert(Kind::PeerReflexive);
            receiver.pairs.insert((other_base, source.clone()));
        }
        // It answers, whatever it knows of us, to where the request came from (RFC 8489 §6.3.1.1).
        let Some(answer) = self.carry(other, other_base, &source) else { return };
        if answer.to != (side, base) {
            return;
        }
        let asker = self.of_mut(side);
        if answer.source == *to {
            // RFC 8445 §7.2.5.3.2: the mapped address makes the valid pair.
            asker.valid.insert((base, to.clone()), source);
        } else {
            // §7.2.5.2.1.
            asker.asymmetric = true;
        }
    }

    /// What a side sends from a base to an address: where it comes out, and as whose. Filters are opened on the way.
    fn carry(&mut self, from: Side, base: Base, to: &Address) -> Option<Arrival> {
        let source = match (base, to) {
            (Base::Relay, _) => Address::Relayed(from),
            (Base::Direct, Address::Host(peer)) => {
                let meet = self.case.place == Place::Same { isolated: false };
                return meet.then_some(Arrival { to: (*peer, Base::Direct), source: Address::Host(from) });
            }
            (Base::Direct, _) if !self.passes_udp(from) || to.depth() > DEEPEST => return None,
            (Base::Direct, _) => {
                let source = self.map(from, to);
                self.opened.insert((source.clone(), to.clone()));
                source
            }
        };
        match to {
            // RFC 8656 §9: the relay lets in the addresses that its client has asked for, which are those of its peer's candidates.
            Address::Relayed(peer) => {
                let ip = self.ip(&source);
                let permitted = self.of(*peer).remote.keys().any(|known| self.ip(known) == ip);
                permitted.then_some(Arrival { to: (*peer, Base::Relay), source })
            }
            Address::Mapped(peer, _) => {
                let hairpin = self.axes(*peer).hairpin;
                let turns_back = self.same_box() && base == Base::Direct;
                if turns_back && hairpin == Hairpin::None || !self.lets_in(*peer, to, &source) {
                    return None;
                }
                let inside = turns_back && hairpin == Hairpin::InternalSource;
                let source = if inside { Address::Host(from) } else { source };
                Some(Arrival { to: (*peer, Base::Direct), source })
            }
            Address::Host(_) | Address::Stun | Address::Turn => None,
        }
    }

    fn map(&self, side: Side, to: &Address) -> Address {
        let axes = self.axes(side);
        let scope = match axes.mapping {
            // RFC 4787 §4.2.1: whatever they are for, its mappings have the same external port, and who sends tells them apart.
            _ if axes.ports == Ports::Overloading => Scope::All,
            Dependence::Independent => Scope::All,
            Dependence::Address => Scope::To(self.ip(to)),
            Dependence::AddressAndPort => Scope::Exactly(to.clone()),
        };
        Address::Mapped(side, Box::new(scope))
    }

    fn lets_in(&self, side: Side, mapped: &Address, source: &Address) -> bool {
        let mut sent_to = self.opened.iter().filter(|(from, _)| from == mapped).map(|(_, to)| to);
        match self.axes(side).filtering {
            Dependence::Independent => true,
            Dependence::Address => sent_to.any(|to| self.ip(to) == self.ip(source)),
            Dependence::AddressAndPort => sent_to.any(|to| to == source),
        }
    }

    fn ip(&self, address: &Address) -> Ip {
        match address {
            Address::Host(side) => Ip::Private(*side),
            Address::Mapped(side, _) => {
                let shared = self.same_box() && self.axes(*side).addresses <= 1;
                Ip::Outside(if shared { Side::Left } else { *side })
            }
            Address::Stun => Ip::Stun,
            Address::Relayed(_) | Address::Turn => Ip::Turn,
        }
    }

    /// The valid pair of the highest priority on the controlling side (RFC 8445 §6.1.2.3, §7.2.5.3.2), as each side sees it.
    fn winner(&mut self) -> Option<[(Kind, Kind); 2]> {
        let left = &self.left;
        let priority = |((_, to), mapped): &(&(Base, Address), &Address)| {
            let remote = left.remote.get(to).map_or(0, |kind| rank(*kind, left_out(&self.right, to)));
            let local = rank(left.kind_of(mapped), left_out(left, mapped));
            let (least, most) = (local.min(remote), local.max(remote));
            (least << 32) + 2 * most + u64::from(local > remote)
        };
        let ((base, to), mapped) = left.valid.iter().max_by_key(priority)?;
        let own = (left.kind_of(mapped), *left.remote.get(to)?);
        let (base, to) = (*base, to.clone());
        // RFC 8445 §7.3.1.5: the other side's pair is the one that the nomination arrives on.
        let Arrival { to: (_, other_base), source } = self.carry(Side::Left, base, &to)?;
        let right = &self.right;
        let mapped = right.valid.get(&(other_base, source.clone()))?;
        Some([own, (right.kind_of(mapped), *right.remote.get(&source)?)])
    }

    fn troubles(&self, side: Side) -> Vec<Trouble> {
        let of = self.of(side);
        let mut troubles = Vec::new();
        if !self.passes_udp(side) {
            troubles.push(Trouble::ServerSilent);
        }
        if self.case.relay != Relay::None && !self.reaches_relay(side) {
            troubles.push(Trouble::NoRelay);
        }
        if of.asymmetric {
            troubles.push(Trouble::Asymmetric);
        }
        if of.heard {
            troubles.push(Trouble::OneWay);
        } else if !of.asymmetric {
            troubles.push(Trouble::NothingThrough { relay: self.reaches_relay(side) });
        }
        troubles.sort_unstable();
        troubles
    }

    /// Both hosts use the same port for datagrams, and each another one for its connection to the relay.
    fn port_kept(&self, side: Side) -> Option<bool> {
        let axes = self.axes(side);
        if !self.passes_udp(side) && !self.reaches_relay(side) {
            return None;
        }
        let first = side == Side::Left || !self.same_box() || !self.passes_udp(side) || axes.addresses > 1;
        match axes.ports {
            Ports::Preserving => Some(first),
            Ports::Overloading => Some(true),
            Ports::Sequential(_) | Ports::Random | Ports::Block => Some(false),
        }
    }

    fn neighbours(&self) -> Option<(Option<bool>, Option<Gap>)> {
        let [left, right] = SIDES.map(|side| self.port_kept(side));
        if !self.same_box() || left.is_none() || right.is_none() {
            return None;
        }
        let axes = self.axes(Side::Left);
        let alone = axes.addresses <= 1;
        let gap = match axes.ports {
            _ if left == Some(true) && right == Some(true) => None,
            Ports::Preserving | Ports::Overloading => Some(Gap::Step(1)),
            Ports::Sequential(step) if alone => Some(Gap::Step(step)),
            Ports::Sequential(_) | Ports::Random => Some(Gap::Far),
            Ports::Block => Some(Gap::Low),
        };
        let same_address = match axes.pooling {
            Pooling::Arbitrary if !alone => None,
            _ => Some(alone),
        };
        Some((same_address, gap))
    }
}

impl Knowledge {
    /// RFC 8445 §7.2.5.3.1.
    fn kind_of(&self, mapped: &Address) -> Kind {
        let own = self.candidates.iter().find(|(address, _)| address == mapped);
        own.map_or(Kind::PeerReflexive, |(_, kind)| *kind)
    }
}

impl Side {
    fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }
}

impl Address {
    /// How many mappings led to this one.
    fn depth(&self) -> u32 {
        match self {
            Self::Mapped(_, scope) => match scope.as_ref() {
                Scope::Exactly(to) => 1 + to.depth(),
                Scope::All | Scope::To(_) => 1,
            },
            _ => 0,
        }
    }
}

/// RFC 8445 §5.1.2.1 with the type preferences of §5.1.2.2. Local preferences are unique among candidates of a type: `nth` of them.
fn rank(kind: Kind, nth: u64) -> u64 {
    let preference = match kind {
        Kind::Host => 126,
        Kind::PeerReflexive => 110,
        Kind::ServerReflexive => 100,
        Kind::Relayed => 0,
    };
    (preference << 24) + ((65_535 - nth) << 8) + 255
}

/// How many of a side's candidates of the same type come before this one. None do before one that was learned (§7.1.1).
fn left_out(of: &Knowledge, address: &Address) -> u64 {
    let place = of.candidates.iter().position(|(own, _)| own == address);
    place.map_or(0, |place| {
        let of_type = of.candidates.get(place).map(|(_, kind)| *kind);
        of.candidates.iter().take(place).filter(|(_, kind)| Some(*kind) == of_type).count() as u64
    })
}

/// Two mappings that each depend on the other's last one could be answered by new ones for ever. An answer then never comes from
/// where was asked, so nothing valid is missed.
const DEEPEST: u32 = 4;
