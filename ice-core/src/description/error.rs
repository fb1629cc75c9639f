//! Why a description was refused: which line, which attribute, and what stood there.

use core::fmt;

use crate::candidate::{CandidateError, Token};

use super::{AttributeName, CredentialsError};

/// A line of ICE that breaks its grammar.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttributeError {
    /// The line is not one of ICE's.
    NotIce,
    /// Nothing stands where the attribute wants a value.
    Missing(AttributeName),
    /// This stands behind an attribute that has no value.
    Unexpected(AttributeName, Token),
    /// This is not what the grammar allows there.
    Malformed(AttributeName, Token),
    /// More than [`MAX_OPTIONS`](super::MAX_OPTIONS) or [`MAX_COMPONENTS`](super::MAX_COMPONENTS).
    TooMany(AttributeName),
    /// `ice-ufrag` or `ice-pwd`.
    Credentials(CredentialsError),
    /// `candidate`.
    Candidate(CandidateError),
    /// `remote-candidates`: they share their fields with candidates.
    RemoteCandidates(CandidateError),
}

impl fmt::Display for AttributeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotIce => f.write_str("not an attribute of ICE"),
            Self::Missing(name) => write!(f, "{name} lacks a value"),
            Self::Unexpected(name, token) => write!(f, "{name} has no value, but here {token:?}"),
            Self::Malformed(name, token) => write!(f, "bad {name}: {token:?}"),
            Self::TooMany(name) => write!(f, "too many {name}"),
            Self::Credentials(error) => error.fmt(f),
            Self::Candidate(error) => error.fmt(f),
            Self::RemoteCandidates(error) => write!(f, "remote-candidates: {error}"),
        }
    }
}

impl core::error::Error for AttributeError {}

impl From<CredentialsError> for AttributeError {
    fn from(error: CredentialsError) -> Self {
        Self::Credentials(error)
    }
}

/// A description that cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct DescriptionError {
    /// The line that is at fault, from 1. That of the stream's `m=` where the stream as a whole is.
    pub line: usize,
    /// What is wrong there.
    pub problem: Problem,
}

/// What is wrong with a description.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Problem {
    /// A line breaks its grammar.
    Attribute(AttributeError),
    /// A line of a stream stands in front of the first `m=`, or one of the session behind it (RFC 8839 §5).
    Misplaced(AttributeName),
    /// A second line, in the same place, says otherwise than the first.
    Contradiction(AttributeName),
    /// This attribute is missing where the other half of the credentials is there (RFC 8839 §5.4).
    Incomplete(AttributeName),
    /// Streams of one username fragment have different passwords (RFC 8839 §5.4).
    PasswordsDiffer,
    /// A `mid` that is not a token of at most [`MAX_MID_LENGTH`](super::MAX_MID_LENGTH) bytes, or a second one in a stream.
    Mid(Token),
    /// Two streams have this `mid` (RFC 5888 §4).
    RepeatedMid(Token),
    /// More than [`MAX_LINES`](super::MAX_LINES).
    TooManyLines,
    /// More than [`MAX_STREAMS`](super::MAX_STREAMS).
    TooManyStreams,
    /// More than [`MAX_CANDIDATES`](super::MAX_CANDIDATES) in one stream.
    TooManyCandidates,
}

impl fmt::Display for DescriptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match self.problem {
            Problem::Attribute(error) => error.fmt(f),
            Problem::Misplaced(name) => write!(f, "{name} is at the wrong level (RFC 8839 section 5)"),
            Problem::Contradiction(name) => write!(f, "a second {name} says otherwise than the first"),
            Problem::Incomplete(name) => write!(f, "{name} is missing (RFC 8839 section 5.4)"),
            Problem::PasswordsDiffer => f.write_str("one ice-ufrag has two passwords (RFC 8839 section 5.4)"),
            Problem::Mid(token) => write!(f, "bad mid: {token:?}"),
            Problem::RepeatedMid(token) => write!(f, "a second stream with mid {token:?}"),
            Problem::TooManyLines => f.write_str("too many lines"),
            Problem::TooManyStreams => f.write_str("too many streams"),
            Problem::TooManyCandidates => f.write_str("too many candidates in one stream"),
        }
    }
}

impl core::error::Error for DescriptionError {}
