//! How a byte stream ends.

use core::fmt;

/// Why a stream was not opened, or is none any more.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum StreamEnd {
    /// Nobody listens there, or the address cannot be reached.
    Refused,
    /// Nobody has answered.
    TimedOut,
    /// The other side has closed it.
    Ended,
    /// It was broken off.
    Reset,
    /// The server's certificate is not for its name, has expired, or is signed by nobody whom we trust.
    Certificate,
    /// TLS failed otherwise, or is not there.
    Tls,
}

impl fmt::Display for StreamEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "the connection was refused",
            Self::TimedOut => "the connection was not answered",
            Self::Ended => "the other side has closed the connection",
            Self::Reset => "the connection was reset",
            Self::Certificate => "the server's certificate is not good",
            Self::Tls => "TLS failed",
        })
    }
}
