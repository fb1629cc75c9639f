//! The requests that are out: what each is for, its bytes, so that a retransmission is the same message, and the key that its
//! answer has to be sealed with.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::Carrier;
use crate::base::Instant;
use crate::transaction::{Due, Transactions};
use crate::wire::{ChannelNumber, IntegrityKey, Method, TransactionId};

/// How many requests for permissions and channels are out at a time: all of an allocation's, which are at most 80, take their
/// turns, and a server that does not answer is not asked about all of them (RFC 8445 §14 paces them too).
const MAX_AT_A_TIME: usize = 16;
/// Those that do not count: Allocate or Refresh, and the Refresh that deletes.
const UNCOUNTED: usize = 4;

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    Allocate,
    Refresh,
    /// Refresh with a lifetime of zero.
    Delete,
    /// CreatePermission for those that were asked for in it.
    Permit,
    Bind(ChannelNumber),
    /// Not a request: nobody answers it.
    Keepalive,
}

impl Purpose {
    pub(super) const fn method(self) -> Method {
        match self {
            Self::Allocate => Method::ALLOCATE,
            Self::Refresh | Self::Delete => Method::REFRESH,
            Self::Permit => Method::CREATE_PERMISSION,
            Self::Bind(_) => Method::CHANNEL_BIND,
            Self::Keepalive => Method::BINDING,
        }
    }
}

/// One request, as it went out.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) id: TransactionId,
    /// Tells it from all others of the allocation.
    pub(super) serial: u32,
    pub(super) purpose: Purpose,
    pub(super) first: Instant,
    pub(super) bytes: Vec<u8>,
    pub(super) key: Option<IntegrityKey>,
    /// Of the session, when it was signed.
    pub(super) generation: u32,
    /// An answer came that did not prove who wrote it.
    pub(super) unproven: bool,
}

#[derive(Debug)]
pub(super) struct Requests {
    carrier: Carrier,
    rto: Duration,
    transactions: Transactions<(u32, Purpose)>,
    sent: Vec<Sent>,
}

/// What time has brought.
pub(super) enum Next<'r> {
    Again(&'r Sent, u8),
    Expired(Box<Sent>),
}

impl Requests {
    pub(super) fn new(carrier: Carrier, rto: Duration) -> Self {
        let transactions = Transactions::new(MAX_AT_A_TIME + UNCOUNTED);
        Self { carrier, rto, transactions, sent: Vec::new() }
    }

    pub(super) fn start(&mut self, sent: Sent) {
        let key = (sent.serial, sent.purpose);
        self.transactions.start_with_rto(sent.first, self.rto, sent.id, key);
        if self.carrier == Carrier::Stream {
            // RFC 8489 §6.2.2: once, and then the same patience.
            self.transactions.cancel(|other| *other == key);
        }
        self.sent.push(sent);
    }

    pub(super) fn is_out(&self, purpose: Purpose) -> bool {
        self.transactions.purposes().any(|(_, other)| *other == purpose)
    }

    pub(super) fn has_room(&self) -> bool {
        self.transactions.len() < MAX_AT_A_TIME
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&Sent> {
        self.sent.iter().find(|sent| sent.id == id)
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Sent> {
        self.sent.iter_mut().find(|sent| sent.id == id)
    }

    /// Its answer has come.
    pub(super) fn take(&mut self, id: TransactionId) -> Option<Sent> {
        self.transactions.take(id);
        let index = self.sent.iter().position(|sent| sent.id == id)?;
        Some(self.sent.swap_remove(index))
    }

    pub(super) fn forget(&mut self, which: impl Fn(Purpose) -> bool) {
        self.transactions.forget(|(_, purpose)| which(*purpose));
        self.sent.retain(|sent| !which(sent.purpose));
    }

    /// The next that is to be repeated, or is not awaited any more.
    pub(super) fn due(&mut self, now: Instant) -> Option<Next<'_>> {
        loop {
            match self.transactions.due(now)? {
                Due::Retransmit { id, transmission, .. } => {
                    if let Some(index) = self.sent.iter().position(|sent| sent.id == id) {
                        return self.sent.get(index).map(|sent| Next::Again(sent, transmission));
                    }
                }
                Due::Expired { purpose: (serial, _) } => {
                    if let Some(index) = self.sent.iter().position(|sent| sent.serial == serial) {
                        return Some(Next::Expired(Box::new(self.sent.swap_remove(index))));
                    }
                }
            }
        }
    }

    #[cfg(test)]
    pub(super) fn last_id(&self) -> TransactionId {
        self.sent.last().unwrap().id
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.transactions.next_deadline()
    }
}
