//! From text to a [`SessionDescription`]: which line belongs to whom, and what the lines mean together.

use alloc::vec;
use alloc::vec::Vec;
use core::str::FromStr;

use crate::candidate::Token;

use super::{AttributeError, MidError};
use super::{
    AttributeName, Credentials, DescriptionError, IceAttribute, IceOptions, MAX_CANDIDATES, MAX_COMPONENTS,
    MAX_LINES, MAX_STREAMS, Mid, Password, Problem, SessionDescription, StreamDescription, Ufrag,
};

impl FromStr for SessionDescription {
    type Err = DescriptionError;

    /// Reads ICE's lines, `m=` and `a=mid`, and leaves all others alone.
    fn from_str(text: &str) -> Result<Self, DescriptionError> {
        let mut reader = Reader::default();
        for (number, line) in (1..).zip(text.lines()) {
            reader.line(number, line).map_err(|problem| DescriptionError { line: number, problem })?;
        }
        reader.finish()
    }
}

/// What has been read so far.
#[derive(Default)]
struct Reader {
    lite: bool,
    pacing: Option<u32>,
    /// In front of the first `m=`.
    session: Section,
    streams: Vec<Section>,
    /// The first line in front of any `m=` that can only be a stream's.
    early: Option<(usize, AttributeName)>,
}

/// The lines of the session, or of one stream. The stream's own credentials are found at the end.
#[derive(Default)]
struct Section {
    /// Where it begins.
    line: usize,
    ufrag: Option<Ufrag>,
    password: Option<Password>,
    stream: StreamDescription,
}

impl Reader {
    fn line(&mut self, number: usize, line: &str) -> Result<(), Problem> {
        if number > MAX_LINES {
            return Err(Problem::TooManyLines);
        }
        if line.starts_with("m=") {
            if self.streams.len() == MAX_STREAMS {
                return Err(Problem::TooManyStreams);
            }
            self.streams.push(Section { line: number, ..Section::default() });
        } else if let Some(mid) = value_of_mid(line) {
            self.mid(mid.trim_end())?;
        } else if let Some(attribute) = IceAttribute::read(line).map_err(Problem::Attribute)? {
            self.attribute(number, attribute)?;
        }
        Ok(())
    }

    /// A `mid` names a stream; in front of the first `m=` it means nothing.
    fn mid(&mut self, text: &str) -> Result<(), Problem> {
        let Some((last, others)) = self.streams.split_last_mut() else { return Ok(()) };
        let mid: Mid = text.parse().map_err(|MidError(token)| Problem::Mid(token))?;
        if others.iter().any(|other| other.stream.mid.as_ref() == Some(&mid)) {
            return Err(Problem::RepeatedMid(Token::new(text)));
        }
        match &last.stream.mid {
            Some(known) if *known != mid => Err(Problem::Mid(Token::new(text))),
            _ => {
                last.stream.mid = Some(mid);
                Ok(())
            }
        }
    }

    fn attribute(&mut self, number: usize, attribute: IceAttribute) -> Result<(), Problem> {
        let name = attribute.name();
        let is_stream_only = matches!(
            attribute,
            IceAttribute::Mismatch | IceAttribute::Candidate(_) | IceAttribute::RemoteCandidates(_)
        );
        let is_session_only = matches!(attribute, IceAttribute::Lite | IceAttribute::Pacing(_));
        let section = match self.streams.last_mut() {
            // A lite agent that we take for a full one, or the other way round, would never connect.
            Some(_) if is_session_only => return Err(Problem::Misplaced(name)),
            Some(last) => last,
            None => {
                if is_stream_only {
                    self.early.get_or_insert((number, name));
                }
                &mut self.session
            }
        };
        match attribute {
            IceAttribute::Lite => self.lite = true,
            IceAttribute::Pacing(millis) => set(&mut self.pacing, millis, name)?,
            other => section.attribute(other)?,
        }
        Ok(())
    }

