//! Writes the seeds of the corpora: what agents send, are sent and are told in the simulator, in the form that each fuzz
//! target reads. `cargo run -p floe-fuzz-harness --example seed` writes them into `fuzz/corpus`; the same every time.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a seed that cannot be written ends the run"
)]

use std::fs;
use std::path::PathBuf;

use floe_core::wire::{
    AddressFamily, ChangeRequest, ChannelNumber, Class, ErrorCode, Icmp, IntegrityKey, Message,
    MessageWriter, Method, PasswordAlgorithm, PasswordAlgorithms, RoleClaim, TransactionId, UDP,
    rfc4571_header, userhash,
};
use floe_core::{
    Agent, AgentConfig, Datagram, Event, Instant, MAX_TRANSMIT, Nomination, Output, Role, Socket, SocketId,
};
use floe_fuzz_harness::agent_raw;
use floe_fuzz_harness::places::Place;
use floe_fuzz_harness::script::{Action, Script, Setting, Step};
use floe_fuzz_harness::stage::SEED;
use floe_sim::{Attachment, HostId, LinkConfig, NatConfig, Network};

fn main() {
    for (name, story) in STORIES.into_iter().map(|story| (story.name, told(story))) {
        let story = story.as_slice();
        for (side, trace) in story.iter().enumerate() {
            let name = format!("{name}-{}", ["alice", "bob"].get(side).unwrap());
            // The first of each kind and size.
            let mut known = Vec::new();
            for (number, bytes) in trace.datagrams.iter().enumerate() {
                let kind = (bytes.first().copied(), bytes.get(1).copied(), bytes.len());
                if !known.contains(&kind) {
                    known.push(kind);
                    save("wire", &format!("{name}-{number}"), bytes);
                }
            }
            let datagrams = trace.datagrams.iter().take(8).enumerate();
            let raw = datagrams
                .map(|(n, bytes)| (Place { socket: 0, remote: n as u8 & 1 }, n as u8 & 7, &bytes[..]));
            save("agent_raw", &name, &agent_raw::write(side as u8, raw));
            for (number, line) in trace.lines.iter().enumerate() {
                save("candidate", &format!("{name}-{number}"), line.as_bytes());
            }
            let setting = Setting { config: side as u8, limits: 0 };
            save("commands", &name, &Script { setting, steps: trace.steps.clone() }.write());
            let steps = trace.steps.iter().filter(|step| !step.action.is_command()).cloned().collect();
            let setting = Setting { limits: 0x10, ..setting };
            save("agent_signed", &name, &Script { setting, steps }.write());
        }
    }
    for (name, repair, bytes) in forgeries() {
        for config in 0..2 {
            let from = |remote| (Place { socket: 0, remote }, repair, &bytes[..]);
            save("agent_raw", &format!("{name}-{config}"), &agent_raw::write(config, [from(0), from(1)]));
        }
        let mut damaged = bytes;
        damaged.iter_mut().rev().take(1).for_each(|byte| *byte ^= 1);
        save("wire", &format!("damaged-{name}"), &damaged);
    }
    for config in [0x0C, 0x1D] {
        let script = Script { setting: Setting { config, limits: 0 }, steps: crowded() };
        save("commands", &format!("crowded-{config}"), &script.write());
    }
    save("commands", "close", &Script { setting: Setting::default(), steps: closing() }.write());
    for (number, line) in LINES.into_iter().enumerate() {
        save("candidate", &format!("line-{number}"), line.as_bytes());
    }
    for (name, bytes) in streams() {
        save("framing", name, &bytes);
    }
    for (name, attributes) in server_messages() {
        save("wire", name, &attributes);
    }
    for (name, text) in TEXTS {
        save("description", name, text.as_bytes());
    }
    for setting in 0..8 {
        for kind in [0, 4, 8, 10, 17] {
            // Enough rounds of the honest server's for all but the lifetime.
            let rounds = [3, 15, kind].repeat(12);
            save("discovery", &format!("nat-{kind}-{setting}"), &[&[setting], &rounds[..]].concat());
        }
    }
    for (name, action) in floods() {
        for (config, limits) in [(0, 0x10), (1, 0x30), (0x0C, 0x20), (0x15, 0x60)] {
            let setting = Setting { config, limits };
            let steps = vec![action.clone().into(), Action::Sleep { millis: 40_000 }.into()];
            save("agent_signed", &format!("{name}-{config}-{limits}"), &Script { setting, steps }.write());
        }
    }
}

