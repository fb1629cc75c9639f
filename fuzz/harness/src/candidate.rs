//! Candidate lines: whatever the bytes are, reading them does not panic; what is accepted reads the same after it has been
//! displayed.

use floe_core::Candidate;
use floe_core::candidate::MAX_LINE;

/// One line, as it came from signalling.
pub fn run(data: &[u8]) {
    let Ok(line) = core::str::from_utf8(data) else { return };
    match line.parse::<Candidate>() {
        Ok(candidate) => accepted(&candidate),
        // An error is shown to people.
        Err(error) => assert!(error.to_string().len() < 1_000),
    }
}

fn accepted(candidate: &Candidate) {
    let shown = candidate.to_string();
    assert!(shown.len() <= MAX_LINE, "{} bytes: {shown}", shown.len());
    let again: Candidate = shown.parse().unwrap_or_else(|error| panic!("{error}: {shown}"));
    assert_eq!(&again, candidate, "{shown}");
    assert_eq!(again.to_string(), shown);
    // RFC 8839 §5.1: what is read is within the grammar, and what is displayed is one line.
    assert!((1..=256).contains(&candidate.component) && candidate.priority > 0);
    assert!(shown.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{shown:?}");
    let extensions = &candidate.extensions;
    let _ = (extensions.tcp_type(), extensions.ufrag(), extensions.generation());
    let _ = (extensions.network_id(), extensions.network_cost());
    let _ = (candidate.address.ip(), candidate.address.port(), candidate.address.socket_addr());
}
