//! One allocation, from the first request to the last: what it is to do next, and when.

use alloc::collections::VecDeque;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use smallvec::SmallVec;

use super::channels::Channels;
use super::config::{AllocationConfig, Carrier, Families, RelayCredentials};
use super::event::{AllocationFailure, Loss, RelayEvent, Wanting};
use super::permissions::Permissions;
use super::requests::{Next, Purpose, Requests, Sent};
use super::session::Session;
use crate::base::{Instant, Random};
use crate::candidate::is_transport_address;
use crate::wire::{Method, TransactionId};

/// Room for any request that an allocation writes, and what a datagram of Ethernet holds.
pub(crate) const MAX_REQUEST: usize = 1500;
/// What is asked for, which is also what servers give to those who do not ask (RFC 8656 §6).
pub(super) const LIFETIME: Duration = Duration::from_secs(600);
/// No longer is believed, so that a server that has forgotten us is found out (RFC 8656 §7.2 suggests it to servers).
const MAX_LIFETIME: Duration = Duration::from_secs(3600);
/// Before the end an allocation is refreshed: RFC 8656 §8 suggests a minute, but three transactions that all time out
/// after 39.5 s are to fit.
const REFRESH_MARGIN: Duration = Duration::from_secs(120);
/// However short the lifetime, a server is not asked more often.
const MIN_REFRESH: Duration = Duration::from_secs(1);
/// How long a deletion may take. What is not deleted expires by itself.
pub(super) const RELEASE_PATIENCE: Duration = Duration::from_secs(1);
/// Tr (RFC 8445 §11): after so much silence over datagrams the NAT in front of us is reminded, or the next Refresh would come
/// from another address, and be refused (RFC 8656 §9 tells to).
pub(super) const KEEPALIVE: Duration = Duration::from_secs(15);

/// An allocation is doubted so often at the most: about once for each consent check of a path that goes unanswered.
const DOUBT_PAUSE: Duration = Duration::from_secs(5);
/// How long an answer over a connection may take, when a path over it goes unanswered: the first three transmissions of a
/// segment (RFC 6298 §2.1, §5.5: after one second and three) and two seconds for the last one's.
const STREAM_PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Allocation {
    pub(super) config: AllocationConfig,
    pub(super) session: Session,
    pub(super) phase: Phase,
    pub(super) requests: Requests,
    pub(super) permissions: Permissions,
    pub(super) channels: Channels,
    pub(super) events: VecDeque<RelayEvent>,
    /// The refusals that were told: at most `MAX_TOLD`.
    pub(super) told: SmallVec<[(Method, u16); 2]>,
    /// When something last went to the server.
    pub(super) last_sent: Instant,
    /// When it was doubted last.
    doubted: Option<Instant>,
    pub(super) serial: u32,
}

#[derive(Debug)]
pub(super) enum Phase {
    /// Nothing yet. An Allocate is out, or goes at `ready`.
    Allocating {
        families: Families,
        ready: Instant,
        setbacks: u8,
    },
    Alive(Alive),
    /// Being deleted, until a moment or an answer, whichever is first.
    Releasing {
        until: Instant,
        /// The Refresh that deletes is to go.
        pending: bool,
        /// What is said at the end.
        outcome: RelayEvent,
    },
    Over,
}

#[derive(Debug)]
pub(super) struct Alive {
    pub(super) relayed: SmallVec<[SocketAddr; 2]>,
    pub(super) expires: Instant,
    /// When a Refresh goes, unless one is out.
    pub(super) refresh: Instant,
    pub(super) setbacks: u8,
    /// The connection is doubted as well: it is gone if there is no answer until then.
    silent_at: Option<Instant>,
}

/// A request that was written, for the trace.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Written {
    /// How much of the buffer it is.
    pub(crate) length: usize,
    pub(crate) method: Method,
    pub(crate) id: TransactionId,
    /// 1 for the first transmission.
    pub(crate) transmission: u8,
}

impl Allocation {
    /// Wants its first slot at once.
    pub(crate) fn new(config: AllocationConfig) -> Self {
        Self {
            session: Session::new(config.credentials.clone()),
            phase: Phase::Allocating { families: config.families, ready: Instant::ZERO, setbacks: 0 },
            requests: Requests::new(config.carrier, config.rto),
            permissions: Permissions::default(),
            channels: Channels::default(),
            events: VecDeque::new(),
            told: SmallVec::new(),
            last_sent: Instant::ZERO,
            doubted: None,
            serial: 0,
            config,
        }
    }

