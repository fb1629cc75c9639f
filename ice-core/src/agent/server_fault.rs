//! What went wrong with a server.

use alloc::string::String;
use core::fmt;

use super::StreamEnd;
use crate::relay::AllocationFailure;
use crate::wire::ErrorCode;

/// Why a STUN or TURN server has given nothing, or gives nothing any more.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ServerFault {
    /// It has refused (RFC 8489 §14.8).
    Refused {
        /// The error code: 403, 486, 508 and so on.
        code: u16,
        /// As the server puts it, at most 127 characters.
        reason: String,
    },
    /// It did not answer.
    NoAnswer,
    /// It does not know the username, or has another password (RFC 8489 §9.2).
    Credentials {
        /// The error code, if it did not come to one.
        code: Option<u16>,
    },
    /// Answers came that nobody who knows the password has signed (RFC 8489 §9.2.5).
    Unproven,
    /// It, or somebody on the way, wants the credentials in a weaker way than it is able to (RFC 8489 §9.2.1).
    BidDown,
    /// It wants the credentials in a way that we do not know.
    Unsupported,
    /// Its answer lacks something, or has something that is to be understood and is not.
    Unreadable,
    /// It and others send us from one to the other, or on and on (RFC 8489 §10).
    RedirectLoop,
    /// It knows an allocation of ours no more, as after it was started anew. Another one is asked for.
    Forgotten,
    /// It has not renewed an allocation of ours in time. Another one is asked for.
    Lapsed,
    /// The connection to it was not opened, or has ended.
    Stream(StreamEnd),
    /// The agent has as many allocations, or connections, as it takes.
    TooMany,
}

impl ServerFault {
    pub(super) fn refused(error: ErrorCode<'_>) -> Self {
        AllocationFailure::refused(error).into()
    }
}

impl From<AllocationFailure> for ServerFault {
    fn from(failure: AllocationFailure) -> Self {
        match failure {
            AllocationFailure::Refused { code, reason } => Self::Refused { code, reason },
            AllocationFailure::NoAnswer => Self::NoAnswer,
            AllocationFailure::Unproven => Self::Unproven,
            AllocationFailure::BadCredentials => Self::Credentials { code: Some(401) },
            AllocationFailure::BidDown => Self::BidDown,
            AllocationFailure::Unsupported => Self::Unsupported,
            AllocationFailure::Unreadable => Self::Unreadable,
            AllocationFailure::RedirectLoop => Self::RedirectLoop,
        }
    }
}

impl fmt::Display for ServerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused { code, reason } if reason.is_empty() => {
                return write!(f, "it refused with {code}");
            }
            Self::Refused { code, reason } => return write!(f, "it refused with {code}, \"{reason}\""),
            Self::NoAnswer => "it did not answer",
            Self::Credentials { .. } => "it does not take our username and password",
            Self::Unproven => "its answers are not signed with our password",
            Self::BidDown => "it asks for weaker credentials than it says it can check (an attack?)",
            Self::Unsupported => "it wants credentials in a way that is not supported",
            Self::Unreadable => "its answer could not be understood",
            Self::RedirectLoop => "it redirects to servers that redirect to it, or on and on",
            Self::Forgotten => "it has forgotten the allocation; another one is asked for",
            Self::Lapsed => "it has not renewed the allocation; another one is asked for",
            Self::Stream(end) => return fmt::Display::fmt(end, f),
            Self::TooMany => "there are too many allocations or connections already",
        })
    }
}
