//! Which addresses may send to us and be sent to (RFC 8656 §9, §10): asked for in batches, renewed long before they expire, and
//! asked for one by one when a batch is refused, to find out whom the server means.

use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::IpAddr;
use core::time::Duration;

use super::allocation::{backoff, is_of_peer};
use super::event::{RelayEvent, Wanting};
use crate::base::Instant;

/// How many addresses an allocation has permissions for: more than an ICE agent has remote candidates that are worth a relay
/// (RFC 8445 §6.1.2.5 has 100 pairs). Each costs a share in a request every three minutes.
pub(crate) const MAX_PERMISSIONS: usize = 128;
/// RFC 8656 §9. Counted from the first transmission of the request: the server counts from one of them, or later.
const LIFETIME: Duration = Duration::from_secs(300);
/// What is left of the lifetime has room for three transactions that all time out after 39.5 s.
const RENEWAL: Duration = Duration::from_secs(180);
/// What is due so soon goes along with what is due now.
const ALONG: Duration = Duration::from_secs(30);
/// Addresses in one request: of IPv6, 192 bytes.
const BATCH: usize = 8;
/// How often a server that refuses, and not because of the peer, is asked again about somebody new.
const MAX_SETBACKS: u8 = 4;

#[derive(Debug, Default)]
pub(super) struct Permissions(Vec<Permission>);

#[derive(Debug)]
struct Permission {
    ip: IpAddr,
    /// The serial of the request that is out.
    asked: Option<u32>,
    /// When it is to be asked for, unless it is being.
    ready: Instant,
    granted_until: Option<Instant>,
    /// Until when the server may have it, whether we know or not.
    known_until: Instant,
    /// A batch with it was refused.
    alone: bool,
    setbacks: u8,
}

impl Permissions {
    pub(super) fn want(&mut self, now: Instant, ip: IpAddr) -> Result<(), Wanting> {
        if self.get(ip).is_some() {
            return Ok(());
        }
        if self.0.len() >= MAX_PERMISSIONS {
            return Err(Wanting::TooMany);
        }
        let (asked, granted_until, known_until) = (None, None, Instant::ZERO);
        self.0.push(Permission {
            ip,
            asked,
            ready: now,
            granted_until,
            known_until,
            alone: false,
            setbacks: 0,
        });
        Ok(())
    }

    /// Perhaps the server knows of it no more: it is asked for at once.
    pub(super) fn doubt(&mut self, now: Instant, ip: IpAddr) {
        for permission in self.0.iter_mut().filter(|p| p.ip == ip) {
            permission.ready = permission.ready.min(now);
        }
    }

    /// It is not renewed, and what still comes from there is not taken.
    pub(super) fn unwanted(&self, is_wanted: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
        self.0.iter().map(|p| p.ip).filter(|ip| !is_wanted(*ip)).collect()
    }

