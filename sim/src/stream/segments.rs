//! What gets over a stream that is there: how it waits for its link, what that makes of it, whether the boxes on the way still know the stream,
//! and what becomes of it if they do not.

use core::net::SocketAddr;
use core::time::Duration;

use super::table::{End, Flight, Item, Streams};
use super::{Pieces, StreamChange, StreamEvent, StreamId};
use crate::firewall::Cargo;
use crate::link::Links;
use crate::record::DropReason;
use crate::topology::{Receiver, Topology, Way};
use crate::{HostId, Instant};

/// What is lost on a link comes so much later, and twice that when it is lost again.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const MAX_RETRIES: u32 = 6;
/// How often something tries to get through a way that is not there, and when it gives up.
const STALLED_RETRY: Duration = Duration::from_secs(1);
const STALLED_TOO_LONG: Duration = Duration::from_secs(60);
/// How many bytes may wait in a stream for its link: while it is this many or more, nothing can be written.
pub const STREAM_BUFFER: usize = 64 * 1024;

/// Who sends something to an end: its host, and its own address and the other one as it knows them. Without them it is somebody
/// on the way, whom no box keeps from being heard.
#[derive(Clone, Copy)]
pub(super) struct Sender {
    pub(super) host: HostId,
    pub(super) ends: Option<(SocketAddr, SocketAddr)>,
}

/// What has not been given to the link yet, or not the whole of it.
pub(super) struct Waiting {
    from: Sender,
    item: Item,
    size: usize,
    left: usize,
}

/// What is on the link, or has come and not got in.
pub(super) struct Segment {
    there: Instant,
    from: Sender,
    way: Option<Result<Way, DropReason>>,
    item: Item,
}

impl Streams {
    /// Puts something on its way to an end. Nothing overtakes what is in front of it.
    pub(super) fn send(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        from: Sender,
        (to, item): (StreamId, Item),
    ) {
        let Some(end) = self.ends.get_mut(&to) else { return };
        let size = item.size();
        end.waiting.push_back(Waiting { from, size, left: size, item });
        if !end.waits_for_room {
            self.push_on(topology, links, now, (to, usize::MAX));
        }
    }

    /// How many bytes wait on their way to this end.
    pub(super) fn waiting(&self, to: StreamId) -> usize {
        self.ends.get(&to).map_or(0, |end| end.waiting.iter().map(|waiting| waiting.left).sum())
    }

    /// Gives to the link what it takes now of what waits for this end, but no more packets than so many at once where others may wait too.
    pub(super) fn push_on(
        &mut self,
        topology: &mut Topology,
        links: &mut Links,
        now: Instant,
        (to, mut most): (StreamId, usize),
    ) {
        let Some(end) = self.ends.get_mut(&to) else { return };
        end.waits_for_room = false;
        while let Some(first) = end.waiting.front_mut() {
            let from = first.from;
            let link = links.between(from.host, || Some(end.host));
            let mut queued = Duration::ZERO;
            if let Some(bandwidth) = link.bandwidth {
                let state = links.state(from.host, Some(end.host));
                loop {
                    let (size, payload) = link.segment(first.left, end.local);
                    let passed = match most {
                        // Behind those that have waited for this moment too.
                        0 => Err(now),
                        _ => state.pass_stream(now, (size, link.mtu), bandwidth),
                    };
                    match passed {
                        Ok(time) => queued = time,
                        Err(later) => {
                            end.waits_for_room = true;
                            return self.queue.push(later, Flight::Room(to));
                        }
                    }
                    most -= 1;
                    first.left -= payload;
                    if first.left == 0 {
                        break;
                    }
                }
            }
            let Some(Waiting { item, size, .. }) = end.waiting.pop_front() else { return };
            let way = from.ends.map(|ends| topology.leave(item.cargo(), now, from.host, ends.0, ends.1));
            let time = link.transit(&mut end.dice).saturating_add(queued);
            let mut lost = 0;
            for _ in 0..link.segments(size, end.local) {
                let is_lost = |_: &u32| {
                    let loss = match link.bursts {
                        Some(_) => links.state(from.host, Some(end.host)).loss(&link, &mut end.dice),
                        None => link.loss,
                    };
                    end.dice.chance(loss)
                };
                lost = lost.max((0..MAX_RETRIES).take_while(is_lost).count());
            }
            // It is there when the last of its packets is.
            let time = time.saturating_add(FIRST_RETRY * ((1 << lost) - 1));
            // What does not get out of its own network has got as far as it does.
            let time = if matches!(way, Some(Err(_))) { Duration::ZERO } else { time };
            let last = end.incoming.back().map_or(Instant::ZERO, |before| before.there);
            let there = (now + time).max(last);
            end.incoming.push_back(Segment { there, from, way, item });
            self.queue.push(there, Flight::Arrival(to));
        }
    }

