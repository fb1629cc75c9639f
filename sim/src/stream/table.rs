//! The streams of a network: who listens where, what connects, what is under way, and in which order it arrives.

use core::net::SocketAddr;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};

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
/// What is lost on a link comes so much later, and twice that when it is lost again.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const MAX_RETRIES: u32 = 6;
/// How often something tries to get through a cut, and when it gives up.
const STALLED_RETRY: Duration = Duration::from_secs(1);
const STALLED_TOO_LONG: Duration = Duration::from_secs(60);

/// All streams, with what is under way.
pub(crate) struct Streams {
    pub(crate) pieces: Pieces,
    listeners: BTreeMap<(HostId, SocketAddr), StreamKind>,
    ends: BTreeMap<StreamId, End>,
    queue: Queue<Flight>,
    given: u64,
    dice: Dice,
}

/// One end of a stream. One that is no more is not in the table.
struct End {
    host: HostId,
    local: SocketAddr,
    remote: SocketAddr,
    kind: StreamKind,
    /// The other end; none while it connects.
    other: Option<(StreamId, HostId)>,
    is_open: bool,
    /// What comes to this end, with the time at which each is there.
    incoming: VecDeque<(Instant, Item)>,
    stalled: Option<Instant>,
}

enum Item {
    Bytes(Vec<u8>),
    /// Anything that is told as it is.
    Change(StreamChange),
}

enum Flight {
    /// A request to connect.
    Syn { from: StreamId, way: Way },
    /// It may be time for the next one.
    Again { from: StreamId, attempt: u32 },
    /// Something may have arrived at this end.
    Arrival(StreamId),
    /// Somebody on this way refuses what was let in neither then nor, perhaps, now.
    Refusal { from: StreamId, way: Way },
}

