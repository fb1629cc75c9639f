//! Whole descriptions, fragments and browsers' candidates: what they are read as, and their limits.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write as _;

use super::*;
use crate::candidate::Token;

const PASSWORD: &str = "asd88fgpdd777uzjYhagZg";
const OTHER_PASSWORD: &str = "777uzjYhagZgasd88fgpdd";
const HOST: &str = "candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host";

/// Two streams, as a browser and a gateway would mix them.
const SDP: &str = "v=0\r
o=- 1 1 IN IP4 127.0.0.1\r
s=ice-ufrag:none\r
t=0 0\r
a=group:BUNDLE 0 data\r
a=ice-options:ice2 trickle\r
a=ICE-Pacing:20\r
a=ice-ufrag:8hhY\r
a=ice-pwd:asd88fgpdd777uzjYhagZg\r
m=audio 9 UDP/TLS/RTP/SAVPF 111\r
c=IN IP4 0.0.0.0\r
a=ice-ufrag:Yhh8\r
a=ice-pwd:777uzjYhagZgasd88fgpdd\r
a=ice-options:renomination\r
a=mid:0\r
a=rtpmap:111 opus/48000/2\r
a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host\r
a=candidate:1 1 QUIC 2130706431 203.0.113.141 8998 typ host\r
a=end-of-candidates\r
m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r
a=mid:data\r
a=sctp-port:5000\r
a=ice-mismatch\r
a=remote-candidates:1 192.0.2.3 45664\r
a=remote-candidates:2 192.0.2.3 45665\r
";

