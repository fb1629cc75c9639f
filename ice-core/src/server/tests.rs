//! Server URIs: what is read, what is written, and what the errors name.

use alloc::string::{String, ToString};
use alloc::{format, vec};

use super::*;
use crate::candidate::Transport;

fn read(text: &str) -> ServerUri {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// RFC 7064 Appendix A, RFC 7065 Appendix A, and addresses.
#[test]
fn uris_have_their_parts_and_come_back_as_they_were() {
    use ServerScheme::{Stun, Stuns, Turn, Turns};
    let [udp, tcp] = [Transport::Udp, Transport::Tcp];
    for (text, scheme, host, port, transport) in [
        ("stun:example.org", Stun, "example.org", 3478, udp),
        ("stuns:example.org", Stuns, "example.org", 5349, tcp),
        ("stun:example.org:8000", Stun, "example.org", 8000, udp),
        ("turn:example.org", Turn, "example.org", 3478, udp),
        ("turns:example.org", Turns, "example.org", 5349, tcp),
        ("turn:example.org:8000", Turn, "example.org", 8000, udp),
        ("turn:example.org?transport=udp", Turn, "example.org", 3478, udp),
        ("turn:example.org?transport=tcp", Turn, "example.org", 3478, tcp),
        ("turns:example.org?transport=tcp", Turns, "example.org", 5349, tcp),
        // RFC 7350: DTLS.
        ("turns:example.org:443?transport=udp", Turns, "example.org", 443, udp),
        ("stun:192.0.2.1", Stun, "192.0.2.1", 3478, udp),
        ("stun:192.0.2.1:1", Stun, "192.0.2.1", 1, udp),
        ("stun:[2001:db8::1]", Stun, "[2001:db8::1]", 3478, udp),
        ("turn:[2001:db8::1]:65535?transport=tcp", Turn, "[2001:db8::1]", 65535, tcp),
        ("stun:a_b.xn--bcher-kva.example.", Stun, "a_b.xn--bcher-kva.example.", 3478, udp),
        ("stun:localhost", Stun, "localhost", 3478, udp),
    ] {
        let uri = read(text);
        assert_eq!((uri.scheme(), uri.port(), uri.transport()), (scheme, port, transport), "{text}");
        assert_eq!(uri.host().to_string(), host, "{text}");
        assert_eq!(
            matches!(uri.host(), ServerHost::Name(_)),
            host.contains("example") || host == "localhost"
        );
        assert_eq!(uri.to_string(), text);
    }
}

#[test]
fn case_and_an_empty_port_do_not_count() {
    assert_eq!(read("TURN:Example.ORG:?Transport=TCP").to_string(), "turn:Example.ORG?transport=tcp");
    assert_eq!(read("stun:[2001:DB8:0::1]:").to_string(), "stun:[2001:db8::1]");
}

#[test]
fn what_was_not_told_is_told_apart_from_a_default() {
    let (bare, told) = (read("turn:a.example"), read("turn:a.example:3478?transport=udp"));
    assert_eq!((bare.port(), bare.transport()), (told.port(), told.transport()));
    assert_eq!((bare.explicit_port(), bare.explicit_transport()), (None, None));
    assert_eq!((told.explicit_port(), told.explicit_transport()), (Some(3478), Some(Transport::Udp)));
}

#[test]
fn an_error_names_the_part_and_shows_what_stood_there() {
    let long = |count: usize| "a".repeat(count);
    let cases: &[(String, &str)] = &[
        ("".into(), r#"not the URI of a STUN or TURN server: """#),
        ("example.org".into(), r#"not the URI of a STUN or TURN server: "example.org""#),
        ("http://example.org".into(), r#"not the URI of a STUN or TURN server: "http""#),
        (" stun:example.org".into(), r#"not the URI of a STUN or TURN server: " stun""#),
        ("stun:".into(), "the URI has no host"),
        ("turn::3478".into(), "the URI has no host"),
        ("turn:?transport=udp".into(), "the URI has no host"),
        ("stun://example.org".into(), r#"bad host in the URI: "//example.org""#),
        ("turn:user@example.org".into(), r#"bad host in the URI: "user@example.org""#),
        ("stun:example.org/path".into(), r#"bad host in the URI: "example.org/path""#),
        ("stun:exa mple.org".into(), r#"bad host in the URI: "exa mple.org""#),
        ("stun:bücher.example".into(), r#"bad host in the URI: "bücher.example""#),
        ("stun:a..b".into(), r#"bad host in the URI: "a..b""#),
        ("stun:.".into(), r#"bad host in the URI: ".""#),
        ("stun:192.0.2.256".into(), r#"bad host in the URI: "192.0.2.256""#),
        ("stun:192.0.2".into(), r#"bad host in the URI: "192.0.2""#),
        ("stun:2001:db8::1".into(), r#"bad host in the URI: "2001:db8::1""#),
        ("stun:[2001:db8::1".into(), r#"bad host in the URI: "[2001:db8::1""#),
        ("stun:[fe80::1%25eth0]".into(), r#"bad host in the URI: "fe80::1%25eth0""#),
        ("stun:[192.0.2.1]".into(), r#"bad host in the URI: "192.0.2.1""#),
        ("stun:[::1]3478".into(), r#"bad host in the URI: "[::1]3478""#),
        (format!("stun:{}.example", long(64)), "bad host in the URI: \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\""),
        (format!("stun:{}", "ab.".repeat(85)), "bad host in the URI: \"ab.ab.ab.ab.ab.ab.ab.ab.ab.ab.ab\""),
        ("stun:example.org:0".into(), r#"bad port in the URI: "0""#),
        ("stun:example.org:65536".into(), r#"bad port in the URI: "65536""#),
        ("stun:example.org:+80".into(), r#"bad port in the URI: "+80""#),
        ("stun:[::1]:x".into(), r#"bad port in the URI: "x""#),
        ("turn:example.org:3478/?transport=udp".into(), r#"bad port in the URI: "3478/""#),
        ("stun:example.org?transport=udp".into(), r#"the URI cannot have the query "transport=udp""#),
        ("turn:example.org?".into(), r#"the URI cannot have the query """#),
        ("turn:example.org?ttl=5".into(), r#"the URI cannot have the query "ttl=5""#),
        ("turn:example.org?transport=".into(), "the URI has no transport"),
        ("turn:example.org?transport=sctp".into(), r#"unknown transport in the URI: "sctp""#),
        ("turn:example.org?transport=udp&x=1".into(), r#"bad transport in the URI: "udp&x=1""#),
        ("turn:example.org?transpört=udp".into(), r#"the URI cannot have the query "transpört=udp""#),
    ];
    for (text, expected) in cases {
        let error = text.parse::<ServerUri>().err().map(|error| error.to_string());
        assert_eq!(error.as_deref(), Some(*expected), "{text}");
    }
    let longest = format!("stun:{0}.{0}.{0}.{1}", long(63), long(61));
    assert_eq!(read(&longest).to_string(), longest);
}

#[test]
fn turn_wants_credentials_and_stun_does_not() {
    let (stun, turn) = (read("stun:a.example"), read("turn:a.example"));
    assert_eq!(IceServer::new(vec![stun.clone()]).unwrap().credentials(), None);
    let error = IceServer::new(vec![stun.clone(), turn.clone()]).unwrap_err();
    assert_eq!(error.to_string(), r#""turn:a.example" needs a username and a credential"#);
    assert_eq!(IceServer::new(vec![]), Err(IceServerError::NoUrls));
    let with = |name: &str| IceServer::with_credentials(vec![stun.clone(), turn.clone()], name, "");
    assert_eq!(with("").unwrap_err(), IceServerError::UsernameLength(0));
    assert_eq!(with(&"n".repeat(509)).unwrap_err(), IceServerError::UsernameLength(509));
    assert_eq!(with(&"n".repeat(508)).unwrap().urls(), [stun.clone(), turn.clone()]);
}

#[test]
fn the_credential_is_not_shown_by_accident() {
    let server = IceServer::with_credentials(vec![read("turn:a.example")], "user", "sesame").unwrap();
    let shown = format!("{server:?}");
    assert!(shown.contains("user") && !shown.contains("sesame"), "{shown}");
}
