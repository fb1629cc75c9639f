//! From candidates to the checklist, by formulas of our own.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};

use floe_core::candidate::{Address, Extensions, Transport};
use floe_core::{
    Agent, AgentConfig, Candidate, CandidateType, Event, Instant, MAX_TRANSMIT, Output, Reach, Role, Socket,
    SocketId,
};
use floe_proptests::thousand;
use proptest::prelude::*;
use proptest::sample::select;

const KINDS: [CandidateType; 4] = [
    CandidateType::Host,
    CandidateType::ServerReflexive,
    CandidateType::PeerReflexive,
    CandidateType::Relayed,
];

proptest! {
    #![proptest_config(thousand())]

    /// Both sides must check the same pairs in the same order, or their checks miss each other at the NATs: so order,
    /// pruning and limit are those of RFC 8445 §6.1.2 whatever came first.
    #[test]
    fn the_checklist_is_what_the_formulas_say(plan in plans()) {
        let (agent, _) = plan.run();
        let report = agent.explain();
        let expected = plan.pairs();
        let limit = match plan.reach {
            Reach::Pairs(limit) => usize::from(limit),
            Reach::Wide => 100,
        };

        let by_ends: BTreeMap<_, _> = expected.iter().map(|(base, remote, p)| ((*base, *remote), *p)).collect();
        let mut seen = BTreeSet::new();
        for pair in &report.pairs {
            prop_assert!(seen.insert((pair.local, pair.remote)), "{} > {} stands twice", pair.local, pair.remote);
            let priority = by_ends.get(&(pair.local, pair.remote)).copied();
            prop_assert_eq!(priority, Some(pair.priority.into()), "{} > {}", pair.local, pair.remote);
        }
        let listed: Vec<u128> = report.pairs.iter().map(|p| p.priority.into()).collect();
        prop_assert!(listed.is_sorted_by(|one, next| one >= next));
        // The best that there are, and not one less.
        let mut best: Vec<u128> = expected.iter().map(|(_, _, priority)| *priority).collect();
        best.sort_unstable_by(|one, other| other.cmp(one));
        let rest = best.split_off(best.len().min(limit));
        prop_assert_eq!(listed, best);
        let (reserved, untried) = if plan.reach == Reach::Wide { (rest.len(), 0) } else { (0, rest.len()) };
        prop_assert_eq!((report.reserved, report.untried as usize), (reserved, untried));
    }

    /// The peer orders its checks by the priorities that we signal: type first, then the address, then the component
    /// (RFC 8445 §5.1.2.1), and no two candidates of ours alike (§5.1.2).
    #[test]
    fn signalled_priorities_follow_the_formula(plan in plans()) {
        let (_, candidates) = plan.run();
        let mut hosts: BTreeMap<IpAddr, u32> = BTreeMap::new();
        let mut all = BTreeSet::new();
        for candidate in &candidates {
            let of_type = match candidate.kind {
                CandidateType::Host => 126,
                CandidateType::ServerReflexive => 100,
                other => panic!("{other} was signalled"),
            };
            let rest = candidate.priority.checked_sub(of_type << 24);
            prop_assert!(rest.is_some_and(|rest| rest < 1 << 24 && rest % 256 == 255), "{candidate}");
            let base = candidate.related.as_ref().unwrap_or(&candidate.address).ip().unwrap();
            prop_assert!(all.insert(candidate.priority), "another has the priority of {candidate}");
            let preference = rest.unwrap() / 256;
            match candidate.kind {
                CandidateType::Host => prop_assert_eq!(hosts.insert(base, preference), None),
                // As good as its base, or a little worse where a better one has that preference already.
                _ => prop_assert!(hosts.get(&base).is_some_and(|of_base| preference <= *of_base), "{candidate}"),
            }
        }
        if hosts.len() == 1 {
            prop_assert!(hosts.values().all(|preference| *preference == 65_535));
        }
    }

    /// A success on one pair unfreezes those of the same foundation: equal foundations for unlike candidates would
    /// waste checks, unlike ones for equal candidates would delay the session (RFC 8445 §5.1.1.3).
    #[test]
    fn foundations_are_equal_exactly_for_the_same_type_base_and_server(plan in plans()) {
        let (_, candidates) = plan.run();
        let key = |candidate: &Candidate| {
            let base = candidate.related.as_ref().unwrap_or(&candidate.address).ip().unwrap();
            let server = plan.server_of(candidate.address.socket_addr().unwrap());
            (candidate.kind.sdp_name(), base, server)
        };
        for one in &candidates {
            for other in &candidates {
                prop_assert_eq!(one.foundation == other.foundation, key(one) == key(other), "{} and {}", one, other);
            }
        }
    }

    /// Candidates travel as lines through other people's signalling: what one side writes, the other must read.
    #[test]
    fn a_candidate_comes_back_from_its_line(candidate in signalled()) {
        let line = candidate.to_string();
        prop_assert_eq!(line.parse::<Candidate>(), Ok(candidate.clone()), "{}", line);
        let as_attribute = format!("a={line}\r\n");
        prop_assert_eq!(as_attribute.parse::<Candidate>(), Ok(candidate));
    }

    /// An application passes candidates on that it did not make: what we understood of a line must survive that.
    #[test]
    fn what_is_understood_of_a_damaged_line_is_written_and_read_again(
        candidate in signalled(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..0x80, any::<bool>()), 0..4),
    ) {
        let mut line = candidate.to_string().into_bytes();
        for (place, byte, insert) in damage {
            let place = place.index(line.len());
            if insert { line.insert(place, byte) } else { line[place] = byte }
        }
        if let Ok(read) = String::from_utf8(line).unwrap().parse::<Candidate>() {
            prop_assert_eq!(read.to_string().parse::<Candidate>(), Ok(read));
        }
    }
}

