//! What can happen to an agent, by whoever's hand.

use core::net::SocketAddr;

use floe_core::wire::RoleClaim;
use floe_proptests::forge::{Damage, Mend, damage, mends};
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// What happens to the agent.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    SocketUp {
        id: u32,
        address: SocketAddr,
    },
    Reflexive {
        id: u32,
        address: SocketAddr,
    },
    Credentials(Whose),
    Candidate(String),
    EndOfCandidates,
    /// For a username fragment that may be anyone's.
    EndOf(Whose),
    EndOfOurs,
    /// The peer's check, rightly signed.
    Request {
        socket: u32,
        remote: SocketAddr,
        claim: Option<RoleClaim>,
        priority: Option<u32>,
        use_candidate: bool,
    },
    /// The peer's answer to one of the agent's requests, rightly signed.
    Answer {
        request: Index,
        from_elsewhere: bool,
        code: Option<u16>,
        mapped: SocketAddr,
    },
    /// Something like what the agent sent.
    Damaged {
        model: Index,
        all: Vec<Damage>,
        how: Mend,
    },
    Noise {
        socket: u32,
        remote: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Time passes; the agent is not polled.
    Later(u64),
    /// The clock goes back.
    Earlier(u64),
    Poll,
    /// So many times, sleep for as long as the agent says, and poll.
    Follow(usize),
    Send(Vec<u8>),
    SendFailed(SocketAddr),
    /// Prepared, applied, taken back, or all at once.
    Restart(u8),
    /// Credentials that may mean a restart.
    Accept(Whose),
    SocketDown(u32),
    CandidateGone(String),
    /// Whether the peer renominates.
    Renomination(bool),
    /// The application's path works, or it does not.
    Note(bool),
    RemoveComponent,
    /// A STUN or TURN server, by address or by name.
    Server {
        how: u8,
        host: u8,
    },
    /// A socket that was asked for (or one that was not) is opened, wrongly or rightly, or refused.
    SocketAnswer {
        id: u32,
        how: u8,
    },
    /// A stream is opened, closed or written, or bytes come out of it.
    StreamAnswer {
        id: u32,
        how: u8,
        bytes: Vec<u8>,
    },
    Close,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Whose {
    Peers,
    Own,
    Others,
}

/// Anything, the useful more often than the odd.
pub(crate) fn steps() -> impl Strategy<Value = Step> {
    let socket = || 0_u32..4;
    let claim = prop::option::weighted(
        0.9,
        prop_oneof![
            any::<u64>().prop_map(RoleClaim::Controlling),
            any::<u64>().prop_map(RoleClaim::Controlled),
        ],
    );
    let code = prop::option::weighted(0.25, select(vec![400_u16, 401, 403, 420, 487, 500]));
    let whose = select(vec![Whose::Peers, Whose::Peers, Whose::Peers, Whose::Own, Whose::Others]);
    let millis =
        || prop_oneof![4 => 0_u64..100, 4 => 100_u64..6_000, 2 => 6_000_u64..60_000, 1 => any::<u64>()];
    prop_oneof![
        4 => (socket(), ours()).prop_map(|(id, address)| Step::SocketUp { id, address }),
        1 => (socket(), ours()).prop_map(|(id, address)| Step::Reflexive { id, address }),
        3 => whose.clone().prop_map(Step::Credentials),
        2 => whose.clone().prop_map(Step::Accept),
        2 => (0_u8..4).prop_map(Step::Restart),
        1 => socket().prop_map(Step::SocketDown),
        1 => lines().prop_map(Step::CandidateGone),
        1 => any::<bool>().prop_map(Step::Renomination),
        1 => any::<bool>().prop_map(Step::Note),
        1 => Just(Step::RemoveComponent),
        3 => (0_u8..7, 0_u8..5).prop_map(|(how, host)| Step::Server { how, host }),
        2 => (0_u32..6, 0_u8..3).prop_map(|(id, how)| Step::SocketAnswer { id, how }),
        4 => (0_u32..6, 0_u8..6, prop::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(id, how, bytes)| Step::StreamAnswer { id, how, bytes }),
        6 => lines().prop_map(Step::Candidate),
        1 => Just(Step::EndOfCandidates),
        1 => whose.prop_map(Step::EndOf),
        1 => Just(Step::EndOfOurs),
        6 => (socket(), theirs(), claim, prop::option::weighted(0.95, any::<u32>()), any::<bool>()).prop_map(
            |(socket, remote, claim, priority, use_candidate)| Step::Request {
                socket, remote, claim, priority, use_candidate,
            }),
        10 => (any::<Index>(), prop::bool::weighted(0.1), code, ours()).prop_map(
            |(request, from_elsewhere, code, mapped)| Step::Answer { request, from_elsewhere, code, mapped }),
        2 => (any::<Index>(), prop::collection::vec(damage(), 1..4), mends())
            .prop_map(|(model, all, how)| Step::Damaged { model, all, how }),
        1 => (socket(), theirs(), prop::collection::vec(any::<u8>(), 0..48))
            .prop_map(|(socket, remote, bytes)| Step::Noise { socket, remote, bytes }),
        5 => millis().prop_map(Step::Later),
        1 => millis().prop_map(Step::Earlier),
        8 => Just(Step::Poll),
        6 => (1_usize..20).prop_map(Step::Follow),
        4 => prop::collection::vec(any::<u8>(), 0..24).prop_map(Step::Send),
        1 => theirs().prop_map(Step::SendFailed),
        1 => prop::bool::weighted(0.3).prop_map(|close| if close { Step::Close } else { Step::Poll }),
    ]
}

/// Addresses of ours, a few of them of no use.
fn ours() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        8 => (1_u8..4, 4000_u16..4002).prop_map(|(host, port)| SocketAddr::from(([10, 0, 0, host], port))),
        2 => (1_u16..3).prop_map(|host| SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, host], 4000))),
        1 => select(vec!["0.0.0.0:4000", "224.0.0.1:4000", "10.0.0.1:0", "[::]:1"]).prop_map(|text| text.parse().unwrap()),
    ]
}

/// Addresses of the peer.
fn theirs() -> impl Strategy<Value = SocketAddr> {
    prop_oneof![
        8 => (1_u8..6).prop_map(|host| SocketAddr::from(([10, 0, 1, host], 5000))),
        2 => (1_u16..3).prop_map(|host| SocketAddr::from(([0x2001, 0xdb8, 1, 0, 0, 0, 0, host], 5000))),
    ]
}

/// Lines that are candidates, of use or not.
fn lines() -> impl Strategy<Value = String> {
    let kind = select(vec!["host", "srflx", "prflx", "relay"]);
    let good = (0_u8..4, 1_u32.., theirs(), kind).prop_map(|(foundation, priority, address, kind)| {
        format!("candidate:{foundation} 1 UDP {priority} {} {} typ {kind}", address.ip(), address.port())
    });
    let odd = select(vec![
        "candidate:1 2 UDP 1 10.0.1.1 5000 typ host",
        "candidate:1 1 TCP 1 10.0.1.1 9 typ host tcptype active",
        "candidate:1 1 UDP 1 a.local 5000 typ host",
        "candidate:1 1 UDP 1 0.0.0.0 5000 typ host",
        "candidate:1 1 UDP 1 224.0.0.1 5000 typ host",
        "candidate:1 1 UDP 1 10.0.1.1 0 typ host",
        "candidate:1 1 UDP 1 10.0.1.1 5000 typ host ufrag else",
        "candidate:1 1 UDP 1 fe80::1 5000 typ host",
    ]);
    prop_oneof![5 => good, 1 => odd.prop_map(String::from)]
}