impl Streams {
    pub(crate) fn new(dice: Dice) -> Self {
        Self {
            pieces: Pieces::default(),
            listeners: BTreeMap::new(),
            ends: BTreeMap::new(),
            queue: Queue::new(),
            given: 0,
            dice,
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
        if self.ends.values().any(|end| (end.host, end.local, end.remote) == (host, local, to)) {
            return Err(BindError::InUse);
        }
        Ok(self.add(End::new(host, local, to, kind)))
    }

    /// Sends a request to connect, and plans the next.
    pub(crate) fn send_syn(
        &mut self,
        topology: &mut Topology,
        links: &Links,
        now: Instant,
        from: StreamId,
        attempt: u32,
    ) {
        let Some(end) = self.ends.get(&from) else { return };
        let again = now + Duration::from_secs(1 << attempt.min(ATTEMPTS));
        self.queue.push(again, Flight::Again { from, attempt: attempt + 1 });
        let (host, local, to, kind) = (end.host, end.local, end.remote, end.kind);
        let cargo = Cargo::Stream(kind);
        let way = match topology.leave(cargo, now, host, local, to) {
            Ok(way) => way,
            Err(reason) => {
                if let Some((_, icmp)) = topology.refusal(reason, host)
                    && topology.tells((host, local), icmp, None)
                    && let Some(end) = self.ends.get_mut(&from)
                {
                    end.incoming.push_back((now, Item::Change(StreamChange::Refused)));
                    self.queue.push(now, Flight::Arrival(from));
                }
                return;
            }
        };
        let link = links.between(host, || topology.find(cargo, now, way).ok());
        if !self.dice.chance(link.loss) {
            self.queue.push(now + link.transit(&mut self.dice), Flight::Syn { from, way });
        }
    }

    pub(crate) fn write(&mut self, links: &Links, now: Instant, stream: StreamId, bytes: &[u8]) -> bool {
        let Some(end) = self.ends.get(&stream).filter(|end| end.is_open) else { return false };
        let Some((other, _)) = end.other.filter(|(other, _)| self.ends.contains_key(other)) else {
            return false;
        };
        let from = end.host;
        let mut rest = bytes;
        while !rest.is_empty() {
            let most = match self.pieces {
                Pieces::Whole => rest.len(),
                Pieces::Of(most) => most.max(1),
                Pieces::Random => 1 + self.dice.below(u32::try_from(rest.len()).unwrap_or(u32::MAX)) as usize,
            };
            let (piece, later) = rest.split_at(most.min(rest.len()));
            self.send(links, now, from, other, Item::Bytes(piece.to_vec()));
            rest = later;
        }
        true
    }

    pub(crate) fn close(
        &mut self,
        topology: &mut Topology,
        links: &Links,
        now: Instant,
        stream: StreamId,
        reset: bool,
    ) -> bool {
        let Some(end) = self.remove(topology, stream) else { return false };
        if end.is_open {
            topology.connection_changed(now, end.host, (end.local, end.remote), false);
        }
        if let Some((other, _)) = end.other {
            let change = if reset { StreamChange::Reset } else { StreamChange::Ended };
            if let Some(other) = self.ends.get_mut(&other).filter(|_| reset) {
                other.incoming.clear();
            }
            self.send(links, now, end.host, other, Item::Change(change));
        }
        true
    }

    pub(crate) fn local(&self, stream: StreamId) -> Option<SocketAddr> {
        self.ends.get(&stream).map(|end| end.local)
    }

    pub(crate) fn pieces_under_way(&self) -> u64 {
        self.ends.values().map(|end| end.incoming.len() as u64).sum()
    }

    /// When the next thing arrives or is tried again, if only to be dropped.
    pub(crate) fn next_event(&self) -> Option<Instant> {
        self.queue.next_at()
    }

    /// Does what is due first.
    pub(crate) fn advance(
        &mut self,
        topology: &mut Topology,
        links: &Links,
        now: Instant,
    ) -> Option<StreamEvent> {
        let event = match self.queue.pop_until(now)?.1 {
            Flight::Syn { from, way } => self.on_syn(topology, links, now, from, way),
            Flight::Again { from, attempt } => self.on_again(topology, links, now, from, attempt),
            Flight::Arrival(at) => self.on_arrival(topology, links, now, at),
            Flight::Refusal { from, way } => {
                // RFC 5382 REQ-4: who has sent a request the other way meanwhile hears nothing.
                let caller = self.ends.get(&from).filter(|caller| caller.other.is_none())?;
                let (host, kind) = (caller.host, caller.kind);
                if topology.enter(Cargo::Stream(kind), now, way).is_err() {
                    self.send(links, now, host, from, Item::Change(StreamChange::Refused));
                }
                None
            }
        }?;
        if let StreamChange::Accepted(_) | StreamChange::Connected = event.change {
            topology.connection_changed(now, event.host, (event.local, event.remote), true);
        }
        Some(event)
    }

    /// A request to connect has come to where it was sent: to a listener, to somebody who connects likewise, or to nobody.
    fn on_syn(
        &mut self,
        topology: &mut Topology,
        links: &Links,
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
            Err(DropReason::NotBound) => return self.turn_away(links, now, host, (from, caller_host)),
            Err(reason) => {
                self.refuse(topology, now, (from, way), caller_place, topology.refusal(reason, host));
                return None;
            }
        };
        // Both have begun: each request is the answer to the other's.
        let likewise = self.ends.iter().find(|(_, end)| {
            (end.host, end.local, end.remote) == (host, local, remote) && end.kind == kind && !end.is_open
        });
        if let Some(id) = likewise.map(|(id, _)| *id) {
            let change = self.open(id, (from, caller_host)).map(|()| StreamChange::Connected);
            if let Some(caller) = self.ends.get_mut(&from) {
                caller.other = Some((id, host));
            }
            self.send(links, now, host, from, Item::Change(StreamChange::Connected));
            return self.event(now, id, change?);
        }
        if already.is_some() {
            return None;
        }
        if self.listeners.get(&(host, local)) != Some(&kind) {
            return self.turn_away(links, now, host, (from, caller_host));
        }
        let accepted = self.add(End::new(host, local, remote, kind));
        self.open(accepted, (from, caller_host));
        if let Some(caller) = self.ends.get_mut(&from) {
            caller.other = Some((accepted, host));
        }
        self.send(links, now, host, from, Item::Change(StreamChange::Connected));
        self.event(now, accepted, StreamChange::Accepted(kind))
    }

    fn on_again(
        &mut self,
        topology: &mut Topology,
        links: &Links,
        now: Instant,
        from: StreamId,
        attempt: u32,
    ) -> Option<StreamEvent> {
        let waits = self.ends.get(&from).is_some_and(|end| end.other.is_none() && end.incoming.is_empty());
        if !waits {
            return None;
        }
        if attempt < ATTEMPTS {
            self.send_syn(topology, links, now, from, attempt);
            return None;
        }
        self.finish(topology, now, from, StreamChange::TimedOut)
    }