fn parse(text: &str) -> SessionDescription {
    text.parse().unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn refuse(text: &str) -> (usize, Problem) {
    let error = text.parse::<SessionDescription>().unwrap_err();
    (error.line, error.problem)
}

fn credentials() -> Credentials {
    Credentials::new("8hhY", PASSWORD).unwrap()
}

#[test]
fn a_whole_sdp_gives_up_its_ice_and_nothing_else() {
    let session = parse(SDP);
    assert_eq!(session.credentials, Some(credentials()));
    assert_eq!((session.lite, session.wished_pacing(), session.end_of_candidates), (false, 20, false));
    let [audio, data] = session.streams.as_slice() else { panic!("{session:?}") };

    assert_eq!(session.credentials_of(audio).unwrap().ufrag(), "Yhh8");
    assert_eq!(session.options_of(audio).to_string(), "renomination");
    assert_eq!(audio.candidates, [HOST.parse().unwrap()], "one of an unknown transport is skipped");
    assert!(session.has_ended(audio) && session.uses_ice(audio));

    assert_eq!(session.stream("data"), Some(data));
    assert_eq!(session.credentials_of(data), Some(&credentials()));
    assert_eq!(session.options_of(data).to_string(), "ice2 trickle");
    assert_eq!(data.remote_candidates.len(), 2);
    assert!(!session.has_ended(data) && !session.uses_ice(data) && data.mismatch);
    assert_eq!(session.stream("1"), None);
}

#[test]
fn line_ends_do_not_matter_and_what_is_written_is_read() {
    let session = parse(SDP);
    assert_eq!(parse(&SDP.replace("\r\n", "\n")), session);
    assert_eq!(parse(SDP.trim_end()), session);
    assert_eq!(parse(&session.to_string()), session, "{session}");
    let stream = &session.streams[1];
    let lines = "a=ice-mismatch\r\na=remote-candidates:1 192.0.2.3 45664 2 192.0.2.3 45665\r\n";
    assert_eq!(stream.ice_lines().to_string(), lines);
}

#[test]
fn plain_lines_are_of_one_stream() {
    let text = format!("ice-lite\nice-ufrag:8hhY\nice-pwd:{PASSWORD}\n\n{HOST}\nend-of-candidates");
    let session = parse(&text);
    let only = StreamDescription { candidates: [HOST.parse().unwrap()].into(), ..Default::default() };
    let expected = SessionDescription {
        credentials: Some(credentials()),
        lite: true,
        end_of_candidates: true,
        streams: [only].into(),
        ..Default::default()
    };
    assert_eq!(session, expected);
    assert!(session.has_ended(&session.streams[0]), "what goes for the session goes for its stream");
    assert_eq!(parse(&session.to_string()), session);
    assert!(!session.to_string().contains("m="), "{session}");
    assert_eq!(parse(""), SessionDescription::default());
    assert_eq!(SessionDescription::default().wished_pacing(), 50);
}

#[test]
fn either_half_of_the_credentials_may_be_the_sessions() {
    let session = parse(&format!(
        "a=ice-pwd:{PASSWORD}\nm=a\na=ice-ufrag:8hhY\nm=b\na=ice-ufrag:9hhY\na=ice-pwd:{OTHER_PASSWORD}"
    ));
    let [first, second] = session.streams.as_slice() else { panic!("{session:?}") };
    assert_eq!(session.credentials_of(first), Some(&credentials()));
    assert_eq!(session.credentials_of(second).unwrap().password(), OTHER_PASSWORD);
    // A stream without ICE, in a session where others have it.
    let session = parse(&format!("m=a\na=ice-ufrag:8hhY\na=ice-pwd:{PASSWORD}\nm=b\n"));
    assert_eq!(session.credentials_of(&session.streams[1]), None);
    assert!(!session.uses_ice(&session.streams[1]));
}

#[test]
fn half_credentials_and_two_passwords_are_refused_by_the_stream() {
    let text = format!("v=0\nm=a\na=ice-ufrag:8hhY\na=ice-pwd:{PASSWORD}\nm=b\na=ice-ufrag:8hhY\n");
    assert_eq!(refuse(&text), (5, Problem::Incomplete(AttributeName::Password)));
    assert_eq!(refuse(&format!("{text}a=ice-pwd:{OTHER_PASSWORD}")), (5, Problem::PasswordsDiffer));
    assert_eq!(parse(&format!("{text}a=ice-pwd:{PASSWORD}")).streams.len(), 2);
    let text = format!("ice-pwd:{PASSWORD}");
    assert_eq!(refuse(&text), (1, Problem::Incomplete(AttributeName::Ufrag)));
}

#[test]
fn lines_at_the_wrong_level_are_named() {
    let misplaced = |text: &str, line, name| assert_eq!(refuse(text), (line, Problem::Misplaced(name)));
    misplaced("m=a\na=ice-lite\n", 2, AttributeName::Lite);
    misplaced("m=a\na=ice-pacing:50\n", 2, AttributeName::Pacing);
    misplaced(&format!("v=0\na={HOST}\na=ice-mismatch\nm=a\n"), 2, AttributeName::Candidate);
    misplaced("a=ice-mismatch\nm=a\n", 1, AttributeName::Mismatch);
    misplaced("a=remote-candidates:1 10.0.0.1 1\nm=a\n", 1, AttributeName::RemoteCandidates);
}

#[test]
fn a_second_line_may_repeat_but_not_contradict() {
    let twice = |line: &str, other: &str| format!("m=a\na=ice-pwd:{PASSWORD}\n{line}\n{other}\n");
    assert_eq!(parse(&twice("a=ice-ufrag:8hhY", "a=ice-ufrag:8hhY")).streams.len(), 1);
    let refused = refuse(&twice("a=ice-ufrag:8hhY", "a=ice-ufrag:9hhY"));
    assert_eq!(refused, (4, Problem::Contradiction(AttributeName::Ufrag)));
    assert_eq!(refuse("ice-pacing:1\nice-pacing:2"), (2, Problem::Contradiction(AttributeName::Pacing)));
    let options = parse("a=ice-options:ice2\na=ice-options:trickle ice2\n").options;
    assert_eq!(options.to_string(), "ice2 trickle");
}

#[test]
fn mids_name_one_stream_each() {
    assert_eq!(refuse("m=a\na=mid:0\nm=b\na=mid:0\n"), (4, Problem::RepeatedMid(Token::new("0"))));
    assert_eq!(refuse("m=a\na=mid:0\na=mid:1\n"), (3, Problem::Mid(Token::new("1"))));
    assert_eq!(refuse("m=a\na=mid:a b\n"), (2, Problem::Mid(Token::new("a b"))));
    assert!("0\r\na=ice-lite".parse::<Mid>().is_err(), "no line can be smuggled in");
    let long = "x".repeat(MAX_MID_LENGTH + 1);
    assert!(long.parse::<Mid>().is_err());
    assert!(long[1..].parse::<Mid>().is_ok());
}

#[test]
fn a_broken_line_is_told_with_its_number() {
    let error = format!("v=0\r\n\r\na=ice-ufrag:8hhY\r\na=ice-pwd:{PASSWORD}\r\na=candidate:1 1 UDP x\r\n")
        .parse::<SessionDescription>()
        .unwrap_err();
    assert_eq!(error.to_string(), "line 5: candidate has a bad priority: \"x\"");
}

#[test]
fn one_of_each_thing_too_many_is_refused() {
    let lines = |count| "\n".repeat(count);
    parse(&lines(MAX_LINES));
    assert_eq!(refuse(&lines(MAX_LINES + 1)), (MAX_LINES + 1, Problem::TooManyLines));

    let streams = |count| "m=a\n".repeat(count);
    assert_eq!(parse(&streams(MAX_STREAMS)).streams.len(), MAX_STREAMS);
    assert_eq!(refuse(&streams(MAX_STREAMS + 1)), (MAX_STREAMS + 1, Problem::TooManyStreams));

    let candidates = |count| format!("{HOST}\n").repeat(count);
    let full = candidates(MAX_CANDIDATES);
    assert_eq!(parse(&full).streams[0].candidates.len(), MAX_CANDIDATES);
    assert_eq!(refuse(&candidates(MAX_CANDIDATES + 1)), (MAX_CANDIDATES + 1, Problem::TooManyCandidates));
    // They count for each stream.
    let of_each = |text: &str| format!("m=a\n{0}m=b\n{0}", text.replace("candidate:", "a=candidate:"));
    assert_eq!(parse(&of_each(&full)).streams[1].candidates.len(), MAX_CANDIDATES);

    let mut options = String::new();
    for number in 0..MAX_OPTIONS {
        writeln!(options, "ice-options:x{number}").unwrap();
    }
    parse(&options);
    let refused = Problem::Attribute(AttributeError::TooMany(AttributeName::Options));
    assert_eq!(refuse(&format!("{options}ice-options:more")), (MAX_OPTIONS + 1, refused));

    let remote = "remote-candidates:1 10.0.0.1 1\n";
    parse(&remote.repeat(MAX_COMPONENTS));
    let refused = Problem::Attribute(AttributeError::TooMany(AttributeName::RemoteCandidates));
    assert_eq!(refuse(&remote.repeat(MAX_COMPONENTS + 1)), (MAX_COMPONENTS + 1, refused));
}

/// RFC 8840 §4.4, Figure 7, shortened; credentials as in §7's, for the session.
const FRAGMENT: &str = "a=ice-ufrag:8hhY\r
a=ice-pwd:asd88fgpdd777uzjYhagZg\r
m=audio 9 RTP/AVP 0\r
a=mid:1\r
a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r
a=candidate:2 2 UDP 1694498815 192.0.2.3 5011 typ srflx raddr 192.0.2.1 rport 8998\r
a=end-of-candidates\r
m=audio 9 RTP/AVP 0\r
a=mid:2\r
a=candidate:1 1 UDP 2130706431 192.0.2.1 6010 typ host\r
";

#[test]
fn a_fragment_comes_back_as_it_was() {
    let fragment: TrickleFragment = FRAGMENT.parse().unwrap();
    assert_eq!(fragment.to_string(), FRAGMENT);
    let session = fragment.description();
    let ended: Vec<_> = session.streams.iter().map(|stream| session.has_ended(stream)).collect();
    assert_eq!(ended, [true, false]);
    // What bundling adds (RFC 8840 §7), and pseudo `m=` lines with the description's content, change nothing.
    let dressed =
        format!("a=group:BUNDLE 1 2\r\n{}", FRAGMENT.replace("m=audio 9 RTP/AVP 0", "m=video 1 X 2"));
    assert_eq!(dressed.parse(), Ok(fragment));
}

#[test]
fn a_fragment_may_tell_no_more_than_the_end() {
    let text = format!("a=ice-ufrag:8hhY\r\na=ice-pwd:{PASSWORD}\r\na=end-of-candidates\r\n");
    let fragment: TrickleFragment = text.parse().unwrap();
    assert!(fragment.description().end_of_candidates);
    assert_eq!(fragment.to_string(), text);
}

#[test]
fn a_fragment_without_generation_or_stream_is_refused() {
    let refuse = |text: &str| text.parse::<TrickleFragment>().unwrap_err();
    let unnamed = FRAGMENT.replace("a=mid:2\r\n", "");
    assert_eq!(refuse(&unnamed), FragmentError::MidMissing { stream: 1 });
    let plain = format!("a=ice-ufrag:8hhY\r\na=ice-pwd:{PASSWORD}\r\na={HOST}\r\n");
    assert_eq!(refuse(&plain), FragmentError::MidMissing { stream: 0 });
    let anonymous = format!("m=audio 9 RTP/AVP 0\r\na=mid:0\r\na={HOST}\r\n");
    assert_eq!(refuse(&anonymous), FragmentError::CredentialsMissing { stream: 0 });
    assert_eq!(refuse(""), FragmentError::CredentialsMissing { stream: 0 });
    let error = DescriptionError { line: 1, problem: Problem::Misplaced(AttributeName::Candidate) };
    assert_eq!(refuse(&format!("a={HOST}\nm=x\n")), FragmentError::Description(error));
}

#[test]
fn a_browsers_candidate_finds_its_stream() {
    let session = parse(SDP);
    let init = |mid: Option<&str>, index, ufrag: Option<&str>| CandidateInit {
        candidate: HOST.into(),
        sdp_mid: mid.map(Into::into),
        sdp_m_line_index: index,
        username_fragment: ufrag.map(Into::into),
    };
    let cases = [
        (init(Some("data"), None, None), Ok(Some(1))),
        // The `mid` goes first.
        (init(Some("data"), Some(0), Some("8hhY")), Ok(Some(1))),
        (init(None, Some(0), Some("Yhh8")), Ok(Some(0))),
        (init(None, Some(0), Some("8hhY")), Err(StreamError::OtherGeneration)),
        (init(None, Some(2), None), Err(StreamError::UnknownIndex)),
        (init(Some("1"), Some(0), None), Err(StreamError::UnknownMid)),
        (init(None, None, None), Err(StreamError::Unnamed)),
        (CandidateInit::default(), Ok(None)),
        (CandidateInit { username_fragment: Some("Yhh8".into()), ..Default::default() }, Ok(None)),
        (
            CandidateInit { username_fragment: Some("none".into()), ..Default::default() },
            Err(StreamError::OtherGeneration),
        ),
    ];
    for (init, expected) in cases {
        assert_eq!(init.stream_in(&session), expected, "{init:?}");
    }
}

#[test]
fn a_candidate_becomes_a_browsers_and_comes_back() {
    let candidate: crate::candidate::Candidate = format!("{HOST} generation 0 ufrag 8hhY").parse().unwrap();
    let init = CandidateInit::from(&candidate);
    assert_eq!(init.username_fragment.as_deref(), Some("8hhY"));
    assert_eq!(init.parse(), Ok(Some(candidate)));
    assert_eq!(CandidateInit::default().parse(), Ok(None));
    let broken = CandidateInit { candidate: "candidate:".into(), ..Default::default() };
    assert!(broken.parse().is_err());
}

/// RFC 8840 §9.2.
#[test]
fn mid_is_read_in_whatever_case() {
    let session: SessionDescription = "m=a\na=MID:0\n".parse().unwrap();
    assert_eq!(session.streams[0].mid.as_ref().map(ToString::to_string), Some("0".into()));
}
