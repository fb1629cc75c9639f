//! The JSON in which browsers signal a candidate: W3C WebRTC's `RTCIceCandidateInit`.

use alloc::string::{String, ToString};
use core::fmt;

use crate::candidate::{Candidate, CandidateError};

use super::SessionDescription;

/// A candidate as a browser signals it, or, with an empty `candidate`, that no more will follow.
///
/// With the feature `serde` it is read from and written as the JSON that `RTCIceCandidate.toJSON()` makes: `candidate`,
/// `sdpMid`, `sdpMLineIndex` and `usernameFragment`. Any of them may be absent or `null`, other members are ignored, and all four are written.
///
/// ```
/// use floe_core::description::CandidateInit;
///
/// let candidate = "candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host".parse()?;
/// let init = CandidateInit { sdp_mid: Some("0".into()), ..CandidateInit::from(&candidate) };
/// assert_eq!(init.parse()?, Some(candidate));
/// assert_eq!(CandidateInit::default().parse()?, None, "the end of candidates");
/// # Ok::<(), floe_core::candidate::CandidateError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "camelCase", default)
)]
pub struct CandidateInit {
    /// The candidate's line, without `a=`. Empty for the end of candidates.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "super::json::null_as_empty"))]
    pub candidate: String,
    /// The `mid` of its stream.
    pub sdp_mid: Option<String>,
    /// The place of its stream's `m=` in the session description, from 0. Counts only without a `mid`.
    pub sdp_m_line_index: Option<u16>,
    /// The username fragment of the ICE generation to which it belongs.
    pub username_fragment: Option<String>,
}

impl CandidateInit {
    /// The candidate; `None` is the end of candidates.
    ///
    /// # Errors
    /// Those of the candidate's line, [`CandidateError::is_unknown`] among them.
    pub fn parse(&self) -> Result<Option<Candidate>, CandidateError> {
        if self.candidate.is_empty() { Ok(None) } else { self.candidate.parse().map(Some) }
    }

    /// Which stream of the session, from 0, it is for. `None` is the end of candidates for all streams.
    ///
    /// `session` is the description that the same side has told before.
    ///
    /// # Errors
    /// It names no stream, or one that is not there, or the username fragment of another generation.
    pub fn stream_in(&self, session: &SessionDescription) -> Result<Option<usize>, StreamError> {
        // WebRTC §4.4.2, `addIceCandidate`: the `mid` goes before the index.
        let place = match (&self.sdp_mid, self.sdp_m_line_index) {
            (Some(mid), _) => {
                let has_it = |known: &super::Mid| known.as_str() == mid;
                let found = session.streams.iter().position(|stream| stream.mid.as_ref().is_some_and(has_it));
                Some(found.ok_or(StreamError::UnknownMid)?)
            }
            (None, Some(index)) => Some(usize::from(index)),
            (None, None) if self.candidate.is_empty() => None,
            (None, None) => return Err(StreamError::Unnamed),
        };
        let mut meant = match place {
            Some(index) => {
                core::slice::from_ref(session.streams.get(index).ok_or(StreamError::UnknownIndex)?)
            }
            None => session.streams.as_slice(),
        }
        .iter();
        let Some(ufrag) = &self.username_fragment else { return Ok(place) };
        let is_current =
            meant.any(|stream| session.credentials_of(stream).is_some_and(|it| it.ufrag() == ufrag));
        if is_current { Ok(place) } else { Err(StreamError::OtherGeneration) }
    }
}

impl From<&Candidate> for CandidateInit {
    /// Without a stream. The username fragment is that of the candidate's own extension, if it has one.
    fn from(candidate: &Candidate) -> Self {
        Self {
            candidate: candidate.to_string(),
            username_fragment: candidate.extensions.ufrag().map(Into::into),
            ..Self::default()
        }
    }
}

/// Why a candidate is for no stream of the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StreamError {
    /// It has neither `sdpMid` nor `sdpMLineIndex`.
    Unnamed,
    /// No stream has its `sdpMid`.
    UnknownMid,
    /// There are not so many streams as its `sdpMLineIndex` wants.
    UnknownIndex,
    /// Its `usernameFragment` is not the stream's: it came late, after a restart, or early, before one.
    OtherGeneration,
}

impl fmt::Display for StreamError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unnamed => "the candidate has neither sdpMid nor sdpMLineIndex",
            Self::UnknownMid => "no stream has the candidate's sdpMid",
            Self::UnknownIndex => "no stream has the candidate's sdpMLineIndex",
            Self::OtherGeneration => "the candidate's usernameFragment is not the stream's",
        })
    }
}

impl core::error::Error for StreamError {}
