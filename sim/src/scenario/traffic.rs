//! Data that flows during a whole scenario, both ways at a steady rate, and the books of it: at the end every
//! datagram is accounted for.

use core::fmt;
use core::time::Duration;

use floe_core::{ComponentId, SendError};

use super::{PeerId, World};
use crate::dice::Dice;
use crate::{Counters, Instant, Network, Tag};

/// What became of the traffic that one peer sent.
#[derive(Clone, Debug)]
pub struct Tally {
    /// Datagrams that [`Agent::send`](floe_core::Agent::send) took, and that went into the network.
    pub sent: u64,
    /// What it did not take, with the time.
    pub refusals: Vec<(Instant, SendError)>,
    /// Datagrams that came to the other application, each counted once.
    pub received: u64,
    /// Second copies that came.
    pub copies: u64,
    /// Of those received, how many came after one that was sent later.
    pub late: u64,
    /// Datagrams that arrived and that the agent did not take for the peer's data.
    pub unclaimed: u64,
    /// Datagrams that arrived where no agent listens.
    pub astray: u64,
    /// Of those sent, how many went into a stream. What a stream that ends takes with it is in no book.
    pub streamed: u64,
    /// When the first and the last of them came.
    pub between: Option<(Instant, Instant)>,
    /// The longest time between two that came one after the other.
    pub longest_silence: Duration,
    /// What the network did with them. A relay's forwarding counts as another datagram.
    pub network: Counters,
}

impl Tally {
    /// Whether every datagram is accounted for: it came, or the network lost it, or it is under way. Once streams carry them,
    /// only that there are not too many.
    pub fn reconciles(&self) -> bool {
        let ended = self.received + self.copies + self.unclaimed + self.astray + self.network.dropped();
        let (told, begun) = (ended + self.network.in_flight(), self.sent + self.network.duplicated);
        if self.streamed > 0 { told <= begun } else { told == begun }
    }

    /// Whether everything that the application wanted to send has come.
    pub fn is_lossless(&self) -> bool {
        self.refusals.is_empty() && self.sent == self.received
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { sent, refusals, received, copies, late, unclaimed, astray, longest_silence, .. } = self;
        write!(f, "{sent} sent, {} refused, {received} received ({late} late), ", refusals.len())?;
        write!(
            f,
            "{copies} copies, {unclaimed} unclaimed, {astray} astray, {} doubled",
            self.network.duplicated
        )?;
        for (reason, count) in self.network.drops() {
            write!(f, ", {count} {reason:?}")?;
        }
        write!(f, ", longest silence {} ms", longest_silence.as_millis())
    }
}

/// The traffic of a world, a lane for each peer in their order.
pub(super) struct Traffic {
    every: Duration,
    running: bool,
    lanes: Vec<Lane>,
}

/// What one peer sends, and how it arrives.
struct Lane {
    mark: Vec<u8>,
    tag: Tag,
    next: Instant,
    /// By number, whether it has come.
    seen: Vec<bool>,
    newest: Option<usize>,
    tally: Tally,
}

impl World {
    /// From now on every peer sends a datagram each `every`, whether or not it has a path. The seed says at which
    /// moment each begins. Ended by [`Self::stop_traffic`]; what starts later starts new books.
    pub fn start_traffic(&mut self, every: Duration) {
        let mut dice = Dice::new(self.seed, 3);
        let now = self.now();
        let begun = self.traffic_begun;
        self.traffic_begun += 1;
        let network = &mut self.network;
        let lane =
            |name| Lane::new(&format!("floe traffic {begun} of {name}:"), network, now + dice.up_to(every));
        let lanes = self.peers.iter().map(|p| p.name).map(lane).collect();
        self.traffic = Some(Traffic { every: every.max(Duration::from_micros(1)), running: true, lanes });
    }

    /// Ends the traffic and runs until nothing of it is under way.
    ///
    /// # Panics
    /// If the books do not reconcile: see [`Tally::reconciles`].
    pub fn stop_traffic(&mut self) {
        if let Some(traffic) = &mut self.traffic {
            traffic.running = false;
        }
        let end = self.now() + LONGEST_JOURNEY;
        while self.traffic_in_flight() > 0 && self.step(end) {}
        for index in 0..self.peers.len() {
            let tally = self.traffic(PeerId(index));
            self.note(format!("traffic of {}: {tally}", self.peer(PeerId(index)).name));
            assert!(tally.reconciles(), "datagrams are missing from the books: {tally:?}");
        }
    }

