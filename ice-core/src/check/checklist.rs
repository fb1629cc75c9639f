//! One checklist, that of a data stream: which pairs there are, in order of priority, and which of them fit. It knows
//! nothing of time beyond what its pairs remember, and sends nothing.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;

use super::pair::{Pair, PairState, priority};
use super::reserve::{Reserve, Turn};
use super::role::Role;
use crate::base::{ComponentId, Instant, PairId, SocketId, Tuple};
use crate::candidate::{
    CandidateType, Candidates, LocalCandidate, LocalId, Origin, RemoteCandidate, RemoteId, TcpType,
};
use crate::trace::{TraceEvent, Tracer};

/// How many pairs are checked (RFC 8445 §6.1.2.5, §19.5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reach {
    /// At most this many, those of the highest priority; the report says when some were left out.
    /// 1 to [`MAX_PAIRS`].
    Pairs(u16),
    /// Up to [`MAX_PAIRS`], with the memory of [`DEFAULT_PAIRS`]: a pair that has waited five seconds
    /// without an answer steps back while others wait.
    Wide,
}

impl Default for Reach {
    fn default() -> Self {
        Self::Pairs(DEFAULT_PAIRS)
    }
}

/// RFC 8445 §6.1.2.5: a default of 100 pairs.
pub const DEFAULT_PAIRS: u16 = 100;
/// The most pairs that an agent ever tries: at Ta 50 ms a first pass takes 125 s (RFC 8445 §19.5.1).
pub const MAX_PAIRS: u16 = 2_500;
/// The most pairs that signalled candidates can aim at one remote IP address, shared evenly by the data streams. It
/// bounds what a malicious description can make us send to a third party (RFC 8445 §19.5.1).
pub const MAX_PAIRS_PER_REMOTE_ADDRESS: u16 = 64;

/// How many remote addresses are remembered with what was aimed at them, the latest: to aim at one beyond its bound, a
/// description has to signal so many others first (RFC 8445 §19.5.1).
pub(crate) const MAX_AIMED: usize = 1_024;
/// How many flows that have lost consent are remembered after their pairs, the latest: a peer behind a NAT that changes its
/// mapping leaves one behind each time (RFC 7675 §5.1).
pub(crate) const MAX_SPENT: usize = 64;

/// What the checklists of a set share.
#[derive(Debug)]
pub(super) struct Shared {
    /// `None` when all names of the generation have been used.
    next_id: Option<PairId>,
    /// How many pairs were aimed at each remote address so far; the address that was aimed at first stands first.
    aimed: VecDeque<(Aim, u16)>,
    /// Flows of pairs that have lost consent and are forgotten: they are not to be checked again (RFC 7675 §5.1).
    spent: VecDeque<Tuple>,
}

/// What the pairs of one data stream are aimed at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Aim {
    stream: u16,
    address: IpAddr,
}

impl Aim {
    fn of(pair: &Pair) -> Self {
        Self { stream: pair.component.stream, address: pair.tuple.remote.ip() }
    }
}

#[derive(Debug)]
pub(crate) struct Checklist {
    /// Highest priority first.
    pairs: Vec<Pair>,
    pub(crate) reserve: Reserve,
    reach: Reach,
    /// How many pairs it holds at the most, and how many more wait in the reserve.
    capacity: usize,
    reserve_capacity: usize,
    /// How many pairs may be aimed at one remote address.
    share: u16,
    /// Pairs that were never tried because of a limit.
    untried: u32,
    /// Pairs that were displaced while a check was out; their requests are to be forgotten.
    displaced: bool,
}

impl Shared {
    /// The first pair is called `first_id`.
    pub(super) fn new(first_id: PairId) -> Self {
        Self { next_id: Some(first_id), aimed: VecDeque::new(), spent: VecDeque::new() }
    }

    pub(super) fn next_id(&self) -> Option<PairId> {
        self.next_id
    }