/// A scenario, and for how long it is watched.
#[derive(Clone, Copy)]
struct Story {
    name: &'static str,
    seed: u64,
    nats: [Option<fn() -> NatConfig>; 2],
    roles: [Role; 2],
    nomination: Nomination,
    loss: f64,
    millis: u64,
}

const PLAIN: Story = Story {
    name: "plain",
    seed: 1,
    nats: [None, None],
    roles: [Role::Controlling, Role::Controlled],
    nomination: Nomination::Fast,
    loss: 0.0,
    millis: 12_000,
};

const STORIES: [Story; 6] = [
    PLAIN,
    Story {
        name: "nats",
        seed: 2,
        nats: [Some(NatConfig::port_restricted), Some(NatConfig::port_restricted)],
        ..PLAIN
    },
    Story { name: "symmetric", seed: 3, nats: [Some(NatConfig::symmetric), None], ..PLAIN },
    Story { name: "hard", seed: 4, nats: [Some(NatConfig::symmetric), Some(NatConfig::symmetric)], ..PLAIN },
    Story { name: "conflict", seed: 5, roles: [Role::Controlling; 2], ..PLAIN },
    Story { name: "lossy", seed: 6, nomination: Nomination::Regular, loss: 0.4, millis: 40_000, ..PLAIN },
];

/// What one side has seen.
struct Trace {
    agent: Agent,
    home: (HostId, std::net::SocketAddr),
    /// What came in.
    datagrams: Vec<Vec<u8>>,
    /// What it told the other of itself.
    lines: Vec<String>,
    steps: Vec<Step>,
    /// What it has asked, the newest last.
    asked: Vec<TransactionId>,
    seen: Instant,
}

fn told(story: Story) -> [Trace; 2] {
    let mut network = Network::seeded(story.seed);
    network
        .set_link(LinkConfig { loss: story.loss, ..LinkConfig::rtt(std::time::Duration::from_millis(40)) });
    let mut sides = [0, 1].map(|side| side_of(&mut network, story, side));
    for (side, other) in [(0, 1), (1, 0)] {
        let credentials = sides[other].agent.local_credentials().clone();
        sides[side].agent.set_remote_credentials(Instant::ZERO, credentials).unwrap();
        sides[side].steps.push(Action::Credentials { whose: 0 }.into());
    }
    let end = Instant::from_millis(story.millis);
    while network.now() < end {
        let now = network.now();
        let mut wake = end;
        for (side, other) in [(0, 1), (1, 0), (0, 1)] {
            wake = wake.min(drain(&mut network, &mut sides, side, other).unwrap_or(end));
        }
        let next = network.next_event().map_or(wake, |at| at.min(wake)).max(now);
        while let Some(delivery) = network.advance(next) {
            let side = sides.iter().position(|s| s.home.0 == delivery.host).unwrap();
            sides[side].take(delivery.at, delivery.remote, delivery.bytes);
            drain(&mut network, &mut sides, side, 1 - side);
        }
    }
    sides
}

