//! What comes through signalling, as text: whatever the bytes are, reading them does not panic; what is accepted is within its
//! bounds, and reads the same after it has been displayed.

use core::fmt::{Debug, Display};
use core::str::FromStr;

use floe_core::description::{
    CandidateInit, IceAttribute, MAX_CANDIDATES, MAX_COMPONENTS, MAX_OPTIONS, MAX_STREAMS,
    SessionDescription, StreamDescription, TrickleFragment,
};

/// A description, a fragment of one, or a line; and what a browser would say with the first line.
pub fn run(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    for line in text.lines() {
        reads_back::<IceAttribute>(line);
    }
    reads_back::<TrickleFragment>(text);
    let Some(session) = reads_back::<SessionDescription>(text) else { return };
    assert!((1..=MAX_STREAMS).contains(&session.streams.len()));
    session.streams.iter().for_each(within_bounds);

    let candidate = text.lines().next().unwrap_or_default().into();
    let init = CandidateInit { candidate, sdp_m_line_index: Some(0), ..CandidateInit::default() };
    let _ = init.parse();
    assert_eq!(init.stream_in(&session), Ok(Some(0)));
}

fn within_bounds(stream: &StreamDescription) {
    assert!(stream.candidates.len() <= MAX_CANDIDATES);
    assert!(stream.remote_candidates.len() <= MAX_COMPONENTS);
    assert!(stream.options.iter().count() <= MAX_OPTIONS);
}

/// What the text says, if it is accepted. Displayed, it says the same in the same words.
fn reads_back<T>(text: &str) -> Option<T>
where
    T: FromStr<Err: Display> + Display + PartialEq + Debug,
{
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            let again: T = shown.parse().unwrap_or_else(|error| panic!("{error}: {shown}"));
            assert_eq!(again, value, "{shown}");
            assert_eq!(again.to_string(), shown);
            Some(value)
        }
        Err(error) => {
            // An error is shown to people, in one line of a log.
            let error = error.to_string();
            assert!(error.len() < 1_000 && !error.contains(['\r', '\n']), "{error:?}");
            None
        }
    }
}