    /// What became of the traffic that `from` has sent so far.
    ///
    /// # Panics
    /// If there was no traffic.
    #[expect(clippy::expect_used, reason = "a scenario that asks for what it has not started ends")]
    pub fn traffic(&self, from: PeerId) -> Tally {
        let lane = self.traffic.as_ref().and_then(|t| t.lanes.get(from.0)).expect("traffic was started");
        Tally { network: self.network.counters_of(lane.tag).clone(), ..lane.tally.clone() }
    }

    /// Whether any of the traffic that `from` has sent has come.
    pub fn traffic_has_come(&self, from: PeerId) -> bool {
        let lane = self.traffic.as_ref().and_then(|t| t.lanes.get(from.0));
        lane.is_some_and(|lane| lane.tally.between.is_some())
    }

    /// When the next datagram is to be sent.
    pub(super) fn next_traffic(&self) -> Option<Instant> {
        let traffic = self.traffic.as_ref().filter(|t| t.running)?;
        traffic.lanes.iter().map(|lane| lane.next).min()
    }

    /// Sends what is due.
    pub(super) fn send_traffic(&mut self) {
        let now = self.now();
        let Some(mut traffic) = self.traffic.take() else { return };
        for (index, lane) in traffic.lanes.iter_mut().enumerate().filter(|_| traffic.running) {
            while lane.next <= now {
                lane.next = lane.next + traffic.every;
                if self.network.sleeps_until(self.host(PeerId(index))).is_some() {
                    continue;
                }
                let mut payload = lane.mark.clone();
                payload.extend((lane.seen.len() as u64).to_be_bytes());
                match self.dispatch(PeerId(index), ComponentId::FIRST, &payload) {
                    Ok(streamed) => {
                        lane.seen.push(false);
                        lane.tally.streamed += u64::from(streamed);
                        lane.tally.sent += 1;
                    }
                    Err(error) => lane.tally.refusals.push((now, error)),
                }
            }
        }
        self.traffic = Some(traffic);
    }

    /// A datagram has come to a host; `delivered` if an agent gave it to its application. Whether it is of the traffic.
    pub(super) fn on_traffic(&mut self, payload: &[u8], arrival: Arrival) -> bool {
        let now = self.now();
        let Some(traffic) = &mut self.traffic else { return false };
        let mut of = traffic.lanes.iter_mut().filter_map(|lane| Some((lane.number(payload)?, lane)));
        let Some((number, lane)) = of.next() else { return false };
        match arrival {
            Arrival::Delivered => lane.on_delivered(now, number),
            Arrival::Unclaimed => lane.tally.unclaimed += 1,
            Arrival::Astray => lane.tally.astray += 1,
        }
        true
    }

    fn traffic_in_flight(&self) -> u64 {
        let lanes = self.traffic.iter().flat_map(|t| &t.lanes);
        let datagrams: u64 = lanes.clone().map(|lane| self.network.counters_of(lane.tag).in_flight()).sum();
        let streamed = lanes.into_iter().any(|lane| lane.tally.streamed > 0);
        datagrams + if streamed { self.network.pieces_in_streams() } else { 0 }
    }
}

impl Lane {
    fn new(mark: &str, network: &mut Network, next: Instant) -> Self {
        let mark = mark.as_bytes().to_vec();
        let tally = Tally {
            sent: 0,
            refusals: Vec::new(),
            received: 0,
            copies: 0,
            late: 0,
            streamed: 0,
            unclaimed: 0,
            astray: 0,
            between: None,
            longest_silence: Duration::ZERO,
            network: Counters::default(),
        };
        Self { tag: network.count_apart(&mark), mark, next, seen: Vec::new(), newest: None, tally }
    }

    /// The number of a datagram of this lane, wherever in it a relay has put the payload.
    fn number(&self, bytes: &[u8]) -> Option<usize> {
        let at = bytes.windows(self.mark.len()).position(|part| part == self.mark)? + self.mark.len();
        let number = bytes.get(at..)?.first_chunk()?;
        usize::try_from(u64::from_be_bytes(*number)).ok()
    }

    fn on_delivered(&mut self, now: Instant, number: usize) {
        match self.seen.get_mut(number) {
            Some(seen) if !*seen => *seen = true,
            _ => return self.tally.copies += 1,
        }
        self.tally.received += 1;
        if self.newest.is_some_and(|newest| number < newest) {
            self.tally.late += 1;
        }
        self.newest = self.newest.max(Some(number));
        let (first, last) = self.tally.between.unwrap_or((now, now));
        self.tally.longest_silence = self.tally.longest_silence.max(now.since(last));
        self.tally.between = Some((first, now));
    }
}

/// How a datagram ended that has come to a host.
#[derive(Clone, Copy)]
pub(super) enum Arrival {
    Delivered,
    Unclaimed,
    Astray,
}

/// How long the last datagrams are waited for.
const LONGEST_JOURNEY: Duration = Duration::from_secs(60);
