//! All that one side tells the other about ICE: for the session, and for each of its data streams.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::candidate::{Candidate, MAX_REMOTE_CANDIDATES, Token};

use super::{Credentials, IceAttribute, IceOptions, RemoteCandidate};

/// How many lines one text may have, those of others included (RFC 8839 sets no limit).
pub const MAX_LINES: usize = 65_536;

/// How many data streams one description may have (RFC 8839 §4.2.1.1 sets no limit).
pub const MAX_STREAMS: usize = 512;

/// How many candidates one data stream may have: as many as an agent takes (RFC 8445 §19.5.1).
pub const MAX_CANDIDATES: usize = MAX_REMOTE_CANDIDATES;

/// The longest `mid`, in bytes (RFC 5888 §4 sets no limit; RFC 8843 §14 wants at most 3 where it is sent in packets).
pub const MAX_MID_LENGTH: usize = 64;

/// Ta where a description does not tell one, in milliseconds (RFC 8839 §5.5).
pub const DEFAULT_PACING: u32 = 50;

/// What one side tells the other through signalling (RFC 8839): what goes for the whole session, and its data streams.
///
/// It is parsed from a whole session description, of which it takes ICE's lines and leaves the rest alone, and from a
/// plain list of such lines as well: a text without any `m=` is of a single stream. Line ends are CRLF or LF; `a=` in front
/// of a line may be absent.
///
/// It is displayed as ICE's lines only. With an `m=` for each stream, its content made up, as in RFC 8840 §4.4; without one
/// where a single stream has neither a `mid` nor anything that differs from the session. What is displayed is parsed
/// back to the same value as long as the limits of this module are kept. To put the lines into a session description of your own, there are
/// [`SessionDescription::session_lines`] and [`StreamDescription::ice_lines`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionDescription {
    /// Those of all streams that have none of their own (RFC 8839 §5.4).
    pub credentials: Option<Credentials>,
    /// The options of all streams that have none of their own (RFC 8839 §5.6).
    pub options: IceOptions,
    /// The sender is a lite agent (RFC 8839 §5.3).
    pub lite: bool,
    /// The Ta that the sender wishes for, in milliseconds (RFC 8839 §5.5); both sides use the larger of theirs.
    pub pacing: Option<u32>,
    /// No more candidates will follow, for any stream (RFC 8840 §8).
    pub end_of_candidates: bool,
    /// In the order of their `m=` lines. Never empty when parsed: a text without an `m=` has one.
    pub streams: Vec<StreamDescription>,
}

impl SessionDescription {
    /// Of a single stream.
    pub fn new(credentials: Credentials, candidates: Vec<Candidate>) -> Self {
        let only = StreamDescription { candidates, ..StreamDescription::default() };
        Self { credentials: Some(credentials), streams: vec![only], ..Self::default() }
    }

    /// The credentials that go for this stream of the session: its own, or the session's (RFC 8839 §5.4).
    pub fn credentials_of<'d>(&'d self, stream: &'d StreamDescription) -> Option<&'d Credentials> {
        stream.credentials.as_ref().or(self.credentials.as_ref())
    }

    /// The options that go for this stream of the session: its own, or the session's.
    pub fn options_of<'d>(&'d self, stream: &'d StreamDescription) -> &'d IceOptions {
        if stream.options.is_empty() { &self.options } else { &stream.options }
    }

    /// Whether no more candidates will follow for this stream of the session (RFC 8840 §8).
    pub const fn has_ended(&self, stream: &StreamDescription) -> bool {
        self.end_of_candidates || stream.end_of_candidates
    }

    /// Whether ICE is to be used for this stream of the session: it has credentials, and no mismatch was told
    /// (RFC 8839 §4.2.5).
    pub fn uses_ice(&self, stream: &StreamDescription) -> bool {
        self.credentials_of(stream).is_some() && !stream.mismatch
    }

    /// The Ta that the sender wishes for, in milliseconds: told, or the default (RFC 8839 §5.5).
    pub fn wished_pacing(&self) -> u32 {
        self.pacing.unwrap_or(DEFAULT_PACING)
    }

    /// The stream of this `mid`.
    pub fn stream(&self, mid: &str) -> Option<&StreamDescription> {
        self.streams.iter().find(|stream| stream.mid.as_ref().is_some_and(|known| known.as_str() == mid))
    }

    /// The lines that go for the whole session, each as `a=...` with CRLF: they stand in front of the first `m=`.
    pub fn session_lines(&self) -> impl fmt::Display {
        Lines(move |f: &mut fmt::Formatter<'_>| {
            credentials_lines(f, self.credentials.as_ref())?;
            options_line(f, &self.options)?;
            if self.lite {
                line(f, &IceAttribute::Lite)?;
            }
            if let Some(millis) = self.pacing {
                line(f, &IceAttribute::Pacing(millis))?;
            }
            if self.end_of_candidates {
                line(f, &IceAttribute::EndOfCandidates)?;
            }
            Ok(())
        })
    }
}

