//! What two agents tell each other through signalling: credentials, options, candidates.
//!
//! Four forms are read and written, and the engine cares for none of them: it takes [`Credentials`] and
//! [`Candidate`](crate::candidate::Candidate)s, whatever way they came.
//!
//! | form | type | from |
//! |---|---|---|
//! | SDP, or its lines of ICE alone | [`SessionDescription`] | RFC 8839 |
//! | a body of type `application/trickle-ice-sdpfrag` | [`TrickleFragment`] | RFC 8840 §9 |
//! | the JSON of a browser's candidate (`serde`) | [`CandidateInit`] | W3C WebRTC |
//! | a single line | [`IceAttribute`] | RFC 8839 §5 |
//!
//! With an SDP, ICE's part is taken out of it, and the answer's part put into another:
//!
//! ```
//! use floe_core::Credentials;
//! use floe_core::description::{IceOptions, SessionDescription};
//!
//! // RFC 8839 §4.2.6
//! let offer: SessionDescription = "v=0
//! o=jdoe 2890844526 2890842807 IN IP4 203.0.113.141
//! s=
//! c=IN IP4 192.0.2.3
//! t=0 0
//! a=ice-options:ice2
//! a=ice-pacing:50
//! a=ice-pwd:asd88fgpdd777uzjYhagZg
//! a=ice-ufrag:8hhY
//! m=audio 45664 RTP/AVP 0
//! b=RS:0
//! b=RR:0
//! a=rtpmap:0 PCMU/8000
//! a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host
//! a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998
//! ".parse()?;
//! assert!(!offer.lite && offer.options.contains(IceOptions::ICE2));
//! let audio = &offer.streams[0];
//! assert_eq!(offer.credentials_of(audio).unwrap().ufrag(), "8hhY");
//! assert_eq!(audio.candidates.len(), 2);
//!
//! let credentials = Credentials::new("Yhh8", "777uzjYhagZgasd88fgpdd")?;
//! let candidate = "candidate:1 1 UDP 2130706431 198.51.100.7 5000 typ host".parse()?;
//! let mut answer = SessionDescription::new(credentials, vec![candidate]);
//! answer.options = IceOptions::new().with(IceOptions::ICE2)?;
//! let sdp = format!(
//!     "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nt=0 0\r\n{}\
//!      m=audio 5000 RTP/AVP 0\r\nc=IN IP4 198.51.100.7\r\n{}",
//!     answer.session_lines(),
//!     answer.streams[0].ice_lines(),
//! );
//! # assert_eq!(sdp.parse(), Ok(answer.clone()));
//!
//! // Without SDP, the lines alone are a text that goes through any channel.
//! let text = answer.to_string();
//! assert_eq!(text, "a=ice-ufrag:Yhh8\r\na=ice-pwd:777uzjYhagZgasd88fgpdd\r\na=ice-options:ice2\r\n\
//!     a=candidate:1 1 UDP 2130706431 198.51.100.7 5000 typ host\r\n");
//! assert_eq!(text.parse(), Ok(answer));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What comes from the peer is bounded: by [`MAX_LINES`], [`MAX_STREAMS`], [`MAX_CANDIDATES`], [`MAX_COMPONENTS`],
//! [`MAX_OPTIONS`] and the lengths of each part. What breaks a grammar is refused by its line; lines of others, and
//! candidates of a transport or type that came after us, are skipped.

mod attribute;
mod candidate_init;
mod credentials;
mod error;
mod fragment;
#[cfg(feature = "serde")]
mod json;
mod options;
mod parse;
mod session;
#[cfg(test)]
mod tests;

pub use attribute::{AttributeName, IceAttribute, MAX_COMPONENTS, RemoteCandidate};
pub use candidate_init::{CandidateInit, StreamError};
pub use credentials::{Credentials, CredentialsError, Password, Ufrag};
pub use error::{AttributeError, DescriptionError, Problem};
pub use fragment::{FragmentError, TrickleFragment};
pub use options::{IceOptions, MAX_OPTION_LENGTH, MAX_OPTIONS};
pub use session::{
    DEFAULT_PACING, MAX_CANDIDATES, MAX_LINES, MAX_MID_LENGTH, MAX_STREAMS, Mid, MidError,
    SessionDescription, StreamDescription,
};