fn side_of(network: &mut Network, story: Story, side: usize) -> Trace {
    let place = match story.nats[side] {
        Some(nat) => Attachment::Behind(network.add_nat(nat())),
        None => Attachment::Public,
    };
    let host = network.add_host(place);
    let local = network.bind(host, None).unwrap();
    let config = AgentConfig { role: story.roles[side], nomination: story.nomination, ..Default::default() };
    let mut agent = Agent::new(config, [side as u8 + 1; 32]).unwrap();
    agent.socket_up(Instant::ZERO, Socket::udp(SocketId(0), local)).unwrap();
    let server = "192.0.2.1:3478".parse().unwrap();
    let mut steps = vec![Action::SocketUp { socket: 0, bound: 0, component: 1 }.into()];
    if let (Some(_), Ok(mapped)) = (story.nats[side], network.mapped_address(host, local, server)) {
        agent.add_server_reflexive(Instant::ZERO, SocketId(0), mapped, server).unwrap();
        steps.push(Action::Reflexive { socket: 0, mapped: 1, server: 200 }.into());
    }
    Trace {
        agent,
        home: (host, local),
        datagrams: Vec::new(),
        lines: Vec::new(),
        steps,
        asked: Vec::new(),
        seen: Instant::ZERO,
    }
}

/// Polls one side, and carries out what it wants.
fn drain(network: &mut Network, sides: &mut [Trace; 2], side: usize, other: usize) -> Option<Instant> {
    let now = network.now();
    let mut scratch = [0; MAX_TRANSMIT];
    loop {
        match sides[side].agent.poll(now, &mut scratch) {
            Output::Transmit(transmit) => {
                let message = Message::parse(transmit.contents).unwrap();
                if message.class() == Class::Request {
                    sides[side].asked.push(message.transaction_id());
                }
                network.send(sides[side].home, transmit.remote, transmit.contents);
            }
            Output::Event(Event::LocalCandidate { candidate, .. }) => {
                let number = sides[side].lines.len() as u8;
                sides[side].lines.push(candidate.to_string());
                sides[other].agent.add_remote_candidate(now, &candidate).unwrap();
                let kind = candidate.kind as u8;
                let told = Action::Candidate { address: number, kind, priority: 200, foundation: number };
                sides[other].steps.push(told.into());
            }
            Output::Event(Event::GatheringDone) => sides[side].agent.end_of_local_candidates(now),
            Output::Event(Event::EndOfCandidates { .. }) => {
                sides[other].agent.end_of_remote_candidates(now);
                sides[other].steps.push(Action::EndOfCandidates {}.into());
            }
            Output::Event(_) | Output::Resolve(_) | Output::Socket(_) => {}
            Output::Wait(until) => return until,
            Output::Closed => return None,
        }
    }
}

impl Trace {
    /// A datagram came in: it is kept as it is, and as a step that makes one like it.
    fn take(&mut self, now: Instant, from: std::net::SocketAddr, mut bytes: Vec<u8>) {
        let passed = now.since(self.seen).as_millis() as u16;
        if passed > 0 {
            self.steps.push(Action::Sleep { millis: passed }.into());
        }
        self.seen = now;
        let message = Message::parse(&bytes).unwrap();
        let place = Place::default();
        let id = message.transaction_id();
        let which = self.asked.iter().rev().position(|asked| *asked == id).unwrap_or_default() as u8;
        let action = match (message.class(), message.error_code()) {
            (Class::Request, _) => {
                let shape = u8::from(message.use_candidate());
                Action::Request { place, shape, tie_breaker: 0, priority: 110 }
            }
            (Class::Error, _) => Action::Refuse { which, place, shape: 0, code: 0 },
            (Class::Success, _) => Action::Answer { which, place, shape: 0, mapped: 0 },
            (Class::Indication, _) => Action::Indication { place },
        };
        self.steps.push(action.into());
        self.datagrams.push(bytes.clone());
        self.agent.receive(now, Datagram::new(SocketId(0), from, &mut bytes));
    }
}

