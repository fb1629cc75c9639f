//! What becomes of hosts: they sleep, they die, they have a firewall, and they may send by another interface than they listen at.

use core::net::IpAddr;
use core::time::Duration;

use floe_core::base::Instant;

use crate::address::HostId;
use crate::firewall::Wall;
use crate::record::DropReason;

/// What a host's clock does while the host sleeps.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Clock {
    /// It goes on, so that it has jumped when the host wakes.
    Jumps,
    /// It stands still, and is behind from then on.
    Pauses,
}

/// One host, beside its addresses.
#[derive(Default)]
pub(crate) struct Host {
    pub(crate) wall: Option<Wall>,
    /// The addresses of sockets, and those of the interfaces that they send by.
    pub(crate) exits: Vec<(IpAddr, IpAddr)>,
    is_dead: bool,
    /// Until when it sleeps, and when its clock has stopped, if it has.
    sleep: Option<(Instant, Option<Instant>)>,
    /// What its clock is behind by, the sleep at this moment left out.
    behind: Duration,
}

impl Host {
    /// Why nothing gets to it or from it.
    pub(crate) fn is_away(&self, now: Instant) -> Option<DropReason> {
        if self.is_dead {
            return Some(DropReason::Dead);
        }
        self.wakes_at(now).map(|_| DropReason::Asleep)
    }

    /// When it wakes, if it sleeps.
    pub(crate) fn wakes_at(&self, now: Instant) -> Option<Instant> {
        self.sleep.map(|(until, _)| until).filter(|until| now < *until)
    }

    fn settle(&mut self, now: Instant) {
        if let Some((until, stopped)) = self.sleep {
            let end = until.min(now);
            self.behind += stopped.map_or(Duration::ZERO, |stopped| end.since(stopped));
            self.sleep = None;
        }
    }

    fn sleep(&mut self, now: Instant, until: Instant, clock: Clock) {
        self.settle(now);
        self.sleep = (now < until).then_some((until, (clock == Clock::Pauses).then_some(now)));
    }

    fn behind(&self, now: Instant) -> Duration {
        let stopped = self.sleep.and_then(|(until, stopped)| Some(until.min(now).since(stopped?)));
        self.behind + stopped.unwrap_or_default()
    }
}

/// All hosts of which there is anything to say, by `HostId`.
#[derive(Default)]
pub(crate) struct Hosts(Vec<Host>);

impl Hosts {
    pub(crate) fn get(&self, host: HostId) -> Option<&Host> {
        self.0.get(host.0 as usize)
    }

    pub(crate) fn wall(&mut self, host: HostId) -> Option<&mut Wall> {
        self.0.get_mut(host.0 as usize)?.wall.as_mut()
    }

    /// From now on there is something to say of it.
    pub(crate) fn open(&mut self, host: HostId) -> &mut Host {
        let index = host.0 as usize;
        if self.0.len() <= index {
            self.0.resize_with(index + 1, Host::default);
        }
        #[expect(clippy::indexing_slicing, reason = "there is room for it since just now")]
        &mut self.0[index]
    }

    pub(crate) fn sleep(&mut self, now: Instant, host: HostId, until: Instant, clock: Clock) {
        self.open(host).sleep(now, until, clock);
    }

    pub(crate) fn set_dead(&mut self, host: HostId, is_dead: bool) {
        self.open(host).is_dead = is_dead;
    }

    /// Why nothing gets to it or from it.
    pub(crate) fn is_away(&self, now: Instant, host: HostId) -> Option<DropReason> {
        self.get(host)?.is_away(now)
    }

    /// What its clock says.
    pub(crate) fn clock(&self, now: Instant, host: HostId) -> Instant {
        let behind = self.get(host).map_or(Duration::ZERO, |host| host.behind(now));
        Instant::ZERO + now.since(Instant::ZERO).saturating_sub(behind)
    }

    /// When its clock will say this, and it is awake.
    pub(crate) fn when(&self, now: Instant, host: HostId, clock: Instant) -> Instant {
        let Some(of) = self.get(host) else { return clock };
        // What it sleeps from now on puts its clock back further.
        let pauses = of.sleep.and_then(|(until, stopped)| Some(until.since(stopped?.max(now))));
        let then = clock + of.behind(now) + pauses.unwrap_or_default();
        of.wakes_at(now).map_or(then, |wakes| then.max(wakes))
    }
}
