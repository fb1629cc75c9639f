//! Channels (RFC 8656 §12): which number stands for which peer, here and, as far as we know, at the server.

use alloc::vec::Vec;
use core::net::SocketAddr;
use core::time::Duration;

use super::allocation::{backoff, is_of_peer};
use super::event::Wanting;
use crate::base::Instant;
use crate::wire::ChannelNumber;

/// How many channels an allocation has: each costs a request every seven minutes, and saves some 35 bytes a packet.
pub(crate) const MAX_CHANNELS: usize = 64;
/// How many numbers are remembered with those that are not wanted any more: the server keeps a binding for ten minutes, and
/// five more are to pass before number or peer may be in another one (RFC 8656 §12).
const MAX_NUMBERS: usize = 256;
/// RFC 8656 §12. Counted, as with permissions, from the first transmission.
const LIFETIME: Duration = Duration::from_secs(600);
/// What is left has room for five transactions that all time out.
const RENEWAL: Duration = Duration::from_secs(400);
/// RFC 8656 §12: from the end of a binding until its number or its peer may be in another one.
const QUARANTINE: Duration = Duration::from_secs(300);
/// How often a server that refuses, and not because of the peer, is asked again about a new channel.
const MAX_SETBACKS: u8 = 4;

#[derive(Debug)]
pub(super) struct Channels {
    entries: Vec<Channel>,
    /// The number to try next.
    next: ChannelNumber,
}

#[derive(Debug)]
struct Channel {
    number: ChannelNumber,
    peer: SocketAddr,
    /// Otherwise it is only remembered, so that its number is not used for another.
    wanted: bool,
    /// The serial of the request that is out.
    asked: Option<u32>,
    /// When it is to be bound again, unless it is being.
    ready: Instant,
    bound_until: Option<Instant>,
    /// Until when the server may have it bound, whether we know or not.
    known_until: Instant,
    setbacks: u8,
    /// Until when it is not asked for, although it may be wanted.
    refused_until: Instant,
}

impl Default for Channels {
    fn default() -> Self {
        Self { entries: Vec::new(), next: ChannelNumber::MIN }
    }
}

impl Channels {
    pub(super) fn want(&mut self, now: Instant, peer: SocketAddr) -> Result<(), Wanting> {
        // RFC 8656 §12: what the server has forgotten five minutes ago is forgotten here.
        self.entries.retain(|c| c.wanted || c.known_until + QUARANTINE > now);
        let wanted = self.entries.iter().filter(|c| c.wanted).count();
        if let Some(channel) = self.entries.iter_mut().find(|c| c.peer == peer) {
            // One that was refused would be again.
            if !channel.wanted && channel.refused_until <= now {
                if wanted >= MAX_CHANNELS {
                    return Err(Wanting::TooMany);
                }
                // The same peer gets the same number, so it need not wait.
                (channel.wanted, channel.ready, channel.setbacks) = (true, now, 0);
            }
            return Ok(());
        }
        if wanted >= MAX_CHANNELS || self.entries.len() >= MAX_NUMBERS {
            return Err(Wanting::TooMany);
        }
        let (asked, bound_until, known_until) = (None, None, Instant::ZERO);
        let number = self.free_number();
        self.entries.push(Channel {
            number,
            peer,
            wanted: true,
            asked,
            ready: now,
            bound_until,
            known_until,
            setbacks: 0,
            refused_until: Instant::ZERO,
        });
        Ok(())
    }

