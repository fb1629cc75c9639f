//! Descriptions, fragments and single lines: what is written is read, and hostile text is only refused.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end with a panic")]

use core::net::{IpAddr, SocketAddr};

use floe_core::candidate::{Address, Extensions, Transport};
use floe_core::description::{
    IceAttribute, IceOptions, MAX_CANDIDATES, MAX_COMPONENTS, MAX_OPTIONS, MAX_STREAMS, Mid, RemoteCandidate,
    SessionDescription, StreamDescription, TrickleFragment,
};
use floe_core::{Candidate, CandidateType, Credentials};
use floe_proptests::{cases, thousand};
use proptest::prelude::*;
use proptest::sample::select;

proptest! {
    #![proptest_config(thousand())]

    /// Two sides that signal with this crate must understand each other whole: nothing may get lost between them.
    #[test]
    fn a_description_comes_back_as_it_was_written(session in sessions()) {
        prop_assert_eq!(session.to_string().parse(), Ok(session));
    }

    /// Applications put the lines into descriptions of their own, among lines that are none of ICE's affair.
    #[test]
    fn its_lines_are_found_again_in_a_strangers_sdp(session in sessions(), noise in noise(), unix: bool) {
        let mut sdp = format!("v=0\r\ns=-\r\n{noise}{}{noise}", session.session_lines());
        for stream in &session.streams {
            sdp += "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8\r\n";
            sdp += &noise;
            if let Some(mid) = &stream.mid {
                sdp += &format!("a=mid:{mid}\r\n");
            }
            sdp += &format!("{}{noise}", stream.ice_lines());
        }
        if unix {
            sdp = sdp.replace("\r\n", "\n");
        }
        prop_assert_eq!(sdp.parse(), Ok(session));
    }

    /// What is trickled must reach its stream and its generation, or it is refused where it is made.
    #[test]
    fn a_fragment_comes_back_or_cannot_be_made(session in sessions()) {
        let has_generations = session.streams.iter().all(|stream| session.credentials_of(stream).is_some());
        let has_names = session.streams.iter().all(|stream| stream.mid.is_some());
        // Without any stream it tells of the end of all.
        let is_fragment = has_generations && (has_names || session.streams == [StreamDescription::default()]);
        let fragment = TrickleFragment::new(session);
        prop_assert_eq!(fragment.is_ok(), is_fragment);
        if let Ok(fragment) = fragment {
            prop_assert_eq!(fragment.to_string().parse(), Ok(fragment));
        }
    }
}

proptest! {
    #![proptest_config(cases(5_000))]

    /// Signalling carries what the peer likes: a text of any kind must not bring an application down.
    #[test]
    fn arbitrary_text_does_no_harm(text in "(?s).{0,200}", lines in prop::collection::vec(near_line(), 0..20)) {
        check(&text)?;
        check(&lines.join("\n"))?;
    }

    /// The same of a text that is almost right, which comes further.
    #[test]
    fn damaged_descriptions_do_no_harm(
        session in sessions(),
        all in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, near_line()), 1..5),
    ) {
        let mut text = session.to_string();
        for (place, length, word) in &all {
            let at = |mut at: usize| {
                while !text.is_char_boundary(at) {
                    at -= 1;
                }
                at
            };
            let start = at(place.index(text.len() + 1));
            let end = at((start + length).min(text.len()));
            text.replace_range(start..end, word);
        }
        check(&text)?;
    }
}

/// What is read stays within its bounds and is written in a form that is read the same; what is refused is told by its line.
fn check(text: &str) -> Result<(), TestCaseError> {
    for line in text.lines() {
        if let Ok(attribute) = line.parse::<IceAttribute>() {
            let written = attribute.to_string();
            prop_assert_eq!(written.parse(), Ok(attribute), "{}", written);
        }
    }
    match text.parse::<SessionDescription>() {
        Ok(session) => {
            prop_assert!((1..=MAX_STREAMS).contains(&session.streams.len()));
            for stream in &session.streams {
                prop_assert!(stream.candidates.len() <= MAX_CANDIDATES);
                prop_assert!(stream.remote_candidates.len() <= MAX_COMPONENTS);
                prop_assert!(stream.options.iter().count() <= MAX_OPTIONS);
            }
            let written = session.to_string();
            prop_assert_eq!(written.parse(), Ok(session), "{}", written);
        }
        Err(error) => {
            prop_assert!((1..=text.lines().count().max(1)).contains(&error.line), "{}", error);
            prop_assert!(
                !error.to_string().contains(['\r', '\n']),
                "an error is one line of a log: {}",
                error
            );
        }
    }
    if let Ok(fragment) = text.parse::<TrickleFragment>() {
        prop_assert_eq!(fragment.to_string().parse(), Ok(fragment));
    }
    Ok(())
}