    /// Counts the pair against its remote address.
    fn may_aim_at(&mut self, aim: Aim, share: u16) -> bool {
        match self.aimed.iter_mut().find(|(known, _)| *known == aim) {
            Some((_, count)) if *count >= share => false,
            Some((_, count)) => {
                *count += 1;
                true
            }
            None => {
                if self.aimed.len() >= MAX_AIMED {
                    self.aimed.pop_front();
                }
                self.aimed.push_back((aim, 1));
                true
            }
        }
    }

    /// A pair went with a socket of ours, which is not the description's doing: its address has its share back.
    pub(super) fn give_back(&mut self, pair: &Pair) {
        let aim = Aim::of(pair);
        if let Some((_, count)) = self.aimed.iter_mut().find(|(known, _)| *known == aim) {
            *count = count.saturating_sub(1);
        }
        self.aimed.retain(|(_, count)| *count > 0);
    }

    /// A pair is forgotten. If it has lost consent, its flow is not.
    pub(super) fn remember(&mut self, pair: &Pair) {
        if pair.is_spent() && !self.spent.contains(&pair.tuple) {
            if self.spent.len() >= MAX_SPENT {
                self.spent.pop_front();
            }
            self.spent.push_back(pair.tuple);
        }
    }

    /// The socket is gone; another may come under its name.
    pub(super) fn on_socket_down(&mut self, socket: SocketId) {
        self.spent.retain(|tuple| tuple.socket != socket);
    }
}

/// Why a pair is formed, which decides what it may displace.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Occasion {
    /// Both candidates are known by signalling or gathering.
    Signalled,
    /// Its turn has come to leave the reserve.
    Reserved,
    /// An authenticated request came in on it (RFC 8445 §7.3.1.4).
    Triggered,
}