/// What a stranger would send who knows all but the passwords: a check, and answers to the check that is out, whose id
/// and FINGERPRINT the harness fills in.
fn forgeries() -> Vec<(&'static str, u8, Vec<u8>)> {
    let ours = Agent::new(AgentConfig::default(), SEED).unwrap();
    let key = IntegrityKey::short_term("not-the-password-of-anybody");
    let write = |class, build: &dyn Fn(MessageWriter<'_>) -> usize| {
        let mut buffer = [0; 256];
        let length = build(MessageWriter::new(&mut buffer, class, Method::BINDING, TransactionId([1; 12])));
        buffer[..length].to_vec()
    };
    let ufrag = ours.local_credentials().ufrag();
    let claim = RoleClaim::Controlling(u64::MAX);
    let mapped = "203.0.113.7:40000".parse().unwrap();
    let check = |m: MessageWriter<'_>| {
        m.username(ufrag, "peer").priority(1).role(claim).use_candidate().sign(&key).unwrap()
    };
    vec![
        ("check", 0, write(Class::Request, &check)),
        ("success", 5, write(Class::Success, &|m| m.xor_mapped_address(mapped).sign(&key).unwrap())),
        (
            "success-unsigned",
            5,
            write(Class::Success, &|m| m.xor_mapped_address(mapped).finish_with_fingerprint().unwrap()),
        ),
        ("revocation", 5, write(Class::Error, &|m| m.error_code(ErrorCode::FORBIDDEN).sign(&key).unwrap())),
        ("tiny", 0, write(Class::Request, &|m| m.finish_with_fingerprint().unwrap())),
        ("indication", 0, write(Class::Indication, &|m| m.finish_with_fingerprint().unwrap())),
        ("reflection", 0x80, Vec::new()),
        ("data", 0, b"\x16\xfe\xfd a hello".to_vec()),
    ]
}

/// What a TURN server says: a challenge, an allocation, relayed data.
fn server_messages() -> Vec<(&'static str, Vec<u8>)> {
    let [mapped, relayed] = ["203.0.113.7:40000", "[2001:db8::7]:50000"].map(|text| text.parse().unwrap());
    let key = IntegrityKey::long_term_sha256(PasswordAlgorithm::Sha256, "user", "example.org", "password");
    let write = |class, method, build: &dyn Fn(MessageWriter<'_>) -> usize| {
        let mut buffer = [0; 512];
        let length = build(MessageWriter::new(&mut buffer, class, method, TransactionId([9; 12])));
        buffer[..length].to_vec()
    };
    let algorithms = PasswordAlgorithms::read(&[0, 2, 0, 0, 0, 1, 0, 0]).unwrap();
    let challenge = |m: MessageWriter<'_>| {
        let m = m.error_code(ErrorCode::UNAUTHENTICATED).realm("example.org").nonce(b"obMatJos2wAAAnonce");
        m.password_algorithms(algorithms).alternate_domain("turn.example.org").finish().unwrap()
    };
    let asked = |m: MessageWriter<'_>| {
        let m = m.requested_transport(UDP).additional_address_family(AddressFamily::V6).dont_fragment();
        let m = m.even_port(false).reservation_token([7; 8]).userhash(&userhash("user", "example.org"));
        let m = m.realm("example.org").nonce(b"obMatJos2wAAAnonce").password_algorithms(algorithms);
        m.password_algorithm(PasswordAlgorithm::Sha256).finish_with_integrity(&key).unwrap()
    };
    let allocated = |m: MessageWriter<'_>| {
        let m = m.xor_relayed_address(relayed).xor_relayed_address(mapped).xor_mapped_address(mapped);
        let m = m.address_error(AddressFamily::V6, ErrorCode::INSUFFICIENT_CAPACITY);
        m.lifetime(std::time::Duration::from_secs(600)).sign(&key).unwrap()
    };
    let data = |m: MessageWriter<'_>| {
        m.xor_peer_address(mapped)
            .data(b"relayed")
            .icmp(Icmp { kind: 3, code: 4, data: 1280 })
            .finish()
            .unwrap()
    };
    let bound = |m: MessageWriter<'_>| {
        let m = m.channel_number(ChannelNumber::MIN).xor_peer_address(relayed).xor_peer_address(mapped);
        m.alternate_server(mapped).sign(&key).unwrap()
    };
    let discovery = |m: MessageWriter<'_>| {
        let m = m.mapped_address(mapped).response_origin(mapped).other_address(relayed);
        m.change_request(ChangeRequest { ip: true, port: true }).finish_with_fingerprint().unwrap()
    };
    vec![
        ("turn-challenge", write(Class::Error, Method::ALLOCATE, &challenge)),
        ("turn-allocate", write(Class::Request, Method::ALLOCATE, &asked)),
        ("turn-allocated", write(Class::Success, Method::ALLOCATE, &allocated)),
        ("turn-data", write(Class::Indication, Method::DATA, &data)),
        ("turn-bind", write(Class::Request, Method::CHANNEL_BIND, &bound)),
        ("discovery", write(Class::Success, Method::BINDING, &discovery)),
    ]
}

