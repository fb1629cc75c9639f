//! The streams of a network: who listens where, what connects, and when streams are over. How things get from one end to the other is
//! in `segments`.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

use super::segments::{STREAM_BUFFER, Segment, Sender, Waiting};
use super::{Pieces, StreamChange, StreamEvent, StreamId, StreamKind};
use crate::dice::Dice;
use crate::firewall::Cargo;
use crate::link::Links;
use crate::queue::Queue;
use crate::record::DropReason;
use crate::topology::{Receiver, Topology, Way};
use crate::{BindError, HostId, Instant, RouterId};

/// A request to connect is sent again after 1, 2, 4, 8 seconds; 16 seconds after the last it has failed.
const ATTEMPTS: u32 = 5;

/// All streams, with what is under way.
pub(crate) struct Streams {
    pub(crate) pieces: Pieces,
    listeners: BTreeMap<(HostId, SocketAddr), StreamKind>,
    pub(super) ends: BTreeMap<StreamId, End>,
    pub(super) queue: Queue<Flight>,
    given: u64,
    seed: u64,
}

/// One end of a stream. One that is no more is in the table only while the other one does not know.
pub(super) struct End {
    pub(super) host: HostId,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
    kind: StreamKind,
    /// The other end; none while it connects.
    pub(super) other: Option<(StreamId, HostId)>,
    pub(super) is_open: bool,
    pub(super) is_gone: bool,
    /// What is to come to this end and waits for the link, and whether it is known when there is room.
    pub(super) waiting: VecDeque<Waiting>,
    pub(super) waits_for_room: bool,
    /// What comes to this end.
    pub(super) incoming: VecDeque<Segment>,
    /// Since when the first of it does not get in.
    pub(super) stalled: Option<Instant>,
    /// For what happens on the way to it, and for where its bytes are cut: a stream's luck is no matter of the others'.
    pub(super) dice: Dice,
    pub(super) cuts: Dice,
}

pub(super) enum Item {
    Bytes(Vec<u8>),
    /// Anything that is told as it is.
    Change(StreamChange),
}

pub(super) enum Flight {
    /// A request to connect.
    Syn { from: StreamId, way: Way },
    /// It may be time for the next one.
    Again { from: StreamId, attempt: u32 },
    /// There may be room on the link for what waits for this end.
    Room(StreamId),
    /// Something may have arrived at this end.
    Arrival(StreamId),
    /// Somebody on the way, or a host that does not know it, tells an end that it is over.
    Told(StreamId, StreamChange),
    /// Somebody on this way refuses what was let in neither then nor, perhaps, now.
    Refusal { from: StreamId, way: Way },
}