    /// Where and how it allocates.
    pub(crate) fn config(&self) -> &AllocationConfig {
        &self.config
    }

    /// Whether there is a relayed address, and data can be relayed.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Alive(_))
    }

    /// Whether nothing will be sent or said any more.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over) && self.events.is_empty()
    }

    /// The relayed addresses that there are.
    pub(crate) fn relayed(&self) -> &[SocketAddr] {
        match &self.phase {
            Phase::Alive(alive) => &alive.relayed,
            _ => &[],
        }
    }

    /// What the owner has to know, one after the other.
    pub(crate) fn next_event(&mut self) -> Option<RelayEvent> {
        self.events.pop_front()
    }

    /// When there will be something to do. A new request waits for `slot`, the next Ta that is free.
    pub(crate) fn next_deadline(&self, slot: Instant) -> Option<Instant> {
        let job = self.jobs().map(|(ready, _)| ready.max(slot)).min();
        let deadlines = [job, self.next_end(), self.requests.next_deadline(), self.permissions.next_lapse()];
        deadlines.into_iter().flatten().min()
    }

    /// When it ends, if nothing comes of what it does.
    pub(crate) fn next_end(&self) -> Option<Instant> {
        match &self.phase {
            Phase::Alive(alive) => Some(alive.silent_at.map_or(alive.expires, |at| at.min(alive.expires))),
            Phase::Releasing { until, .. } => Some(*until),
            Phase::Allocating { .. } | Phase::Over => None,
        }
    }

    /// Whether a new request waits for a slot of Ta.
    pub(crate) fn wants_slot(&self, now: Instant) -> bool {
        self.job(now).is_some()
    }

    /// Writes the next new request, or a keepalive. It uses the slot.
    pub(crate) fn begin(
        &mut self,
        now: Instant,
        random: &mut Random,
        buffer: &mut [u8; MAX_REQUEST],
    ) -> Option<Written> {
        self.on_time(now);
        let purpose = self.job(now)?;
        let id = TransactionId(random.transaction_id());
        self.serial = self.serial.wrapping_add(1);
        self.on_begun(now, purpose);
        let written = self.write(purpose, id, buffer);
        self.last_sent = now;
        if purpose == Purpose::Keepalive {
            let length = written.ok()?;
            return Some(Written { length, method: Method::BINDING, id, transmission: 1 });
        }
        let sent = Sent {
            id,
            serial: self.serial,
            purpose,
            first: now,
            bytes: written.ok().and_then(|length| buffer.get(..length)).unwrap_or_default().into(),
            key: self.session.key().cloned(),
            generation: self.session.generation(),
            unproven: false,
        };
        let Ok(length) = written else {
            // Names and nonces are bounded, so this does not happen; if it did, it would happen again.
            self.on_failure(now, &sent, AllocationFailure::Unsupported);
            return None;
        };
        self.requests.start(sent);
        Some(Written { length, method: purpose.method(), id, transmission: 1 })
    }

    /// Writes the next request that is due to be repeated, and lets time pass. It needs no slot (RFC 8445 §14.3).
    pub(crate) fn repeat(&mut self, now: Instant, buffer: &mut [u8; MAX_REQUEST]) -> Option<Written> {
        self.on_time(now);
        loop {
            match self.requests.due(now)? {
                Next::Again(sent, transmission) => {
                    let length = sent.bytes.len();
                    buffer.get_mut(..length)?.copy_from_slice(&sent.bytes);
                    let (id, purpose) = (sent.id, sent.purpose);
                    self.last_sent = now;
                    if let Purpose::Bind(number) = purpose {
                        self.channels.on_sent(now, number);
                    }
                    return Some(Written { length, method: purpose.method(), id, transmission });
                }
                Next::Expired(sent) => self.on_expired(now, &sent),
            }
        }
    }

    /// Lets time pass: what was granted, and not renewed, ends.
    pub(crate) fn on_time(&mut self, now: Instant) {
        match &mut self.phase {
            Phase::Alive(alive) if alive.expires <= now => self.end(RelayEvent::Lost(Loss::Expired)),
            Phase::Alive(alive) if alive.silent_at.is_some_and(|at| at <= now) => {
                self.end(RelayEvent::Lost(Loss::Silent));
            }
            Phase::Alive(_) => self.permissions.on_time(now, &mut self.events),
            Phase::Releasing { until, outcome, .. } if *until <= now => {
                let outcome = outcome.clone();
                self.end(outcome);
            }
            _ => {}
        }
    }

    /// Lets a peer send to us from any port, and us to it, for as long as it is not forgotten.
    ///
    /// # Errors
    /// Why that cannot be. What is not known before there is an allocation comes as an event.
    pub(crate) fn permit(&mut self, now: Instant, peer: IpAddr) -> Result<(), Wanting> {
        match &self.phase {
            Phase::Alive(alive) if !alive.relayed.iter().any(|a| a.is_ipv4() == peer.is_ipv4()) => {
                return Err(Wanting::NoRelayedAddress);
            }
            Phase::Allocating { .. } | Phase::Alive(_) => {}
            Phase::Releasing { .. } | Phase::Over => return Err(Wanting::Over),
        }
        if !is_transport_address(SocketAddr::new(peer, 1)) {
            return Err(Wanting::NotATransportAddress);
        }
        self.permissions.want(now, peer)
    }

    /// Wants a channel to a peer, with the permission that it needs.
    ///
    /// # Errors
    /// Why that cannot be, as with [`Self::permit`].
    pub(crate) fn bind_channel(&mut self, now: Instant, peer: SocketAddr) -> Result<(), Wanting> {
        if !is_transport_address(peer) {
            return Err(Wanting::NotATransportAddress);
        }
        self.permit(now, peer.ip())?;
        self.channels.want(now, peer)
    }

    /// Nothing is renewed any more for this address, and nothing comes from it.
    pub(crate) fn forget_peer(&mut self, peer: IpAddr) {
        self.permissions.forget(peer);
        self.channels.forget(|other| other.ip() == peer);
    }

    /// All others are forgotten.
    pub(crate) fn retain_peers(&mut self, is_wanted: impl Fn(IpAddr) -> bool) {
        for peer in self.permissions.unwanted(is_wanted) {
            self.forget_peer(peer);
        }
    }

    /// The channel to this peer is not renewed any more; its permission is.
    pub(crate) fn forget_channel(&mut self, peer: SocketAddr) {
        self.channels.forget(|other| other == peer);
    }

    /// Perhaps the server knows nothing of this allocation any more, or does not let that peer in: it is asked for both at once (RFC 8656
    /// §7, §9), unless that was just done. Over a connection, which repeats by itself what is lost, its silence means that this is gone.
    pub(crate) fn doubt(&mut self, now: Instant, peer: Option<IpAddr>) {
        let Phase::Alive(alive) = &mut self.phase else { return };
        if self.doubted.is_some_and(|last| now < last + DOUBT_PAUSE) {
            return;
        }
        self.doubted = Some(now);
        alive.refresh = alive.refresh.min(now);
        if self.config.carrier == Carrier::Stream {
            alive.silent_at = alive.silent_at.or(Some(now + STREAM_PATIENCE));
        }
        if let Some(peer) = peer {
            self.permissions.doubt(now, peer);
        }
    }

    /// Something has come, whatever it is: what carries it is not gone.
    pub(super) fn on_heard(&mut self) {
        if let Phase::Alive(alive) = &mut self.phase {
            alive.silent_at = None;
        }
    }

    /// Replaces username and password. An allocation belongs to the user that made it (RFC 8656 §5), so the old ones
    /// are used until the server refuses them.
    pub(crate) fn set_credentials(&mut self, credentials: RelayCredentials) {
        self.session.set_credentials(credentials, self.is_alive());
    }

    /// Deletes the allocation; [`RelayEvent::Released`] comes within a second.
    pub(crate) fn release(&mut self, now: Instant) {
        match self.phase {
            // RFC 8656 §7.2: the request that is out may be granted yet.
            Phase::Allocating { .. } if self.requests.is_out(Purpose::Allocate) => {
                self.release_with(now, false, RelayEvent::Released);
            }
            Phase::Alive(_) if self.session.ready().is_some() => {
                self.release_with(now, true, RelayEvent::Released);
            }
            Phase::Allocating { .. } | Phase::Alive(_) => self.end(RelayEvent::Released),
            Phase::Releasing { .. } | Phase::Over => {}
        }
    }

    pub(super) fn release_with(&mut self, now: Instant, pending: bool, outcome: RelayEvent) {
        self.requests.forget(|purpose| purpose != Purpose::Allocate);
        self.permissions.clear();
        self.channels.clear();
        self.phase = Phase::Releasing { until: now + RELEASE_PATIENCE, pending, outcome };
    }

    /// Nothing more happens after this event.
    pub(super) fn end(&mut self, event: RelayEvent) {
        self.requests.forget(|_| true);
        self.permissions.clear();
        self.channels.clear();
        self.phase = Phase::Over;
        self.events.push_back(event);
    }

    /// There is an allocation for so long, counted from the request.
    pub(super) fn lives(relayed: SmallVec<[SocketAddr; 2]>, sent: Instant, lifetime: Duration) -> Alive {
        let lifetime = lifetime.min(MAX_LIFETIME);
        let wait = lifetime.saturating_sub(REFRESH_MARGIN).max(lifetime / 2);
        let refresh = sent + wait.max(MIN_REFRESH);
        Alive { relayed, expires: sent + lifetime, refresh, setbacks: 0, silent_at: None }
    }

    /// What is to be begun, the most urgent first, and when.
    fn jobs(&self) -> impl Iterator<Item = (Instant, Purpose)> {
        let unless_out = |at: Instant, purpose| (!self.requests.is_out(purpose)).then_some((at, purpose));
        let has_room = self.requests.has_room();
        let jobs = match &self.phase {
            Phase::Allocating { ready, .. } => [unless_out(*ready, Purpose::Allocate), None, None, None],
            Phase::Alive(alive) => [
                unless_out(alive.refresh, Purpose::Refresh),
                self.permissions.ready().filter(|_| has_room).map(|at| (at, Purpose::Permit)),
                self.channels.ready().filter(|_| has_room).map(|(at, number)| (at, Purpose::Bind(number))),
                (self.config.carrier == Carrier::Datagrams)
                    .then(|| (self.last_sent + KEEPALIVE, Purpose::Keepalive)),
            ],
            Phase::Releasing { pending: true, .. } => {
                [Some((Instant::ZERO, Purpose::Delete)), None, None, None]
            }
            Phase::Releasing { .. } | Phase::Over => [None, None, None, None],
        };
        let session = self.session.ready();
        let when = move |at: Instant, purpose| match purpose {
            Purpose::Keepalive => Some(at),
            _ => Some(at.max(session?)),
        };
        jobs.into_iter().flatten().filter_map(move |(at, purpose)| Some((when(at, purpose)?, purpose)))
    }

    fn job(&self, now: Instant) -> Option<Purpose> {
        self.jobs().find(|(ready, _)| *ready <= now).map(|(_, purpose)| purpose)
    }

    fn on_begun(&mut self, now: Instant, purpose: Purpose) {
        match purpose {
            Purpose::Permit => self.permissions.ask(now, self.serial),
            Purpose::Bind(number) => {
                self.channels.ask(number, self.serial);
                self.channels.on_sent(now, number);
            }
            Purpose::Delete => {
                if let Phase::Releasing { pending, .. } = &mut self.phase {
                    *pending = false;
                }
            }
            Purpose::Allocate | Purpose::Refresh | Purpose::Keepalive => {}
        }
    }
}

/// How long to wait after so many failures in a row: half a second, doubled up to half a minute.
pub(super) fn backoff(setbacks: u8) -> Duration {
    Duration::from_millis(500 << setbacks.min(6)).min(Duration::from_secs(30))
}

/// Whether a refusal is of the peer's address (RFC 8656 §10.2, §12.2): another request would be refused as well.
pub(super) const fn is_of_peer(code: u16) -> bool {
    matches!(code, 403 | 443)
}

/// Whether a server that says so may think better of it soon (RFC 8489 §6.3.4). 508 will not pass within a minute
/// (RFC 8656 §7.4).
pub(super) const fn may_pass(code: u16) -> bool {
    matches!(code, 500..=599) && code != 508
}
