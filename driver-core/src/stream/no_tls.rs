//! In place of TLS where the feature `tls` is off: nobody is trusted.

use std::convert::Infallible;
use std::task::{Context, Poll};

use floe_core::StreamEnd;

use super::wire::Failure;
use crate::{AsyncStream, BindError, TlsRoots};

pub(crate) struct Trust;

impl Trust {
    pub(crate) fn new(_: &TlsRoots) -> Result<Self, BindError> {
        Ok(Self)
    }

    #[expect(clippy::unused_self, reason = "with the feature it has something")]
    pub(super) fn session(&self, _: &str) -> Result<Session, Failure> {
        Err(Failure::new(StreamEnd::Tls, "this program was built without the feature `tls`"))
    }
}

/// There is none.
pub(super) struct Session(Infallible);

impl Session {
    pub(super) fn poll_handshake<S: AsyncStream>(
        &mut self,
        _: &mut S,
        _: &mut Context<'_>,
    ) -> Result<Poll<()>, Failure> {
        match self.0 {}
    }

    pub(super) fn poll_read<S: AsyncStream>(
        &mut self,
        _: &mut S,
        _: &mut Context<'_>,
        _: &mut [u8],
    ) -> Result<Poll<usize>, Failure> {
        match self.0 {}
    }

    pub(super) fn poll_write<S: AsyncStream>(
        &mut self,
        _: &mut S,
        _: &mut Context<'_>,
        _: &[u8],
    ) -> Result<Poll<usize>, Failure> {
        match self.0 {}
    }

    pub(super) fn poll_flush<S: AsyncStream>(
        &mut self,
        _: &mut S,
        _: &mut Context<'_>,
    ) -> Result<Poll<()>, Failure> {
        match self.0 {}
    }

    pub(super) fn close(&mut self) {
        match self.0 {}
    }
}