/// An agent's candidates of both sides, and the order in which they come.
#[derive(Clone, Debug)]
struct Plan {
    role: Role,
    reach: Reach,
    /// Each with the servers that saw it, by number.
    locals: Vec<(IpAddr, Vec<u8>)>,
    remotes: Vec<(SocketAddr, CandidateType, u32)>,
    /// How many remote candidates come before each socket.
    interleaving: Vec<usize>,
    /// Whether an application polls after each socket.
    polls: bool,
}

impl Plan {
    /// The agent after all has come, and the candidates that it told of. No credentials: nothing is sent.
    fn run(&self) -> (Agent, Vec<Candidate>) {
        let config = AgentConfig { role: self.role, reach: self.reach, ..Default::default() };
        let mut agent = Agent::new(config, [5; 32]).unwrap();
        let mut candidates = Vec::new();
        let mut remotes = self.remotes.iter();
        for (number, (ip, servers)) in self.locals.iter().enumerate() {
            for (address, kind, priority) in remotes.by_ref().take(self.interleaving[number]) {
                signal(&mut agent, *address, *kind, *priority);
            }
            let id = SocketId(number as u32);
            agent.socket_up(Instant::ZERO, Socket::udp(id, SocketAddr::new(*ip, LOCAL_PORT))).unwrap();
            if self.polls {
                drain(&mut agent, &mut candidates);
            }
            for server in servers.iter().filter(|_| ip.is_ipv4()) {
                let added = agent.add_server_reflexive(
                    Instant::ZERO,
                    id,
                    mapped(number, *server),
                    server_at(*server),
                );
                added.unwrap();
            }
        }
        for (address, kind, priority) in remotes {
            signal(&mut agent, *address, *kind, *priority);
        }
        drain(&mut agent, &mut candidates);
        (agent, candidates)
    }

    /// RFC 8445 §6.1.2.2 to §6.1.2.4: every base with every remote address that it can reach, once.
    fn pairs(&self) -> Vec<(SocketAddr, SocketAddr, u128)> {
        let (_, candidates) = self.run();
        let hosts = candidates.iter().filter(|c| c.kind == CandidateType::Host);
        let mut remotes: Vec<(SocketAddr, u32)> = Vec::new();
        for (address, _, priority) in &self.remotes {
            if !remotes.iter().any(|(known, _)| known == address) {
                remotes.push((*address, *priority));
            }
        }
        let mut pairs = Vec::new();
        for host in hosts {
            let base = host.address.socket_addr().unwrap();
            for (remote, priority) in remotes.iter().filter(|(remote, _)| reaches(base.ip(), remote.ip())) {
                pairs.push((base, *remote, pair_priority(self.role, host.priority, *priority)));
            }
        }
        pairs
    }

    /// The address of the server that a mapped address came from.
    fn server_of(&self, address: SocketAddr) -> Option<IpAddr> {
        let both = (0..self.locals.len()).flat_map(|socket| (0..4).map(move |server| (socket, server)));
        both.into_iter()
            .find(|(socket, server)| mapped(*socket, *server) == address)
            .map(|(_, s)| server_at(s).ip())
    }
}

const LOCAL_PORT: u16 = 4000;

fn server_at(number: u8) -> SocketAddr {
    // Two ports of the first server: the same server, by its address (RFC 8445 §5.1.1.3).
    let (host, port) = if number == 3 { (1, 3479) } else { (number + 1, 3478) };
    SocketAddr::from(([192, 0, 2, host], port))
}

fn mapped(socket: usize, server: u8) -> SocketAddr {
    SocketAddr::from(([203, 0, 113, socket as u8 + 1], 1000 + u16::from(server)))
}

fn pair_priority(role: Role, local: u32, remote: u32) -> u128 {
    let (g, d) = if role == Role::Controlling { (local, remote) } else { (remote, local) };
    (1_u128 << 32) * u128::from(g.min(d)) + 2 * u128::from(g.max(d)) + u128::from(g > d)
}

/// Of one family, and link-local among themselves only.
fn reaches(local: IpAddr, remote: IpAddr) -> bool {
    let link_local = |ip: IpAddr| matches!(ip, IpAddr::V6(ip) if ip.segments()[0] & 0xffc0 == 0xfe80);
    local.is_ipv4() == remote.is_ipv4() && link_local(local) == link_local(remote)
}