    /// The first thing in line has arrived, unless it came together with the one before it, or does not get in.
    pub(super) fn on_arrival(
        &mut self,
        topology: &mut Topology,
        links: &Links,
        now: Instant,
        at: StreamId,
    ) -> Option<StreamEvent> {
        let end = self.ends.get_mut(&at)?;
        let first = end.incoming.front().filter(|first| first.there <= now)?;
        let (from, cargo) = (first.from, first.item.cargo());
        // What has not got in is sent again.
        let way = match (first.way, from.ends) {
            (Some(Ok(way)), _) if end.stalled.is_none() => Some(Ok(way)),
            (Some(_), Some(ends)) => Some(topology.leave(cargo, now, from.host, ends.0, ends.1)),
            _ => None,
        };
        let (host, local, remote) = (end.host, end.local, end.remote);
        let got_in = match way {
            _ if links.is_cut(from.host, host) => Err((DropReason::Blocked, host)),
            Some(Ok(way)) => topology.enter(cargo, now, way).map_err(|reason| (reason, host)),
            Some(Err(reason)) => Err((reason, from.host)),
            None => match topology.hosts.is_away(now, host) {
                Some(reason) => Err((reason, host)),
                None => Ok(Receiver { host, local, remote }),
            },
        };
        let sender = end.other.map(|(id, _)| id);
        let is_gone = end.is_gone;
        let has_closed =
            is_gone && sender.and_then(|id| self.ends.get(&id)).is_some_and(End::has_its_end_to_come);
        match got_in {
            // Its end is still to come to the other side, with all that was said before: nothing else does.
            Ok(_) if has_closed => {
                self.ends.get_mut(&at)?.incoming.pop_front();
                None
            }
            Ok(got) if (got.host, got.local, got.remote) == (host, local, remote) && !is_gone => {
                self.deliver(topology, now, at)
            }
            Err((reason, whose)) if whose == from.host && topology.resets(reason, whose) => {
                self.give_up(at);
                self.finish(topology, now, sender?, StreamChange::Reset)
            }
            Err((reason, whose)) if !topology.resets(reason, whose) => self.stall(topology, now, sender, at),
            // Nor does the answer get back.
            _ if links.is_cut(host, from.host) => self.stall(topology, now, sender, at),
            // A host knows no such stream, perhaps because that has moved, or a box in front of it does not, and says so.
            _ => {
                self.give_up(at);
                let back = links.between(host, || Some(from.host)).latency;
                self.queue.push(now + back, Flight::Told(sender?, StreamChange::Reset));
                None
            }
        }
    }

    /// What has come gets in.
    fn deliver(&mut self, topology: &mut Topology, now: Instant, at: StreamId) -> Option<StreamEvent> {
        let together = self.pieces == Pieces::Random;
        let end = self.ends.get_mut(&at)?;
        end.stalled = None;
        match end.incoming.pop_front()?.item {
            Item::Bytes(mut bytes) => {
                while let Some(Segment { there, item: Item::Bytes(_), .. }) = end.incoming.front() {
                    if *there > now || !together || !end.cuts.chance(0.5) {
                        break;
                    }
                    if let Some(Segment { item: Item::Bytes(more), .. }) = end.incoming.pop_front() {
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

    /// What has come does not get in now: it is tried again, until its sender gives up. The other end knows nothing of that.
    fn stall(
        &mut self,
        topology: &mut Topology,
        now: Instant,
        sender: Option<StreamId>,
        at: StreamId,
    ) -> Option<StreamEvent> {
        let end = self.ends.get_mut(&at)?;
        let since = *end.stalled.get_or_insert(now);
        if now.since(since) < STALLED_TOO_LONG {
            self.queue.push(now + STALLED_RETRY, Flight::Arrival(at));
            return None;
        }
        self.give_up(at);
        // It is of somebody on the way where there is no sender: a refusal.
        self.finish(topology, now, sender.unwrap_or(at), StreamChange::TimedOut)
    }

    /// Throws away what was on its way to an end.
    fn give_up(&mut self, at: StreamId) {
        if let Some(end) = self.ends.get_mut(&at) {
            end.incoming.clear();
            end.waiting.clear();
            end.stalled = None;
        }
    }
}

impl End {
    fn has_its_end_to_come(&self) -> bool {
        let items = self.incoming.iter().map(|segment| &segment.item);
        items.chain(self.waiting.iter().map(|waiting| &waiting.item)).any(Item::ends)
    }
}

impl Segment {
    /// Whether it ends an attempt to connect.
    pub(super) fn refuses(&self) -> bool {
        matches!(self.item, Item::Change(StreamChange::Refused))
    }
}

impl Item {
    fn size(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Change(_) => 0,
        }
    }

    fn cargo(&self) -> Cargo {
        Cargo::Segment { ends: self.ends() }
    }

    fn ends(&self) -> bool {
        matches!(self, Self::Change(change) if *change != StreamChange::Connected)
    }
}