    /// The first thing in line has arrived, unless it came together with the one before it, or the way is cut.
    fn on_arrival(
        &mut self,
        topology: &mut Topology,
        links: &Links,
        now: Instant,
        at: StreamId,
    ) -> Option<StreamEvent> {
        let together = self.pieces == Pieces::Random;
        let end = self.ends.get_mut(&at)?;
        let _due = end.incoming.front().filter(|(there, _)| *there <= now)?;
        let from = end.other.map(|(_, host)| host);
        let cut = from
            .is_some_and(|from| links.is_cut(from, end.host) || topology.hosts.is_away(now, from).is_some())
            || topology.hosts.is_away(now, end.host).is_some();
        if cut || topology.addresses.place_of(end.host, end.local.ip()).is_none() {
            let since = *end.stalled.get_or_insert(now);
            if now.since(since) >= STALLED_TOO_LONG {
                let (host, other) = (end.host, end.other);
                if let Some((other, _)) = other {
                    self.send(links, now, host, other, Item::Change(StreamChange::TimedOut));
                }
                return self.finish(topology, now, at, StreamChange::TimedOut);
            }
            self.queue.push(now + STALLED_RETRY, Flight::Arrival(at));
            return None;
        }
        end.stalled = None;
        match end.incoming.pop_front()?.1 {
            Item::Bytes(mut bytes) => {
                while let Some((there, Item::Bytes(_))) = end.incoming.front() {
                    if *there > now || !together || !self.dice.chance(0.5) {
                        break;
                    }
                    if let Some((_, Item::Bytes(more))) = end.incoming.pop_front() {
                        bytes.extend(more);
                    }
                }
                self.event(now, at, StreamChange::Bytes(bytes))
            }
            Item::Change(StreamChange::Connected) => {
                // By its own request it may be open already.
                let opened = !end.is_open;
                end.is_open = true;
                self.event(now, at, StreamChange::Connected).filter(|_| opened)
            }
            Item::Change(change) => self.finish(topology, now, at, change),
        }
    }

    /// A host refuses a request to connect, if that gets back to the caller.
    fn turn_away(
        &mut self,
        links: &Links,
        now: Instant,
        host: HostId,
        (caller, caller_host): (StreamId, HostId),
    ) -> Option<StreamEvent> {
        if !links.is_cut(host, caller_host) {
            self.send(links, now, host, caller, Item::Change(StreamChange::Refused));
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

    /// Puts something on its way to an end. Nothing overtakes what is in front of it.
    fn send(&mut self, links: &Links, now: Instant, from: HostId, to: StreamId, item: Item) {
        let Some(end) = self.ends.get_mut(&to) else { return };
        let link = links.between(from, || Some(end.host));
        let mut time = link.transit(&mut self.dice);
        let mut retries = 0;
        while retries < MAX_RETRIES && self.dice.chance(link.loss) {
            time = time.saturating_add(FIRST_RETRY * (1 << retries));
            retries += 1;
        }
        let last = end.incoming.back().map_or(Instant::ZERO, |(there, _)| *there);
        let there = (now + time).max(last);
        end.incoming.push_back((there, item));
        self.queue.push(there, Flight::Arrival(to));
    }

    /// The end is connected with this other one. None if it was already.
    fn open(&mut self, id: StreamId, other: (StreamId, HostId)) -> Option<()> {
        let end = self.ends.get_mut(&id)?;
        end.other = Some(other);
        (!core::mem::replace(&mut end.is_open, true)).then_some(())
    }

    /// Tells the last that happens to an end.
    fn finish(
        &mut self,
        topology: &mut Topology,
        now: Instant,
        id: StreamId,
        change: StreamChange,
    ) -> Option<StreamEvent> {
        let event = self.event(now, id, change);
        if let Some(end) = self.remove(topology, id).filter(|end| end.is_open) {
            topology.connection_changed(now, end.host, (end.local, end.remote), false);
        }
        event
    }

    fn event(&self, now: Instant, stream: StreamId, change: StreamChange) -> Option<StreamEvent> {
        let end = self.ends.get(&stream)?;
        Some(StreamEvent { at: now, host: end.host, stream, local: end.local, remote: end.remote, change })
    }

    fn add(&mut self, end: End) -> StreamId {
        let id = StreamId(self.given);
        self.given += 1;
        self.ends.insert(id, end);
        id
    }

    fn remove(&mut self, topology: &mut Topology, id: StreamId) -> Option<End> {
        let end = self.ends.remove(&id)?;
        self.release(topology, end.host, end.local);
        Some(end)
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
            || self.ends.values().any(|end| (end.host, end.local) == (host, at));
        if !used {
            topology.tcp.close(host, at);
        }
    }
}

impl End {
    fn new(host: HostId, local: SocketAddr, remote: SocketAddr, kind: StreamKind) -> Self {
        let (other, is_open, stalled) = (None, false, None);
        Self { host, local, remote, kind, other, is_open, incoming: VecDeque::new(), stalled }
    }
}