/// Streams, behind the two bytes that say how they are read.
fn streams() -> Vec<(&'static str, Vec<u8>)> {
    let messages: Vec<_> = server_messages().into_iter().map(|(_, bytes)| bytes).collect();
    let relayed = b"\x40\x00\x00\x05hello\0\0\0\x4F\xFF\x00\x00";
    let framed = |bytes: &[u8]| [&rfc4571_header(bytes.len()).unwrap()[..], bytes].concat();
    let peer = [framed(&messages[5]), framed(b""), framed(b"\x16\xfe\xfd hello")].concat();
    vec![
        ("turn", [b"\x00\x21", &messages[2][..], relayed, &messages[3]].concat()),
        ("turn-limited", [b"\x42\x07", &relayed[..], &messages[0]].concat()),
        ("turn-half", [b"\x00\x53", &messages[1][..], &messages[4][..30]].concat()),
        ("peer", [b"\x01\x10", &peer[..]].concat()),
        ("peer-limited", [b"\x21\x44", &peer[..]].concat()),
        ("http", b"\x00\x07HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("tls", b"\x00\x07\x15\x03\x03\x00\x02\x02\x28".to_vec()),
    ]
}

/// As many sockets, candidates and pairs as there may be, and a peer who answers some.
fn crowded() -> Vec<Step> {
    let place = Place { socket: 4, remote: 2 };
    let sockets = (4..70).map(|n| Action::SocketUp { socket: n, bound: n, component: 1 });
    let told = [
        Action::Credentials { whose: 0 },
        Action::Candidates { address: 0, count: 160 },
        Action::Sleep { millis: 5_000 },
        Action::Requests { place, shape: 0, count: 80 },
    ];
    let answers = (0..30).map(|n| Action::Answer { which: n, place, shape: 0, mapped: n + 2 });
    let end = [Action::Sleep { millis: 10_000 }, Action::Requests { place, shape: 1, count: 60 }];
    sockets.chain(told).chain(answers).chain(end).map(Step::from).collect()
}

/// A short life, and what is tried after it.
fn closing() -> Vec<Step> {
    let place = Place::default();
    let told = Action::Candidate { address: 0, kind: 0, priority: 200, foundation: 1 };
    let request = Action::Request { place, shape: 1, tie_breaker: 0, priority: 110 };
    let steps = [
        Action::SocketUp { socket: 0, bound: 0, component: 1 },
        Action::Credentials { whose: 0 },
        told.clone(),
        request.clone(),
        Action::Answer { which: 0, place, shape: 0, mapped: 0 },
        Action::Send { component: 1, first: 128, length: 20 },
        Action::Close {},
        Action::SocketUp { socket: 1, bound: 1, component: 1 },
        told,
        request,
        Action::Send { component: 1, first: 128, length: 20 },
        Action::Sleep { millis: 60_000 },
    ];
    steps.into_iter().map(Step::from).collect()
}

/// What overflows tables.
fn floods() -> [(&'static str, Action); 3] {
    let place = Place { socket: 0, remote: 2 };
    [
        ("checks", Action::Requests { place, shape: 0, count: 150 }),
        ("nominations", Action::Requests { place, shape: 1, count: 60 }),
        ("conflicts", Action::Requests { place: Place::default(), shape: 2, count: 20 }),
    ]
}

/// Lines that no agent of ours sends.
const LINES: [&str; 8] = [
    "a=candidate:842163049 1 udp 1677729535 203.0.113.9 54321 typ srflx raddr 10.0.0.5 rport 54321 generation 0 ufrag EEtu network-id 1 network-cost 10\r\n",
    "candidate:1 1 TCP 2105524479 10.0.0.5 9 typ host tcptype active",
    "candidate:Hc0a8 256 UDP 4294967295 fe80::1%eth0 5000 typ host",
    "candidate:1 1 UDP 1 0a1b2c3d-1111-2222-3333-444455556666.local 5000 typ host",
    "candidate:a+/b 2 udp 16777215 2001:db8::1 3478 typ relay raddr ::ffff:10.0.0.1 rport 0",
    "candidate:1 1 UDP 1 10.0.0.1 1 typ prflx raddr peer.example rport 1 x-empty  x-other y",
    "candidate:1 1 DCCP 1 10.0.0.1 1 typ host",
    "candidate:1 1 UDP 1 10.0.0.1 1 typ future rport 5",
];

/// Descriptions as they come from browsers, gateways, SIP and people.
const TEXTS: [(&str, &str); 7] = [
    (
        "sip",
        "v=0\r\no=jdoe 2890844526 2890842807 IN IP4 203.0.113.141\r\ns=\r\nc=IN IP4 192.0.2.3\r\nt=0 0\r\n\
         a=ice-options:ice2\r\na=ice-pacing:50\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\n\
         m=audio 45664 RTP/AVP 0\r\nb=RS:0\r\nb=RR:0\r\na=rtpmap:0 PCMU/8000\r\n\
         a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host\r\n\
         a=candidate:2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998\r\n",
    ),
    (
        "browser",
        "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 data\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=ice-ufrag:EEtu\r\n\
         a=ice-pwd:777uzjYhagZgasd88fgpdd\r\na=ice-options:trickle renomination\r\na=mid:0\r\n\
         a=candidate:842163049 1 udp 1677729535 203.0.113.9 54321 typ srflx raddr 10.0.0.5 rport 54321 ufrag EEtu\r\n\
         a=end-of-candidates\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=ice-ufrag:EEtu\r\n\
         a=ice-pwd:777uzjYhagZgasd88fgpdd\r\na=mid:data\r\n",
    ),
    (
        "gateway",
        "v=0\na=ice-lite\na=ice-pwd:asd88fgpdd777uzjYhagZg\nm=audio 9 RTP/AVP 0\na=ice-ufrag:8hhY\na=ice-mismatch\n\
         m=video 9 RTP/AVP 0\na=ice-ufrag:9hhY\na=remote-candidates:1 192.0.2.3 45664 2 2001:db8::1 45665\n",
    ),
    (
        "fragment",
        "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n\
         a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\na=end-of-candidates\r\n\
         m=audio 9 RTP/AVP 0\r\na=mid:2\r\na=candidate:1 1 UDP 2130706431 192.0.2.1 6010 typ host\r\n",
    ),
    ("end", "a=ice-ufrag:8hhY\na=ice-pwd:asd88fgpdd777uzjYhagZg\na=end-of-candidates\n"),
    (
        "plain",
        "ice-lite\nICE-UFRAG:8hhY\nice-pwd:asd88fgpdd777uzjYhagZg\nice-options:ice2 rtp+ecn\n\
         candidate:1 1 UDP 1 10.0.0.1 1 typ host x-empty \nend-of-candidates",
    ),
    (
        "half",
        "m=a\na=ice-ufrag:8hhY\na=mid:0\nm=b\na=mid:0\na=ice-lite\nm=c\na=candidate:1 1 QUIC 1 10.0.0.1 1 typ host\n",
    ),
];

fn save(target: &str, name: &str, bytes: &[u8]) {
    let folder: PathBuf = [env!("CARGO_MANIFEST_DIR"), "..", "corpus", target].iter().collect();
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join(format!("seed-{name}")), bytes).unwrap();
}