impl Checklist {
    /// One of `lists` that share the limit evenly (RFC 8445 §6.1.2.5).
    pub(crate) fn new(reach: Reach, lists: usize) -> Self {
        let (all, reserve) = match reach {
            Reach::Pairs(limit) => (usize::from(limit), 0),
            Reach::Wide => (usize::from(DEFAULT_PAIRS), usize::from(MAX_PAIRS - DEFAULT_PAIRS)),
        };
        Self {
            pairs: Vec::new(),
            reserve: Reserve::default(),
            reach,
            capacity: (all / lists).max(1),
            reserve_capacity: reserve / lists,
            share: (usize::from(MAX_PAIRS_PER_REMOTE_ADDRESS) / lists).max(1) as u16,
            untried: 0,
            displaced: false,
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Pair> + Clone {
        self.pairs.iter()
    }

    /// For changes that leave the order as it is.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Pair> {
        self.pairs.iter_mut()
    }

    /// The best pair that is `wanted`.
    pub(crate) fn first(&self, wanted: impl Fn(&Pair) -> bool) -> Option<PairId> {
        self.pairs.iter().find(|p| wanted(p)).map(|p| p.id)
    }

    pub(crate) fn find(&self, local: LocalId, remote: RemoteId) -> Option<PairId> {
        self.first(|p| p.local == local && p.remote == remote)
    }

    /// How many pairs a limit kept from ever being tried.
    pub(crate) fn untried(&self) -> u32 {
        self.untried
    }

    /// Whether a candidate of ours and one of the peer's make a pair (RFC 8445 §6.1.2.2).
    pub(crate) fn fits(local: &LocalCandidate, remote: &RemoteCandidate) -> bool {
        local.component == remote.component
            // RFC 8445 §6.1.2.4: a reflexive candidate's pair is that of its base, which is there already.
            && matches!(local.kind, CandidateType::Host | CandidateType::Relayed)
            // RFC 6544 §6.2: of TCP, an active one of ours and a passive one of the peer's. The other way round it is the peer's to
            // connect, and its request makes the pair.
            && matches!((local.tcp, remote.tcp), (None, None) | (Some(TcpType::Active), Some(TcpType::Passive)))
            && can_reach(local.base.ip(), remote.address.ip())
    }

    /// Adds the pair of two candidates, if there is room for it or room can be made
    /// (RFC 8445 §6.1.2.5, RFC 8838 §10). Its state is Frozen.
    pub(crate) fn form(
        &mut self,
        occasion: Occasion,
        role: Role,
        (local, remote): (&LocalCandidate, &RemoteCandidate),
        candidates: &Candidates,
        shared: &mut Shared,
        (now, tracer): (Instant, &mut Tracer),
    ) -> Option<PairId> {
        if let Some(id) = self.find(local.id, remote.id) {
            return Some(id);
        }
        let name = shared.next_id?;
        let pair = Pair::new(name, local, remote, role);
        if shared.spent.contains(&pair.tuple) {
            return None;
        }
        let known = self.reserve.remove(local.id, remote.id);
        let is_new = occasion == Occasion::Signalled && !known;
        if is_new && !shared.may_aim_at(Aim::of(&pair), self.share) && !self.aim_better(&pair) {
            self.untried = self.untried.saturating_add(1);
            return None;
        }
        if self.is_full() && !self.make_room(occasion, &pair, role, (candidates, &mut *shared)) {
            // One on which the peer was heard is never put off: what displaces nothing now would wait for ever.
            if occasion != Occasion::Triggered {
                self.put_off(local.id, remote.id, role, candidates);
            }
            return None;
        }
        if occasion == Occasion::Triggered && !known && remote.origin == Origin::Signalled {
            // It was left out before, and is tried after all.
            self.untried = self.untried.saturating_sub(1);
        }
        shared.next_id = name.next();
        let id = pair.id;
        tracer.emit(
            now,
            TraceEvent::PairFormed {
                pair: id,
                local: local.base,
                remote: remote.address,
                priority: pair.priority,
            },
        );
        let place = self.pairs.partition_point(|p| p.priority >= pair.priority);
        self.pairs.insert(place, pair);
        Some(id)
    }

    pub(crate) fn is_full(&self) -> bool {
        self.pairs.len() >= self.capacity()
    }

    /// Whether a pair of the reserve finds a place: a free one, or that of a pair that has failed.
    pub(crate) fn has_room(&self) -> bool {
        !self.is_full() || self.pairs.iter().any(is_failed)
    }

    /// Removes the pairs that `doomed` names.
    pub(crate) fn remove(&mut self, doomed: impl Fn(&Pair) -> bool) {
        self.pairs.retain(|p| !doomed(p));
    }

    /// Values everything anew: the role has changed (RFC 8445 §7.3.1.1), or a remote candidate is known better than
    /// before (RFC 8838 §11.4).
    pub(crate) fn revalue(&mut self, role: Role, candidates: &Candidates) {
        for pair in &mut self.pairs {
            pair.revalue(role, candidates);
        }
        self.pairs.sort_by_key(|p| core::cmp::Reverse(p.priority));
        self.reserve.sort_by_key(|local, remote| of(candidates, local, remote, role));
    }

    /// Whether pairs with a check out were displaced since this was asked last.
    pub(crate) fn take_displaced(&mut self) -> bool {
        core::mem::take(&mut self.displaced)
    }

    /// Takes back everything of a component that waits to be tried: another pair was selected. What the peer has nominated
    /// stays, since the peer may have selected it (RFC 8445 §8.1.1).
    pub(crate) fn conclude(&mut self, component: ComponentId, candidates: &Candidates) {
        self.pairs.retain(|p| p.component != component || !p.is_waiting_or_frozen() || p.is_wanted());
        self.reserve.retain(|local| candidates.local(local).is_none_or(|l| l.component != component));
    }

    /// How many pairs the list holds at the most.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// A remote address has its share of pairs: one of lower priority that was not checked yet gives up its place.
    fn aim_better(&mut self, newcomer: &Pair) -> bool {
        let address = newcomer.tuple.remote.ip();
        let expendable = |p: &Pair| {
            p.tuple.remote.ip() == address
                && p.is_waiting_or_frozen()
                && !p.was_heard()
                && p.priority < newcomer.priority
        };
        let Some(index) = self.pairs.iter().rposition(expendable) else { return false };
        self.pairs.remove(index);
        self.untried = self.untried.saturating_add(1);
        true
    }

    /// RFC 8838 §10: failed pairs go first, then one of lower priority that was not checked yet. For a pair on which
    /// the peer was heard any that was not checked goes, then the one whose check has been out longest. One on which
    /// the peer was heard never goes.
    fn make_room(
        &mut self,
        occasion: Occasion,
        newcomer: &Pair,
        role: Role,
        (candidates, shared): (&Candidates, &mut Shared),
    ) -> bool {
        if let Some(index) = self.pairs.iter().rposition(is_failed) {
            shared.remember(&self.pairs.remove(index));
            return true;
        }
        let heard = occasion == Occasion::Triggered;
        let is_idle = |p: &Pair| p.is_waiting_or_frozen() && !p.was_heard();
        if let Some(index) = self.pairs.iter().rposition(is_idle) {
            if !heard && self.pairs.get(index).is_none_or(|p| p.priority >= newcomer.priority) {
                return false;
            }
            let removed = self.pairs.remove(index);
            self.put_off(removed.local, removed.remote, role, candidates);
            return true;
        }
        let displaced = heard && self.displace_longest_unanswered();
        self.trim_reserve();
        displaced
    }

    /// The pair that has waited longest for an answer, and on which nothing was heard.
    pub(crate) fn longest_unanswered(&self) -> Option<(Instant, PairId)> {
        let silent = self.pairs.iter().filter(|p| !p.was_heard());
        let in_progress = silent.filter_map(|p| match p.state {
            PairState::InProgress { since } => Some((since, p.id)),
            _ => None,
        });
        in_progress.min()
    }

    /// Takes that pair out; under `Reach::Wide` it may have another turn.
    pub(crate) fn displace_longest_unanswered(&mut self) -> bool {
        let Some((_, id)) = self.longest_unanswered() else { return false };
        let Some(index) = self.pairs.iter().position(|p| p.id == id) else { return false };
        let pair = self.pairs.remove(index);
        if self.reach == Reach::Wide && pair.turn == Turn::First {
            self.reserve.park(pair.local, pair.remote);
        }
        self.displaced = true;
        true
    }

    /// There is no room for this pair now.
    fn put_off(&mut self, local: LocalId, remote: RemoteId, role: Role, candidates: &Candidates) {
        match self.reach {
            Reach::Pairs(_) => self.untried = self.untried.saturating_add(1),
            Reach::Wide => self.reserve.insert(local, remote, |l, r| of(candidates, l, r, role)),
        }
        self.trim_reserve();
    }

    /// All lists and reserves together hold [`MAX_PAIRS`] at the most.
    fn trim_reserve(&mut self) {
        while self.reserve.len() > self.reserve_capacity {
            self.untried = self.untried.saturating_add(u32::from(self.reserve.drop_last()));
        }
    }
}

fn is_failed(pair: &Pair) -> bool {
    matches!(pair.state, PairState::Failed(_))
}

/// The priority of a pair by its candidates; 0 when one of them is gone.
fn of(candidates: &Candidates, local: LocalId, remote: RemoteId, role: Role) -> u64 {
    match (candidates.local(local), candidates.remote(remote)) {
        (Some(local), Some(remote)) => priority(role, local.priority, remote.priority),
        _ => 0,
    }
}

/// Same family, and link-local only among themselves (RFC 8445 §6.1.2.2).
fn can_reach(local: IpAddr, remote: IpAddr) -> bool {
    match (local, remote) {
        (IpAddr::V4(_), IpAddr::V4(_)) => true,
        (IpAddr::V6(local), IpAddr::V6(remote)) => {
            local.is_unicast_link_local() == remote.is_unicast_link_local()
        }
        _ => false,
    }
}