    fn finish(mut self) -> Result<SessionDescription, DescriptionError> {
        if self.streams.is_empty() {
            // Without an `m=`, what is a stream's is the only stream's.
            let stream = core::mem::take(&mut self.session.stream);
            self.session.stream.options = stream.options.clone();
            self.session.stream.end_of_candidates = stream.end_of_candidates;
            let stream = StreamDescription { options: IceOptions::new(), end_of_candidates: false, ..stream };
            self.streams = vec![Section { line: 1, stream, ..Section::default() }];
        } else if let Some((line, name)) = self.early {
            return Err(DescriptionError { line, problem: Problem::Misplaced(name) });
        }
        let Self { lite, pacing, session, streams, .. } = self;
        let halves = session.ufrag.clone().zip(session.password.clone());
        let credentials = halves.map(|(ufrag, password)| Credentials::from_parts(ufrag, password));
        let mut known = Vec::new();
        let mut described = Vec::new();
        for section in streams {
            let at = |problem| DescriptionError { line: section.line, problem };
            let own = section.credentials(&session).map_err(at)?;
            if let Some(effective) = own.as_ref().or(credentials.as_ref()) {
                agree(&mut known, effective).map_err(at)?;
            }
            described.push(StreamDescription { credentials: own, ..section.stream });
        }
        Ok(SessionDescription {
            credentials,
            options: session.stream.options,
            lite,
            pacing,
            end_of_candidates: session.stream.end_of_candidates,
            streams: described,
        })
    }
}

impl Section {
    fn attribute(&mut self, attribute: IceAttribute) -> Result<(), Problem> {
        let name = attribute.name();
        let stream = &mut self.stream;
        match attribute {
            IceAttribute::Ufrag(ufrag) => set(&mut self.ufrag, ufrag, name)?,
            IceAttribute::Password(password) => set(&mut self.password, password, name)?,
            IceAttribute::Options(more) => {
                more.iter().try_for_each(|tag| stream.options.add(tag)).map_err(Problem::Attribute)?;
            }
            IceAttribute::Mismatch => stream.mismatch = true,
            IceAttribute::EndOfCandidates => stream.end_of_candidates = true,
            IceAttribute::RemoteCandidates(more) => {
                if stream.remote_candidates.len() + more.len() > MAX_COMPONENTS {
                    return Err(Problem::Attribute(AttributeError::TooMany(name)));
                }
                stream.remote_candidates.extend(more);
            }
            IceAttribute::Candidate(candidate) => {
                if stream.candidates.len() == MAX_CANDIDATES {
                    return Err(Problem::TooManyCandidates);
                }
                stream.candidates.push(candidate);
            }
            // The session's only, and kept by the reader.
            IceAttribute::Lite | IceAttribute::Pacing(_) => {}
        }
        Ok(())
    }

    /// The credentials that differ from the session's; either half may be the session's (RFC 8839 §5.4).
    fn credentials(&self, session: &Self) -> Result<Option<Credentials>, Problem> {
        let ufrag = self.ufrag.as_ref().or(session.ufrag.as_ref());
        let password = self.password.as_ref().or(session.password.as_ref());
        let has_own = self.ufrag.is_some() || self.password.is_some();
        match (ufrag, password) {
            (Some(ufrag), Some(password)) => {
                Ok(has_own.then(|| Credentials::from_parts(ufrag.clone(), password.clone())))
            }
            (None, None) => Ok(None),
            (Some(_), None) => Err(Problem::Incomplete(AttributeName::Password)),
            (None, Some(_)) => Err(Problem::Incomplete(AttributeName::Ufrag)),
        }
    }
}

/// Takes a value, unless another one is there already.
fn set<T: PartialEq>(slot: &mut Option<T>, value: T, name: AttributeName) -> Result<(), Problem> {
    if slot.as_ref().is_some_and(|known| *known != value) {
        return Err(Problem::Contradiction(name));
    }
    *slot = Some(value);
    Ok(())
}

/// RFC 8840 §9.2: in whatever case.
fn value_of_mid(line: &str) -> Option<&str> {
    let (name, value) = line.split_at_checked("a=mid:".len())?;
    name.eq_ignore_ascii_case("a=mid:").then_some(value)
}

/// RFC 8839 §5.4: streams of one username fragment have one password.
fn agree(known: &mut Vec<Credentials>, new: &Credentials) -> Result<(), Problem> {
    match known.iter().find(|other| other.ufrag() == new.ufrag()) {
        Some(other) if other != new => Err(Problem::PasswordsDiffer),
        Some(_) => Ok(()),
        None => {
            known.push(new.clone());
            Ok(())
        }
    }
}
