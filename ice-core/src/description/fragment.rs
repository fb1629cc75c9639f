//! Candidates that come after the description: bodies of type `application/trickle-ice-sdpfrag` (RFC 8840 §9).

use core::fmt;
use core::str::FromStr;

use super::{DescriptionError, SessionDescription, StreamDescription};

/// A description of what is known so far, as SIP's INFO requests (RFC 8840 §4.4) and the PATCH requests of WHIP and WHEP
/// carry it: with credentials, which tell of which ICE generation it is, and a `mid` for each of its streams.
///
/// It has all candidates told so far, in their order (RFC 8840 §4.4); an agent leaves out those that it has. One whose
/// credentials are not the peer's current ones is to be discarded. It is displayed and parsed as the body.
///
/// ```
/// use floe_core::description::{SessionDescription, TrickleFragment};
///
/// let body = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n\
///     m=audio 9 RTP/AVP 0\r\na=mid:1\r\n\
///     a=candidate:1 1 UDP 2130706431 192.0.2.1 5010 typ host\r\na=end-of-candidates\r\n";
/// let fragment: TrickleFragment = body.parse()?;
/// assert_eq!(fragment.to_string(), body);
///
/// let description: SessionDescription = fragment.into();
/// let stream = description.stream("1").unwrap();
/// assert_eq!(stream.candidates.len(), 1);
/// assert!(description.has_ended(stream));
/// # Ok::<(), floe_core::description::FragmentError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrickleFragment(SessionDescription);

impl TrickleFragment {
    /// The media type of what this is displayed as.
    pub const MEDIA_TYPE: &'static str = "application/trickle-ice-sdpfrag";

    /// Credentials have to stand at the level at which the description had them (RFC 8840 §9.2).
    ///
    /// # Errors
    /// A stream without `mid` or without credentials.
    pub fn new(description: SessionDescription) -> Result<Self, FragmentError> {
        // Without any `m=`, a fragment tells of the session only: that trickling has come to its end.
        let tells_nothing = description.streams == [StreamDescription::default()];
        for (number, stream) in description.streams.iter().enumerate() {
            if stream.mid.is_none() && !tells_nothing {
                return Err(FragmentError::MidMissing { stream: number });
            }
            if description.credentials_of(stream).is_none() {
                return Err(FragmentError::CredentialsMissing { stream: number });
            }
        }
        Ok(Self(description))
    }

    /// What it tells.
    pub const fn description(&self) -> &SessionDescription {
        &self.0
    }
}

impl From<TrickleFragment> for SessionDescription {
    fn from(fragment: TrickleFragment) -> Self {
        fragment.0
    }
}

impl FromStr for TrickleFragment {
    type Err = FragmentError;

    fn from_str(text: &str) -> Result<Self, FragmentError> {
        Self::new(text.parse().map_err(FragmentError::Description)?)
    }
}

impl fmt::Display for TrickleFragment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why something is no fragment. Streams count from 0.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FragmentError {
    /// It is no description either.
    Description(DescriptionError),
    /// Nobody knows which stream of the session this one is (RFC 8840 §4.4).
    MidMissing {
        /// The number of the stream in the fragment.
        stream: usize,
    },
    /// Nobody knows to which ICE generation this stream's candidates belong (RFC 8840 §4.4).
    CredentialsMissing {
        /// The number of the stream in the fragment.
        stream: usize,
    },
}

impl fmt::Display for FragmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Description(error) => error.fmt(f),
            Self::MidMissing { stream } => write!(f, "stream {stream} has no mid (RFC 8840 section 4.4)"),
            Self::CredentialsMissing { stream } => {
                write!(f, "stream {stream} has no ice-ufrag and ice-pwd (RFC 8840 section 4.4)")
            }
        }
    }
}

impl core::error::Error for FragmentError {}
