use super::*;
use crate::candidate::{Foundation, TcpType, priority};
use CandidateError::{
    Malformed, Missing, NotACandidate, TooLong, TooManyExtensions, UnknownTransport, UnknownType,
};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;
use proptest::prelude::*;

fn parse(line: &str) -> Candidate {
    line.parse().unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn refuse(line: &str) -> CandidateError {
    line.parse::<Candidate>().expect_err(line)
}

fn malformed(field: Field, text: &str) -> CandidateError {
    Malformed(field, Token::new(text))
}

/// Lines of the RFCs and of other implementations.
const LINES: [&str; 14] = [
    // RFC 8839 §4.2, §5.1, Appendix A.
    "candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host",
    "candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998",
    "candidate:1 1 UDP 2130706431 fe80::6676:baff:fe9c:ee4a 8998 typ host",
    "candidate:2 1 UDP 1694498815 2001:db8:8101:3a55:4858:a2a9:22ff:99b9 45664 typ srflx raddr fe80::6676:baff:fe9c:ee4a rport 8998",
    "candidate:3 1 UDP 16777215 192.0.2.9 50000 typ relay raddr 0.0.0.0 rport 9",
    // RFC 6544 Appendix C.
    "candidate:1 1 TCP 2128609279 10.0.1.1 9 typ host tcptype active",
    "candidate:6 1 TCP 1692401663 192.0.2.3 45687 typ srflx raddr 10.0.1.1 rport 8999 tcptype so",
    // Chrome.
    "candidate:842163049 1 udp 1677729535 203.0.113.7 46154 typ srflx raddr 10.0.0.5 rport 46154 generation 0 ufrag EEtu network-id 3 network-cost 10",
    "candidate:1 1 tcp 1518280447 192.168.1.2 9 typ host tcptype active generation 0",
    "candidate:2896278100 1 udp 2113937151 0f8a7d2c-1a2b-4c3d-8e9f-001122334455.local 57143 typ host generation 0 ufrag Gz+/ network-cost 999",
    // Firefox.
    "candidate:0 1 UDP 2122187007 5a3b6c7d-8e9f-4a1b-9c2d-3e4f5a6b7c8d.local 53535 typ host",
    "candidate:3 2 UDP 92217086 198.51.100.20 61000 typ relay raddr 198.51.100.20 rport 61000",
    // aioice.
    "candidate:6815297761 1 udp 659136 1.2.3.4 31102 typ host generation 0 ufrag b7l3",
    // An empty value, an unknown name, and half of a related address, all of which the grammar allows.
    "candidate:a+/Z 256 UDP 1 example.com 0 typ prflx raddr 10.0.0.1 x-empty  x!y z",
];

#[test]
fn canonical_lines_come_back_as_they_were() {
    for line in LINES {
        let canonical = line.replace(" udp ", " UDP ").replace(" tcp ", " TCP ");
        let candidate = parse(line);
        assert_eq!(candidate.to_string(), canonical);
        for decorated in [format!("a={line}"), format!("{line}\r\n"), format!("a={line}\n")] {
            assert_eq!(parse(&decorated), candidate);
        }
    }
}

#[test]
fn every_field_lands_in_its_place() {
    let chrome = parse(LINES[7]);
    assert_eq!(chrome.foundation.as_str(), "842163049");
    assert_eq!((chrome.component, chrome.transport), (1, Transport::Udp));
    assert_eq!((chrome.priority, chrome.kind), (1_677_729_535, CandidateType::ServerReflexive));
    assert_eq!(chrome.address, Address::Ip("203.0.113.7:46154".parse().unwrap()));
    assert_eq!(chrome.related, Some(Address::Ip("10.0.0.5:46154".parse().unwrap())));
    assert_eq!(chrome.extensions.generation(), Some(0));
    assert_eq!(chrome.extensions.ufrag(), Some("EEtu"));
    assert_eq!(chrome.extensions.network_id(), Some(3));
    assert_eq!(chrome.extensions.network_cost(), Some(10));
    assert_eq!(chrome.extensions.tcp_type(), None);

    let tcp = parse(LINES[8]);
    assert_eq!((tcp.transport, tcp.address.port()), (Transport::Tcp, 9));
    assert_eq!(tcp.extensions.tcp_type(), Some(TcpType::Active));

    let name = String::from("5a3b6c7d-8e9f-4a1b-9c2d-3e4f5a6b7c8d.local");
    let firefox = parse(LINES[10]);
    assert_eq!(firefox.address, Address::Name { name, port: 53535 });
    assert_eq!((firefox.address.ip(), firefox.related), (None, None));

    assert_eq!(parse(LINES[4]).kind, CandidateType::Relayed);
    let odd = parse(LINES[13]);
    assert_eq!((odd.kind, odd.related), (CandidateType::PeerReflexive, None));
    assert_eq!(odd.extensions.get("raddr"), Some("10.0.0.1"));
    assert_eq!(odd.extensions.get("x-empty"), Some(""));
}

#[test]
fn words_are_read_without_case_and_numbers_with_leading_zeros() {
    let line = "Candidate:1 001 uDp 0000000007 192.0.2.1 00080 TYP Host ";
    assert_eq!(parse(line).to_string(), "candidate:1 1 UDP 7 192.0.2.1 80 typ host");
    let line = "candidate:1 1 tcp 7 192.0.2.1 9 typ SRFLX RADDR 2001:DB8:0::1 RPORT 5 TCPTYPE Passive";
    let canonical = "candidate:1 1 TCP 7 192.0.2.1 9 typ srflx raddr 2001:db8::1 rport 5 TCPTYPE Passive";
    assert_eq!(parse(line).to_string(), canonical);
    assert_eq!(parse(line).extensions.tcp_type(), Some(TcpType::Passive));
}

#[test]
fn a_zone_is_dropped() {
    for zone in ["%eth0", "%25en1", "%3", ""] {
        let candidate = parse(&format!("candidate:1 1 UDP 7 fe80::1{zone} 5000 typ host"));
        assert_eq!(candidate.address, Address::Ip("[fe80::1]:5000".parse().unwrap()));
    }
    assert_eq!(refuse("candidate:1 1 UDP 7 fe80::1% 5 typ host"), malformed(Field::Address, "fe80::1%"));
    let scoped = SocketAddr::V6(core::net::SocketAddrV6::new("fe80::1".parse().unwrap(), 5, 0, 3));
    let candidate = Candidate { address: scoped.into(), ..parse(LINES[0]) };
    assert!(candidate.to_string().contains(" fe80::1 5 "), "{candidate}");
}

#[test]
fn each_missing_field_is_named() {
    let line = "candidate:1 1 UDP 7 192.0.2.1 80 typ srflx raddr 10.0.0.1 rport 5 x";
    let words: Vec<&str> = line.split(' ').collect();
    let table = [
        (0, NotACandidate),
        (1, Missing(Field::Component)),
        (2, Missing(Field::Transport)),
        (3, Missing(Field::Priority)),
        (4, Missing(Field::Address)),
        (5, Missing(Field::Port)),
        (6, Missing(Field::Type)),
        (7, Missing(Field::Type)),
        (11, Missing(Field::RelatedPort)),
        (13, Missing(Field::ExtensionValue)),
    ];
    for (kept, error) in table {
        assert_eq!(refuse(&words[..kept].join(" ")), error, "{kept} words");
    }
    assert_eq!(refuse("candidate:"), Missing(Field::Foundation));
    assert_eq!(refuse("candidate: 1 UDP"), Missing(Field::Foundation));
    assert_eq!(refuse("candidate:1  1 UDP"), Missing(Field::Component));
    assert_eq!(refuse("candidate:1 1 UDP 7 ::1 80 host"), Missing(Field::Type));
    assert_eq!(refuse("candidate:1 1 UDP 7 ::1 80 typ host raddr  rport 5"), Missing(Field::RelatedAddress));
    assert_eq!(refuse("candidate:1 1 UDP 7 ::1 80 typ host  x y"), Missing(Field::ExtensionName));
}

#[test]
fn each_malformed_field_is_named_with_what_stands_there() {
    let words = [
        "1",
        "1",
        "UDP",
        "7",
        "192.0.2.1",
        "80",
        "typ",
        "srflx",
        "raddr",
        "10.0.0.1",
        "rport",
        "5",
        "x",
        "y",
    ];
    let table: [(usize, Field, &[&str]); 10] = [
        (0, Field::Foundation, &["1-", "a=b", "é"]),
        (1, Field::Component, &["0", "257", "0001", "+1", "-1", "x"]),
        (2, Field::Transport, &["U/P", "é", "\t"]),
        (3, Field::Priority, &["0", "4294967296", "99999999999", "00000000001", "+7", "7.0"]),
        (4, Field::Address, &["300.1.1.1", "1.2.3", "10.0.0.1.", "1::2::3", "a/b", "[::1]", "...", "é.org"]),
        (5, Field::Port, &["65536", "000080", "+80", "-1", "http"]),
        (7, Field::Type, &["ho/st", "\u{0}"]),
        (9, Field::RelatedAddress, &["1.2.3.4.5", ":", "(hidden)"]),
        (11, Field::RelatedPort, &["65536", "none"]),
        (12, Field::ExtensionName, &["a:b", "a\u{7f}"]),
    ];
    for (place, field, bad) in table {
        for text in bad {
            let mut words = words;
            words[place] = text;
            assert_eq!(refuse(&format!("candidate:{}", words.join(" "))), malformed(field, text));
        }
    }
    let line = "candidate:1 1 UDP 7 192.0.2.1 80 typ host x \u{7f}";
    assert_eq!(refuse(line), malformed(Field::ExtensionValue, "\u{7f}"));
}

#[test]
fn unknown_is_told_from_malformed() {
    let transport = "candidate:1 1 SCTP 7 192.0.2.1 80 typ host";
    assert_eq!(refuse(transport), UnknownTransport(Token::new("SCTP")));
    let kind = "candidate:1 1 UDP 7 192.0.2.1 80 typ quantum x y";
    assert_eq!(refuse(kind), UnknownType(Token::new("quantum")));
    assert!(refuse(transport).is_unknown() && refuse(kind).is_unknown());
    // A mistake elsewhere counts for more.
    let both = refuse("candidate:1 1 SCTP 7 192.0.2.1 99999 typ quantum");
    assert_eq!(both, malformed(Field::Port, "99999"));
    assert!(!both.is_unknown());
    for line in ["", "a=", "1 1 UDP 7 192.0.2.1 80 typ host", "a=candidates:1", "candidate"] {
        assert_eq!(refuse(line), NotACandidate);
    }
}

#[test]
fn priorities_up_to_32_bits_are_read() {
    for priority in [1, 2_147_483_647, 2_147_483_648, u32::MAX] {
        let candidate = parse(&format!("candidate:1 1 UDP {priority} 192.0.2.1 80 typ host"));
        assert_eq!(candidate.priority, priority);
    }
}

#[test]
fn the_limits_hold() {
    let head = "candidate:1 1 UDP 7 192.0.2.1 80 typ host x ";
    let fits = format!("{head}{}", "y".repeat(MAX_LINE - head.len()));
    assert_eq!(parse(&format!("a={fits}\r\n")).to_string(), fits);
    assert_eq!(refuse(&format!("{fits}y")), TooLong);

    let pairs = " n v".repeat(crate::candidate::MAX_EXTENSIONS);
    let fits = format!("candidate:1 1 UDP 7 192.0.2.1 80 typ host{pairs}");
    assert_eq!(parse(&fits).to_string(), fits);
    assert_eq!(refuse(&format!("{fits} n v")), TooManyExtensions);

    assert_eq!(parse("candidate:1 1 UDP 7 a_b.example.com. 80 typ host").address.ip(), None);
    let name = "n".repeat(253);
    parse(&format!("candidate:1 1 UDP 7 {name} 80 typ host"));
    let long = format!("{name}n");
    assert_eq!(refuse(&format!("candidate:1 1 UDP 7 {long} 80 typ host")), malformed(Field::Address, &long));
}

#[test]
fn the_longest_candidate_that_can_be_built_fits() {
    let name = Address::Name { name: "n".repeat(253), port: 65535 };
    let candidate = Candidate {
        foundation: "f".repeat(32).parse().unwrap(),
        component: 256,
        transport: Transport::Udp,
        priority: u32::MAX,
        address: name.clone(),
        kind: CandidateType::ServerReflexive,
        related: Some(name),
        extensions: Extensions::new().with("x", &"y".repeat(418)).unwrap(),
    };
    assert_eq!(candidate.to_string().len(), MAX_LINE);
    assert_eq!(parse(&candidate.to_string()), candidate);
}

fn addresses() -> impl Strategy<Value = Address> {
    prop_oneof![
        any::<(Ipv4Addr, u16)>().prop_map(|it| Address::Ip(it.into())),
        any::<(Ipv6Addr, u16)>().prop_map(|it| Address::Ip(it.into())),
        ("[a-z0-9_-]{1,36}(\\.[a-z0-9-]{1,9}){0,2}\\.[a-z][a-z0-9]{1,5}", any::<u16>())
            .prop_map(|(name, port)| Address::Name { name, port }),
    ]
}

fn extension_lists() -> impl Strategy<Value = Extensions> {
    let pair = ("[a-zA-Z0-9.!%*_+`'~-]{1,8}", "[!-~]{0,8}");
    prop::collection::vec(pair, 0..8).prop_map(|pairs| {
        // A name that is refused is left out.
        pairs.into_iter().fold(Extensions::new(), |built, (name, value)| {
            built.clone().with(&name, &value).unwrap_or(built)
        })
    })
}

fn candidates() -> impl Strategy<Value = Candidate> {
    use CandidateType::{Host, PeerReflexive, Relayed, ServerReflexive};
    let kinds = prop::sample::select([Host, ServerReflexive, PeerReflexive, Relayed].to_vec());
    let transports = prop::sample::select([Transport::Udp, Transport::Tcp].to_vec());
    let texts = "[a-zA-Z0-9+/]{1,32}".prop_map(|text| text.parse::<Foundation>().unwrap());
    let related = prop::option::of(addresses());
    (texts, 1..=256_u16, transports, any::<u16>(), addresses(), kinds, related, extension_lists()).prop_map(
        |(foundation, component, transport, preference, address, kind, related, extensions)| Candidate {
            foundation,
            component,
            transport,
            priority: priority(kind, preference, component),
            address,
            kind,
            related,
            extensions,
        },
    )
}

/// Something like a line: its words in any order and number, some of them spoilt.
fn near_lines() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => prop::sample::select(LINES.iter().flat_map(|line| line.split(' ')).collect::<Vec<_>>())
            .prop_map(String::from),
        1 => "\\PC{0,6}",
    ];
    prop::collection::vec(word, 0..24).prop_map(|words| format!("candidate:{}", words.join(" ")))
}

proptest! {
    #[test]
    fn what_is_written_is_read(candidate in candidates()) {
        prop_assert_eq!(candidate.to_string().parse(), Ok(candidate));
    }

    #[test]
    fn what_is_read_is_written_and_read_again(place in 0..LINES.len(), cut in 0..12_usize, word in "[ -~]{0,8}") {
        let mut words: Vec<&str> = LINES[place].split(' ').collect();
        let cut = cut.min(words.len() - 1);
        words[cut] = &word;
        if let Ok(candidate) = words.join(" ").parse::<Candidate>() {
            prop_assert_eq!(candidate.to_string().parse(), Ok(candidate));
        }
    }

    #[test]
    fn nothing_panics(text in "\\PC*", line in near_lines(), place in 0..LINES.len(), cut in 0..200_usize) {
        let _ = text.parse::<Candidate>();
        let _ = format!("candidate:{text}").parse::<Candidate>();
        let _ = line.parse::<Candidate>();
        let _ = LINES[place].get(..cut).unwrap_or_default().parse::<Candidate>();
    }
}