fn sessions() -> impl Strategy<Value = SessionDescription> {
    let session = (
        prop::option::of(credentials()),
        options(),
        any::<bool>(),
        prop::option::of(any::<u32>()),
        any::<bool>(),
    );
    (session, prop::collection::vec(stream(), 1..4)).prop_map(
        |((credentials, options, lite, pacing, end_of_candidates), mut streams)| {
            // No two streams have one name, and none that is of no stream.
            for number in 1..streams.len() {
                let (before, rest) = streams.split_at_mut(number);
                if before.iter().any(|other| other.mid == rest[0].mid) {
                    rest[0].mid = None;
                }
            }
            SessionDescription { credentials, options, lite, pacing, end_of_candidates, streams }
        },
    )
}

fn stream() -> impl Strategy<Value = StreamDescription> {
    let remote =
        (1_u16..=256, address()).prop_map(|(component, address)| RemoteCandidate { component, address });
    let mid = prop_oneof!["[!#-'*+.^-~0-9A-Z-]{1,12}", select(vec!["0", "audio"]).prop_map(String::from)];
    (
        prop::option::of(mid),
        prop::option::of(credentials()),
        options(),
        any::<bool>(),
        prop::collection::vec(remote, 0..3),
        prop::collection::vec(candidate(), 0..5),
        any::<bool>(),
    )
        .prop_map(
            |(mid, credentials, options, mismatch, remote_candidates, candidates, end_of_candidates)| {
                StreamDescription {
                    mid: mid.map(|mid| mid.parse::<Mid>().unwrap()),
                    credentials,
                    options,
                    mismatch,
                    remote_candidates,
                    candidates,
                    end_of_candidates,
                }
            },
        )
}

/// The password follows from the fragment, since streams that share the one share the other (RFC 8839 §5.4).
fn credentials() -> impl Strategy<Value = Credentials> {
    prop_oneof!["[A-Za-z0-9+/]{4,40}", Just("8hhY".into())]
        .prop_map(|ufrag: String| Credentials::new(ufrag.clone(), ufrag.repeat(6)).unwrap())
}

fn options() -> impl Strategy<Value = IceOptions> {
    let known = select(vec!["ice2", "trickle", "renomination"]).prop_map(String::from);
    prop::collection::vec(prop_oneof![known, "[A-Za-z0-9+/]{1,20}"], 0..4)
        .prop_map(|tags| tags.iter().fold(IceOptions::new(), |options, tag| options.with(tag).unwrap()))
}

fn candidate() -> impl Strategy<Value = Candidate> {
    let kinds = vec![CandidateType::Host, CandidateType::ServerReflexive, CandidateType::Relayed];
    let extension = ("[a-z-]{1,8}", "[!-~]{0,8}");
    (1_u16..=256, 1..=u32::MAX, address(), select(kinds), prop::option::of(address()), extension).prop_map(
        |(component, priority, address, kind, related, (name, value))| Candidate {
            foundation: "1".parse().unwrap(),
            component,
            transport: Transport::Udp,
            priority,
            address,
            kind,
            related,
            extensions: Extensions::new().with(&name, &value).unwrap_or_default(),
        },
    )
}

fn address() -> impl Strategy<Value = Address> {
    let ip = prop_oneof![any::<[u8; 4]>().prop_map(IpAddr::from), any::<[u16; 8]>().prop_map(IpAddr::from),];
    prop_oneof![
        3 => (ip, any::<u16>()).prop_map(|(ip, port)| Address::Ip(SocketAddr::new(ip, port))),
        1 => ("[a-z0-9-]{1,12}\\.local", any::<u16>()).prop_map(|(name, port)| Address::Name { name, port }),
    ]
}

/// Lines that stand in a session description and are not ICE's.
fn noise() -> impl Strategy<Value = String> {
    let lines = vec![
        "c=IN IP4 0.0.0.0",
        "a=rtcp-mux",
        "a=ice",
        "a=group:BUNDLE 0 1",
        "a=candidates:none",
        "a=setup:actpass",
        "i=ice-lite",
        "a=candidate:1 1 QUIC 1 10.0.0.1 1 typ host",
    ];
    prop::collection::vec(select(lines), 0..4)
        .prop_map(|lines| lines.iter().map(|line| format!("{line}\r\n")).collect())
}

/// Lines, and pieces of lines, that are ICE's or almost.
fn near_line() -> impl Strategy<Value = String> {
    let pieces = vec![
        "m=audio 9 RTP/AVP 0",
        "a=mid:0",
        "a=mid:",
        "a=ice-ufrag:8hhY",
        "a=ice-pwd:asd88fgpdd777uzjYhagZg",
        "ice-lite",
        "a=ice-pacing:9999999999",
        "a=ice-pacing:99999999999",
        "a=ice-options:ice2  x",
        "a=remote-candidates:1 10.0.0.1 1 2",
        "a=candidate:1 1 UDP 1 10.0.0.1 1 typ host",
        "a=end-of-candidates ",
        "\r\n",
        "a=",
        ":",
        " ",
    ];
    prop_oneof![3 => select(pieces).prop_map(String::from), 1 => "\\PC{0,10}"]
}
