//! What a session counts.

/// Counters of a session since it was bound. They saturate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams that came in on any socket.
    pub received: u64,
    /// Of these, the application's data that was dropped because [`recv`](crate::Connection::recv) was called too
    /// rarely and [`MAX_RECEIVED`](crate::MAX_RECEIVED) datagrams waited.
    pub overflowed: u64,
    /// Of these, what the engine dropped: not for this session, forged, or malformed.
    pub rejected: u64,
    /// Of these, what was neither STUN nor from the peer.
    pub unclaimed: u64,
    /// Datagrams that went out.
    pub sent: u64,
    /// Datagrams that a socket refused to send.
    pub send_failures: u64,
    /// Messages of the engine that were dropped because a socket had no room for too long. They are repeated.
    pub send_overflows: u64,
    /// Errors in place of a datagram or of a connection to a listener. On some systems each ICMP error is one.
    pub receive_errors: u64,
    /// Events that were dropped because nobody read them.
    pub events_missed: u64,
}

/// One more.
pub(crate) fn bump(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}