impl Default for SessionDescription {
    /// A single stream, of which nothing is told.
    fn default() -> Self {
        Self {
            credentials: None,
            options: IceOptions::new(),
            lite: false,
            pacing: None,
            end_of_candidates: false,
            streams: vec![StreamDescription::default()],
        }
    }
}

impl fmt::Display for SessionDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.session_lines())?;
        if let [only] = self.streams.as_slice()
            && only.is_implied()
        {
            return write!(f, "{}", only.ice_lines());
        }
        for stream in &self.streams {
            // RFC 8840 §4.4: what an `m=` line says when nothing is known.
            f.write_str("m=audio 9 RTP/AVP 0\r\n")?;
            if let Some(mid) = &stream.mid {
                write!(f, "a=mid:{mid}\r\n")?;
            }
            write!(f, "{}", stream.ice_lines())?;
        }
        Ok(())
    }
}

/// What one side tells the other about one data stream: an `m=` section of SDP (RFC 8839 §4.2.1.1).
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct StreamDescription {
    /// Its name in the session (RFC 5888 §4).
    pub mid: Option<Mid>,
    /// Its own credentials, which go before the session's (RFC 8839 §5.4).
    pub credentials: Option<Credentials>,
    /// Its own options, which go before the session's; none if empty (RFC 8839 §5.6).
    pub options: IceOptions,
    /// The sender can do ICE but found the default destination of its peer changed on the way: no ICE for this stream,
    /// and no candidates (RFC 8839 §4.2.5).
    pub mismatch: bool,
    /// The receiver's candidates that the sender, controlling, has selected (RFC 8839 §5.2).
    pub remote_candidates: Vec<RemoteCandidate>,
    /// The sender's candidates, in the order in which they were told (RFC 8839 §5.1).
    pub candidates: Vec<Candidate>,
    /// No more candidates will follow for this stream (RFC 8840 §8).
    pub end_of_candidates: bool,
}

impl StreamDescription {
    /// ICE's lines of this stream, each as `a=...` with CRLF: they stand behind its `m=`. `a=mid` is not among them.
    pub fn ice_lines(&self) -> impl fmt::Display {
        Lines(move |f: &mut fmt::Formatter<'_>| {
            credentials_lines(f, self.credentials.as_ref())?;
            options_line(f, &self.options)?;
            if self.mismatch {
                line(f, &IceAttribute::Mismatch)?;
            }
            if !self.remote_candidates.is_empty() {
                line(f, &IceAttribute::RemoteCandidates(self.remote_candidates.clone()))?;
            }
            for candidate in &self.candidates {
                line(f, candidate)?;
            }
            if self.end_of_candidates {
                line(f, &IceAttribute::EndOfCandidates)?;
            }
            Ok(())
        })
    }

    /// Whether it needs no `m=` line when it is the only one.
    pub(super) fn is_implied(&self) -> bool {
        self.mid.is_none() && self.credentials.is_none() && self.options.is_empty() && !self.end_of_candidates
    }
}

/// The name of a data stream in its session: a token (RFC 5888 §4).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Mid(String);

impl Mid {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Mid {
    type Err = MidError;

    fn from_str(text: &str) -> Result<Self, MidError> {
        // RFC 8866 §9 `token-char`: printable, but for `"(),/:;<=>?@[\]`.
        let is_token_char = |byte: u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]".contains(&byte);
        let is_token = (1..=MAX_MID_LENGTH).contains(&text.len()) && text.bytes().all(is_token_char);
        if is_token { Ok(Self(text.into())) } else { Err(MidError(Token::new(text))) }
    }
}

impl fmt::Display for Mid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// This is no `mid`: not a token of SDP, or longer than [`MAX_MID_LENGTH`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MidError(pub Token);

impl fmt::Display for MidError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bad mid: {:?}", self.0)
    }
}

impl core::error::Error for MidError {}

/// Lines that are made when they are displayed.
struct Lines<F>(F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Lines<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

fn line(f: &mut fmt::Formatter<'_>, attribute: &impl fmt::Display) -> fmt::Result {
    write!(f, "a={attribute}\r\n")
}

fn credentials_lines(f: &mut fmt::Formatter<'_>, credentials: Option<&Credentials>) -> fmt::Result {
    let Some(credentials) = credentials else { return Ok(()) };
    let (ufrag, password) = credentials.clone().into_parts();
    line(f, &IceAttribute::Ufrag(ufrag))?;
    line(f, &IceAttribute::Password(password))
}

fn options_line(f: &mut fmt::Formatter<'_>, options: &IceOptions) -> fmt::Result {
    if options.is_empty() { Ok(()) } else { line(f, &IceAttribute::Options(options.clone())) }
}
