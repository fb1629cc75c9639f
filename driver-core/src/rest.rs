//! Rests for what fails again and again: it may be broken for good, and reading it all the time would cost a processor.

use std::time::{Duration, Instant as Clock};

/// After so many errors in a row, a socket is left alone for a while.
pub(crate) const ERRORS: u32 = 16;
/// For how long. A socket that recovers has lost no more than what its buffer could not hold.
pub(crate) const REST: Duration = Duration::from_millis(200);

/// How much a socket has failed of late.
#[derive(Debug, Default)]
pub(crate) struct Rest {
    errors: u32,
    until: Option<Clock>,
}

impl Rest {
    /// Whether it is to be left alone.
    pub(crate) fn lasts(&mut self, now: Clock) -> bool {
        self.until = self.until.filter(|at| *at > now);
        self.until.is_some()
    }

    pub(crate) fn until(&self) -> Option<Clock> {
        self.until
    }

    pub(crate) fn on_success(&mut self) {
        self.errors = 0;
    }

    /// True if it rests from now on.
    pub(crate) fn on_error(&mut self, now: Clock) -> bool {
        self.errors += 1;
        if self.errors < ERRORS {
            return false;
        }
        *self = Self { errors: 0, until: Some(now + REST) };
        true
    }
}