impl Streams {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            pieces: Pieces::default(),
            listeners: BTreeMap::new(),
            ends: BTreeMap::new(),
            queue: Queue::new(),
            given: 0,
            seed,
        }
    }

    pub(crate) fn listen(
        &mut self,
        topology: &mut Topology,
        host: HostId,
        at: SocketAddr,
        kind: StreamKind,
    ) -> Result<SocketAddr, BindError> {
        let at = self.share(topology, host, at)?;
        if self.listeners.contains_key(&(host, at)) {
            return Err(BindError::InUse);
        }
        self.listeners.insert((host, at), kind);
        Ok(at)
    }

    pub(crate) fn unlisten(&mut self, topology: &mut Topology, host: HostId, at: SocketAddr) -> bool {
        let listened = self.listeners.remove(&(host, at)).is_some();
        self.release(topology, host, at);
        listened
    }

    /// A new end that has sent nothing yet.
    pub(crate) fn begin(
        &mut self,
        topology: &mut Topology,
        (host, from): (HostId, SocketAddr),
        to: SocketAddr,
        kind: StreamKind,
    ) -> Result<StreamId, BindError> {
        let local = self.share(topology, host, from)?;
        if self.ends.values().any(|end| end.is_between(host, local, to)) {
            return Err(BindError::InUse);
        }
        Ok(self.add((host, local, to), kind))
    }

    /// Sends a request to connect, and plans the next.
    pub(crate) fn send_syn(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        from: StreamId,
        attempt: u32,
    ) {
        self.plan_again(now, from, attempt);
        let Some(end) = self.ends.get_mut(&from) else { return };
        let (host, local, to, kind) = (end.host, end.local, end.remote, end.kind);
        let cargo = Cargo::Stream(kind);
        let way = match topology.leave(cargo, now, host, local, to) {
            Ok(way) => way,
            Err(reason) => {
                if let Some((_, icmp)) = topology.refusal(reason, host)
                    && topology.tells((host, local), icmp, None)
                {
                    self.queue.push(now, Flight::Told(from, StreamChange::Refused));
                }
                return;
            }
        };
        let link = links.between(host, || topology.find(cargo, now, way).ok());
        let (mut loss, mut queued) = (link.loss, Duration::ZERO);
        if link.has_state() {
            let receiver = topology.find(cargo, now, way).ok();
            let state = links.state(host, receiver);
            if let Some(bandwidth) = link.bandwidth {
                // Without room it is lost, as a datagram is.
                let Some(time) = state.pass(now, link.segment(0, to).0, bandwidth) else { return };
                queued = time;
            }
            loss = state.loss(&link, &mut end.dice);
        }
        if !end.dice.chance(loss) {
            self.queue.push(now + link.transit(&mut end.dice) + queued, Flight::Syn { from, way });
        }
    }

    pub(crate) fn write(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        stream: StreamId,
        bytes: &[u8],
    ) -> bool {
        let pieces = self.pieces;
        let Some((from, other)) = self.route(stream) else { return false };
        if self.waiting(other) >= STREAM_BUFFER {
            return false;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = match pieces {
                Pieces::Whole => rest.len(),
                Pieces::Of(most) => most.max(1),
                Pieces::Random => {
                    let Some(end) = self.ends.get_mut(&stream) else { return false };
                    1 + end.cuts.below(u32::try_from(rest.len()).unwrap_or(u32::MAX)) as usize
                }
            };
            let (piece, later) = rest.split_at(most.min(rest.len()));
            self.send(topology, links, now, from, (other, Item::Bytes(piece.to_vec())));
            rest = later;
        }
        true
    }

    /// How many of the bytes that were written wait.
    pub(crate) fn unsent(&self, stream: StreamId) -> usize {
        self.route(stream).map_or(0, |(_, other)| self.waiting(other))
    }

    /// Who sends what is written into a stream, and to which end.
    fn route(&self, stream: StreamId) -> Option<(Sender, StreamId)> {
        let end = self.ends.get(&stream).filter(|end| end.is_open && !end.is_gone)?;
        let (other, _) = end.other.filter(|(other, _)| self.ends.contains_key(other))?;
        Some((Sender { host: end.host, ends: Some((end.local, end.remote)) }, other))
    }

    pub(crate) fn close(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        stream: StreamId,
        reset: bool,
    ) -> bool {
        let Some(end) = self.ends.get(&stream).filter(|end| !end.is_gone) else { return false };
        let from = Sender { host: end.host, ends: Some((end.local, end.remote)) };
        let other = end.other.map(|(other, _)| other);
        self.leave(topology, stream);
        let Some(other) = other else { return true };
        if let Some(of) = self.ends.get_mut(&other).filter(|_| reset) {
            of.incoming.clear();
            of.waiting.clear();
        }
        let change = if reset { StreamChange::Reset } else { StreamChange::Ended };
        self.send(topology, links, now, from, (other, Item::Change(change)));
        true
    }

    pub(crate) fn local(&self, stream: StreamId) -> Option<SocketAddr> {
        self.ends.get(&stream).filter(|end| !end.is_gone).map(|end| end.local)
    }

    pub(crate) fn pieces_under_way(&self) -> u64 {
        self.ends.values().map(|end| (end.waiting.len() + end.incoming.len()) as u64).sum()
    }

    /// When the next thing arrives or is tried again, if only to be dropped.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// Does what is due first.
    pub(crate) fn advance(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
    ) -> Option<StreamEvent> {
        match self.queue.pop_until(now)?.1 {
            Flight::Syn { from, way } => self.on_syn(topology, links, now, from, way),
            Flight::Again { from, attempt } => self.on_again(topology, links, now, from, attempt),
            Flight::Room(to) => {
                self.push_on(topology, links, now, (to, 1));
                None
            }
            Flight::Arrival(at) => self.on_arrival(topology, links, now, at),
            Flight::Told(end, change) => self.finish(topology, now, end, change),
            Flight::Refusal { from, way } => {
                // RFC 5382 REQ-4: who has sent a request the other way meanwhile hears nothing.
                let caller = self.ends.get(&from).filter(|caller| caller.other.is_none())?;
                let (host, kind) = (caller.host, caller.kind);
                if topology.enter(Cargo::Stream(kind), now, way).is_err() {
                    let from_there = Sender { host, ends: None };
                    self.send(topology, links, now, from_there, (from, Item::Change(StreamChange::Refused)));
                }
                None
            }
        }
    }

    /// A request to connect has come to where it was sent: to a listener, to somebody who connects likewise, or to nobody.
    fn on_syn(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        from: StreamId,
        way: Way,
    ) -> Option<StreamEvent> {
        let caller = self.ends.get(&from)?;
        let (caller_host, kind) = (caller.host, caller.kind);
        let already = caller.other;
        let (caller_place, cargo) = ((caller.host, caller.local), Cargo::Stream(kind));
        let host = match topology.find(cargo, now, way) {
            Ok(host) => host,
            Err(reason) => {
                self.refuse(topology, now, (from, way), caller_place, topology.refusal(reason, caller_host));
                return None;
            }
        };
        if links.is_cut(caller_host, host) {
            return None;
        }
        let (local, remote) = match topology.enter(cargo, now, way) {
            Ok(Receiver { local, remote, .. }) => (local, remote),
            Err(DropReason::NotBound) => {
                return self.turn_away(topology, links, now, host, (from, caller_host));
            }
            Err(reason) => {
                self.refuse(topology, now, (from, way), caller_place, topology.refusal(reason, host));
                return None;
            }
        };
        let answers = Sender { host, ends: Some((local, remote)) };
        let connected = (from, Item::Change(StreamChange::Connected));
        // Both have begun: each request is the answer to the other's.
        let likewise = self
            .ends
            .iter()
            .find(|(_, end)| end.is_between(host, local, remote) && end.kind == kind && !end.is_open);
        if let Some(id) = likewise.map(|(id, _)| *id) {
            let change = self.open(id, (from, caller_host)).map(|()| StreamChange::Connected);
            if let Some(caller) = self.ends.get_mut(&from) {
                caller.other = Some((id, host));
            }
            self.send(topology, links, now, answers, connected);
            return self.event(now, id, change?);
        }
        if already.is_some() {
            return None;
        }
        if self.listeners.get(&(host, local)) != Some(&kind) {
            return self.turn_away(topology, links, now, host, (from, caller_host));
        }
        let accepted = self.add((host, local, remote), kind);
        self.open(accepted, (from, caller_host));
        if let Some(caller) = self.ends.get_mut(&from) {
            caller.other = Some((accepted, host));
        }
        self.send(topology, links, now, answers, connected);
        self.event(now, accepted, StreamChange::Accepted(kind))
    }

    fn on_again(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        from: StreamId,
        attempt: u32,
    ) -> Option<StreamEvent> {
        let end = self.ends.get(&from).filter(|end| !end.is_open && !end.is_gone)?;
        if end.incoming.iter().any(Segment::refuses) {
            return None;
        }
        if attempt >= ATTEMPTS {
            return self.finish(topology, now, from, StreamChange::TimedOut);
        }
        // Once the other end knows of it, its answer is on the way, or tries to be.
        if end.other.is_none() {
            self.send_syn(topology, links, now, from, attempt);
        } else {
            self.plan_again(now, from, attempt);
        }
        None
    }

    fn plan_again(&mut self, now: Instant, from: StreamId, attempt: u32) {
        let again = now + Duration::from_secs(1 << attempt.min(ATTEMPTS));
        self.queue.push(again, Flight::Again { from, attempt: attempt + 1 });
    }

    /// A host refuses a request to connect, if that gets back to the caller.
    fn turn_away(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        host: HostId,
        (caller, caller_host): (StreamId, HostId),
    ) -> Option<StreamEvent> {
        if !links.is_cut(host, caller_host) {
            let from = Sender { host, ends: None };
            self.send(topology, links, now, from, (caller, Item::Change(StreamChange::Refused)));
        }
        None
    }

    /// Plans what somebody on the way says to a request to connect.
    fn refuse(
        &mut self,
        topology: &Topology,
        now: Instant,
        (from, way): (StreamId, Way),
        (host, local): (HostId, SocketAddr),
        refusal: Option<(Duration, Option<RouterId>)>,
    ) {
        if let Some((after, icmp)) = refusal
            && topology.tells((host, local), icmp, Some(way.place))
        {
            self.queue.push(now + after, Flight::Refusal { from, way });
        }
    }

    /// The end is connected with this other one. None if it was already.
    fn open(&mut self, id: StreamId, other: (StreamId, HostId)) -> Option<()> {
        let end = self.ends.get_mut(&id)?;
        end.other = Some(other);
        (!core::mem::replace(&mut end.is_open, true)).then_some(())
    }

    /// Tells the last that happens to an end. The other one, if it is there, does not know of it.
    pub(super) fn finish(
        &mut self,
        topology: &mut Topology,
        now: Instant,
        id: StreamId,
        change: StreamChange,
    ) -> Option<StreamEvent> {
        let event = self.event(now, id, change)?;
        self.leave(topology, id);
        Some(event)
    }

    /// An end is no more. It stays in the table with what is on its way to it while the other one does not know.
    fn leave(&mut self, topology: &mut Topology, id: StreamId) {
        let Some(end) = self.ends.get_mut(&id) else { return };
        end.is_gone = true;
        let (host, local, other) = (end.host, end.local, end.other);
        self.release(topology, host, local);
        let other = other.map(|(other, _)| other);
        if other.and_then(|other| self.ends.get(&other)).is_none_or(|other| other.is_gone) {
            self.ends.remove(&id);
            other.and_then(|other| self.ends.remove(&other));
        }
    }

    pub(super) fn event(&self, now: Instant, stream: StreamId, change: StreamChange) -> Option<StreamEvent> {
        let end = self.ends.get(&stream).filter(|end| !end.is_gone)?;
        Some(StreamEvent { at: now, host: end.host, stream, local: end.local, remote: end.remote, change })
    }

    fn add(&mut self, (host, local, remote): (HostId, SocketAddr, SocketAddr), kind: StreamKind) -> StreamId {
        let id = StreamId(self.given);
        self.given += 1;
        let end = End {
            host,
            local,
            remote,
            kind,
            other: None,
            is_open: false,
            is_gone: false,
            waiting: VecDeque::new(),
            waits_for_room: false,
            incoming: VecDeque::new(),
            stalled: None,
            dice: Dice::of(self.seed, 4, id.0),
            cuts: Dice::of(self.seed, 5, id.0),
        };
        self.ends.insert(id, end);
        id
    }

    /// Binds a port, or uses one that is bound already.
    fn share(&self, topology: &mut Topology, host: HostId, at: SocketAddr) -> Result<SocketAddr, BindError> {
        topology.addresses.place_of(host, at.ip()).ok_or(BindError::NotAnAddress)?;
        if topology.tcp.is_bound(host, at) {
            return Ok(at);
        }
        topology.tcp.bind(host, at.ip(), at.port())
    }

    /// Gives a port back that nothing uses any more.
    fn release(&self, topology: &mut Topology, host: HostId, at: SocketAddr) {
        let used = self.listeners.contains_key(&(host, at))
            || self.ends.values().any(|end| (end.host, end.local) == (host, at) && !end.is_gone);
        if !used {
            topology.tcp.close(host, at);
        }
    }
}

impl End {
    fn is_between(&self, host: HostId, local: SocketAddr, remote: SocketAddr) -> bool {
        (self.host, self.local, self.remote) == (host, local, remote) && !self.is_gone
    }
}