    /// Those that are not wanted any more are not bound again, and go out of use.
    pub(super) fn forget(&mut self, which: impl Fn(SocketAddr) -> bool) {
        for channel in self.entries.iter_mut().filter(|c| which(c.peer)) {
            channel.wanted = false;
        }
        // Of one that was never asked for the server knows nothing.
        self.entries.retain(|c| c.wanted || c.known_until > Instant::ZERO);
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// The number that stands for a peer, if the server has said so.
    pub(super) fn number_of(&self, now: Instant, peer: SocketAddr) -> Option<ChannelNumber> {
        let is_bound = |c: &&Channel| c.wanted && c.peer == peer && c.bound_until.is_some_and(|t| t > now);
        self.entries.iter().find(is_bound).map(|c| c.number)
    }

    /// The peer that a number stands for. It may be used by the server as soon as it was asked for (RFC 8656 §12).
    pub(super) fn peer_of(&self, now: Instant, number: ChannelNumber) -> Option<SocketAddr> {
        let is_known = |c: &&Channel| c.number == number && c.known_until > now;
        self.entries.iter().find(is_known).map(|c| c.peer)
    }

    /// The peer that the number is meant for, in a request.
    pub(super) fn meant_by(&self, number: ChannelNumber) -> Option<SocketAddr> {
        self.entries.iter().find(|c| c.number == number).map(|c| c.peer)
    }

    /// The next that is to be bound, and when.
    pub(super) fn ready(&self) -> Option<(Instant, ChannelNumber)> {
        self.entries.iter().filter(|c| c.wanted && c.asked.is_none()).map(|c| (c.ready, c.number)).min()
    }

    pub(super) fn ask(&mut self, number: ChannelNumber, serial: u32) {
        if let Some(channel) = self.get_mut(number) {
            channel.asked = Some(serial);
        }
    }

    /// A request for it goes out, for the first time or again.
    pub(super) fn on_sent(&mut self, now: Instant, number: ChannelNumber) {
        if let Some(channel) = self.get_mut(number) {
            channel.known_until = now + LIFETIME;
        }
    }

    /// That request came to nothing.
    pub(super) fn ask_again(&mut self, number: ChannelNumber, at: Instant) {
        if let Some(channel) = self.get_mut(number) {
            channel.asked = None;
            channel.ready = at;
        }
    }

    /// The server has bound it. Gives its peer, and whether that is news.
    pub(super) fn on_bound(
        &mut self,
        now: Instant,
        sent: Instant,
        number: ChannelNumber,
    ) -> Option<(SocketAddr, bool)> {
        let channel = self.get_mut(number)?;
        let is_new = channel.bound_until.is_none_or(|until| until <= now);
        channel.asked = None;
        channel.bound_until = Some(sent + LIFETIME);
        channel.ready = sent + RENEWAL;
        channel.setbacks = 0;
        channel.wanted.then_some((channel.peer, is_new))
    }

    /// Gives the peer that there will be no channel to.
    pub(super) fn on_refused(
        &mut self,
        now: Instant,
        number: ChannelNumber,
        code: u16,
    ) -> Option<SocketAddr> {
        let channel = self.get_mut(number)?;
        channel.asked = None;
        channel.ready = now + backoff(channel.setbacks);
        // One that is in use has until its end.
        let is_in_use = channel.bound_until.is_some_and(|until| until > now);
        let may_pass = is_in_use || !is_of_peer(code) && channel.setbacks < MAX_SETBACKS;
        channel.setbacks = channel.setbacks.saturating_add(1);
        // RFC 8656 §12.3 has an allocation made anew when server and client do not agree on a channel. There are Send
        // indications for that, so only the channel goes out of use, and its number is not used for another.
        let was_wanted = channel.wanted;
        if !may_pass {
            (channel.wanted, channel.bound_until) = (false, None);
            channel.refused_until = now + QUARANTINE;
        }
        (!may_pass && was_wanted).then_some(channel.peer)
    }

    fn get_mut(&mut self, number: ChannelNumber) -> Option<&mut Channel> {
        self.entries.iter_mut().find(|c| c.number == number)
    }

    /// There are more numbers than entries, so the search ends.
    fn free_number(&mut self) -> ChannelNumber {
        let mut number = self.next;
        while self.entries.iter().any(|c| c.number == number) {
            number = number.next().unwrap_or(ChannelNumber::MIN);
        }
        self.next = number.next().unwrap_or(ChannelNumber::MIN);
        number
    }
}