fn signal(agent: &mut Agent, address: SocketAddr, kind: CandidateType, priority: u32) {
    let candidate = Candidate {
        foundation: "1".parse().unwrap(),
        component: 1,
        transport: Transport::Udp,
        priority,
        address: Address::Ip(address),
        kind,
        related: None,
        extensions: Extensions::new(),
    };
    agent.add_remote_candidate(Instant::ZERO, &candidate).unwrap();
}

fn drain(agent: &mut Agent, candidates: &mut Vec<Candidate>) {
    let mut scratch = [0; MAX_TRANSMIT];
    loop {
        match agent.poll(Instant::ZERO, &mut scratch) {
            Output::Event(Event::LocalCandidate { candidate, .. }) => candidates.push(candidate),
            Output::Event(_) => {}
            Output::Transmit(transmit) => panic!("sent to {} without credentials", transmit.remote),
            Output::Socket(request) => panic!("nobody has given a server: {request:?}"),
            Output::Resolve(query) => panic!("nobody has signalled {}", query.name),
            Output::Wait(_) | Output::Closed => return,
        }
    }
}

fn plans() -> impl Strategy<Value = Plan> {
    let role = select(vec![Role::Controlling, Role::Controlled]);
    let reach =
        prop_oneof![(1_u16..=100).prop_map(Reach::Pairs), Just(Reach::Pairs(2_500)), Just(Reach::Wide)];
    let local_ips =
        prop::collection::btree_set(ips(), 1..=6).prop_map(|set| set.into_iter().collect::<Vec<_>>());
    let locals = (local_ips.prop_shuffle(), prop::collection::vec(prop::collection::vec(0_u8..4, 0..4), 6))
        .prop_map(|(ips, servers)| ips.into_iter().zip(servers).collect::<Vec<_>>());
    // Eighty addresses of three ports each: the same one comes up now and then, and no address is aimed at too often.
    let remote = (ips(), 1_u16..=3, select(KINDS.to_vec()), priorities());
    let remotes = prop::collection::vec(
        remote.prop_map(|(ip, port, kind, priority)| (SocketAddr::new(ip, port), kind, priority)),
        0..60,
    );
    let interleaving = prop::collection::vec(0_usize..10, 6);
    (role, reach, locals, remotes, interleaving, any::<bool>()).prop_map(
        |(role, reach, locals, remotes, interleaving, polls)| Plan {
            role,
            reach,
            locals,
            remotes,
            interleaving,
            polls,
        },
    )
}

/// Some are those of our own candidates, so that both ends of a pair have the same one.
fn priorities() -> impl Strategy<Value = u32> {
    let as_ours = (0_u32..6).prop_map(|number| (126 << 24) + ((65_535 - number) << 8) + 255);
    prop_oneof![1..=u32::MAX, 1_u32..5, as_ours]
}

fn ips() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        6 => (1_u8..=40).prop_map(|n| IpAddr::from([10, 0, 0, n])),
        1 => (1_u16..=20).prop_map(|n| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, n])),
        1 => (1_u16..=20).prop_map(|n| IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, n])),
    ]
}

/// Any candidate that a peer can signal.
fn signalled() -> impl Strategy<Value = Candidate> {
    let names = ("[A-Za-z0-9+/]{1,32}", 1_u16..=256, select(vec![Transport::Udp, Transport::Tcp]));
    let rest =
        (1..=u32::MAX, addresses(), select(KINDS.to_vec()), prop::option::of(addresses()), extensions());
    (names, rest).prop_map(
        |((foundation, component, transport), (priority, address, kind, related, extensions))| {
            let foundation = foundation.parse().unwrap();
            Candidate { foundation, component, transport, priority, address, kind, related, extensions }
        },
    )
}

fn addresses() -> impl Strategy<Value = Address> {
    let ip = prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        any::<[u8; 4]>().prop_map(|octets| IpAddr::V6(Ipv4Addr::from(octets).to_ipv6_mapped())),
        ips(),
    ];
    let name = "([A-Za-z0-9_-]{1,20}\\.){0,4}[a-z][A-Za-z0-9-]{0,20}\\.?";
    prop_oneof![
        3 => (ip, any::<u16>()).prop_map(|(ip, port)| Address::Ip(SocketAddr::new(ip, port))),
        1 => (name, any::<u16>()).prop_map(|(name, port)| Address::Name { name, port }),
    ]
}

fn extensions() -> impl Strategy<Value = Extensions> {
    let name = prop_oneof![
        "[A-Za-z0-9.!%*_+`'~-]{1,12}",
        select(vec!["ufrag", "generation", "tcptype", "network-id"]).prop_map(String::from)
    ];
    prop::collection::vec((name, "[!-~]{0,16}"), 0..8).prop_map(|pairs| {
        // What cannot be an extension (`raddr`, `rport`) is left out.
        pairs
            .iter()
            .fold(Extensions::new(), |made, (name, value)| made.clone().with(name, value).unwrap_or(made))
    })
}