    pub(super) fn forget(&mut self, ip: IpAddr) {
        self.0.retain(|p| p.ip != ip);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether the server has said that data may go there.
    pub(super) fn is_granted(&self, now: Instant, ip: IpAddr) -> bool {
        self.get(ip).and_then(|p| p.granted_until).is_some_and(|until| until > now)
    }

    /// Whether data may come from there: we have asked for it, and the answer may have been lost.
    pub(super) fn is_known(&self, now: Instant, ip: IpAddr) -> bool {
        self.get(ip).is_some_and(|p| p.known_until > now)
    }

    /// When the next is to be asked for.
    pub(super) fn ready(&self) -> Option<Instant> {
        self.0.iter().filter(|p| p.asked.is_none()).map(|p| p.ready).min()
    }

    /// When the next lapses.
    pub(super) fn next_lapse(&self) -> Option<Instant> {
        self.0.iter().filter_map(|p| p.granted_until).min()
    }

    /// Chooses who is asked for in the request that is about to go.
    pub(super) fn ask(&mut self, now: Instant, serial: u32) {
        let is_due = |p: &Permission| p.asked.is_none() && p.ready <= now;
        let first = self.0.iter().filter(|p| is_due(p)).min_by_key(|p| p.ready);
        let Some((first, alone)) = first.map(|p| (p.ip, p.alone)) else { return };
        let fits = |p: &&mut Permission| {
            let soon = if p.granted_until.is_some() { now + ALONG } else { now };
            p.ip == first || (!alone && !p.alone && p.asked.is_none() && p.ready <= soon)
        };
        // The first one too is within its own batch, in whatever place.
        let mut room = BATCH - 1;
        for permission in self.0.iter_mut().filter(fits) {
            if permission.ip != first {
                if room == 0 {
                    continue;
                }
                room -= 1;
            }
            permission.asked = Some(serial);
            permission.known_until = now + LIFETIME;
        }
    }

    /// Who is asked for in that request.
    pub(super) fn asked(&self, serial: u32) -> impl Iterator<Item = IpAddr> {
        self.0.iter().filter(move |p| p.asked == Some(serial)).map(|p| p.ip)
    }

    /// That request came to nothing: all in it are to be asked for again.
    pub(super) fn ask_again(&mut self, serial: u32, at: Instant) {
        for permission in self.0.iter_mut().filter(|p| p.asked == Some(serial)) {
            permission.asked = None;
            permission.ready = at;
        }
    }

    pub(super) fn on_granted(&mut self, sent: Instant, serial: u32, events: &mut VecDeque<RelayEvent>) {
        for permission in self.0.iter_mut().filter(|p| p.asked == Some(serial)) {
            permission.asked = None;
            permission.grant(sent, events);
        }
    }

    /// A channel to that address was bound, which grants the same (RFC 8656 §12.1).
    pub(super) fn on_channel_bound(&mut self, sent: Instant, ip: IpAddr, events: &mut VecDeque<RelayEvent>) {
        if let Some(permission) = self.0.iter_mut().find(|p| p.ip == ip) {
            permission.grant(sent, events);
        }
    }

    /// Gives those that there will be no permission for.
    pub(super) fn on_refused(&mut self, now: Instant, serial: u32, code: u16) -> Vec<IpAddr> {
        let is_batch = self.asked(serial).count() > 1;
        let mut refused = Vec::new();
        for permission in self.0.iter_mut().filter(|p| p.asked == Some(serial)) {
            permission.asked = None;
            permission.ready = now;
            // RFC 8656 §10.2: one of several is enough for an error. Each goes by itself then.
            permission.alone = true;
            if is_batch {
                continue;
            }
            // One that is in use has until its end; what is not said of the peer may pass.
            let is_in_use = permission.granted_until.is_some();
            let may_pass = is_in_use || !is_of_peer(code) && permission.setbacks < MAX_SETBACKS;
            if !may_pass {
                refused.push(permission.ip);
            }
            permission.ready = now + backoff(permission.setbacks);
            permission.setbacks = permission.setbacks.saturating_add(1);
        }
        self.0.retain(|p| !refused.contains(&p.ip));
        refused
    }

    /// Takes out those that the allocation has no address for.
    pub(super) fn refuse(&mut self, which: impl Fn(IpAddr) -> bool) -> Vec<IpAddr> {
        let refused = self.0.iter().map(|p| p.ip).filter(|ip| which(*ip)).collect();
        self.0.retain(|p| !which(p.ip));
        refused
    }

    /// Permissions whose time is up.
    pub(super) fn on_time(&mut self, now: Instant, events: &mut VecDeque<RelayEvent>) {
        let is_over = |p: &&mut Permission| p.granted_until.is_some_and(|until| until <= now);
        for permission in self.0.iter_mut().filter(is_over) {
            permission.granted_until = None;
            events.push_back(RelayEvent::PermissionLapsed(permission.ip));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn get(&self, ip: IpAddr) -> Option<&Permission> {
        self.0.iter().find(|p| p.ip == ip)
    }
}

impl Permission {
    fn grant(&mut self, sent: Instant, events: &mut VecDeque<RelayEvent>) {
        if self.granted_until.is_none() {
            events.push_back(RelayEvent::PermissionGranted(self.ip));
        }
        self.granted_until = self.granted_until.max(Some(sent + LIFETIME));
        self.known_until = self.known_until.max(sent + LIFETIME);
        self.ready = sent + RENEWAL;
        (self.alone, self.setbacks) = (false, 0);
    }
}
