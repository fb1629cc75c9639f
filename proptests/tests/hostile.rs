//! What strangers send.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may end with a panic"
)]

use core::net::SocketAddr;

use floe_core::wire::{
    Class, ErrorCode, IntegrityKey, Message, MessageWriter, Method, RoleClaim, TransactionId,
};
use floe_core::{Instant, SocketId};
use floe_proptests::forge::{Damage, Mend, damage, mend, mends};
use floe_proptests::{Run, scenarios, thousand};
use proptest::prelude::*;
use proptest::sample::{Index, select};

proptest! {
    #![proptest_config(thousand())]

    /// Anybody can send to an open port, and somebody on the path sees all that we send: without the passwords, nothing
    /// that they send may change what the agent believes (RFC 8445 §19.1, RFC 8489 §9.1.3, §9.1.4).
    #[test]
    fn no_unauthenticated_datagram_changes_the_state(
        scenario in scenarios(),
        phase in prop_oneof![0_u64..300, 300_u64..4_000, 4_000_u64..30_000],
        side in 0_usize..2,
        forgeries in prop::collection::vec(forgeries(), 1..12),
    ) {
        let mut run = Run::new(&scenario);
        run.advance_to(Instant::from_millis(phase));
        for forgery in &forgeries {
            let Some(target) = forgery.make(&mut run, side) else { continue };
            let before = run.agent(side).state_fingerprint();
            let now = run.now();
            let mut bytes = target.bytes.clone();
            let datagram = floe_core::Datagram::new(target.socket, target.remote, &mut bytes);
            let _ = run.agent(side).receive(now, datagram);
            prop_assert_eq!(before, run.agent(side).state_fingerprint(), "after {:x?}", target);
        }
    }
}

/// A datagram and where it comes in.
#[derive(Debug)]
struct Target {
    socket: SocketId,
    remote: SocketAddr,
    bytes: Vec<u8>,
}

/// What a stranger makes, knowing all that went over the wire and through signalling but the passwords.
#[derive(Clone, Debug)]
struct Forgery {
    what: What,
    /// Which datagram of the session is the model.
    model: Index,
    /// Whether it comes from the model's other end, or from a stranger.
    from_peer: bool,
}

#[derive(Clone, Debug)]
enum What {
    Noise(Vec<u8>),
    Damaged(Vec<Damage>, Mend),
    Request { names: Names, key: Key, claim: RoleClaim, use_candidate: bool, fingerprint: bool },
    Response { key: Key, class: Class, code: u16, mapped: u16, own_id: bool },
    Indication { key: Key },
}

/// Whom a request names.
#[derive(Clone, Copy, Debug)]
enum Names {
    Both,
    Swapped,
    Nobody,
}

/// What a message is signed with.
#[derive(Clone, Copy, Debug)]
enum Key {
    None,
    Wrong,
    /// The other side's: that of requests in a response, and the other way round.
    Reflected,
}

impl Forgery {
    /// `None` if the session has nothing to imitate, or the imitation is authentic after all.
    fn make(&self, run: &mut Run, side: usize) -> Option<Target> {
        let models: Vec<_> = run.datagrams().iter().filter(|d| d.side == side).cloned().collect();
        let stranger: SocketAddr = "198.18.0.66:6666".parse().unwrap();
        let Some(model) = (!models.is_empty()).then(|| self.model.get(&models).clone()) else {
            let What::Noise(bytes) = &self.what else { return None };
            return Some(Target { socket: SocketId(0), remote: stranger, bytes: bytes.clone() });
        };
        let remote = if self.from_peer { model.remote } else { stranger };
        let ours = run.agent(side).local_credentials().clone();
        let theirs = run.agent(1 - side).local_credentials().clone();
        let [our_key, their_key] = [&ours, &theirs].map(|c| IntegrityKey::short_term(c.password()));
        let mut buffer = [0; 512];
        let written = match &self.what {
            What::Noise(bytes) => Some(bytes.clone()),
            What::Damaged(all, how) => {
                let mut bytes = model.bytes.clone();
                all.iter().for_each(|one| one.apply(&mut bytes));
                mend(&mut bytes, *how);
                Some(bytes)
            }
            What::Request { names, key, claim, use_candidate, fingerprint } => {
                let (receiver, sender) = match names {
                    Names::Both => (ours.ufrag(), theirs.ufrag()),
                    Names::Swapped => (theirs.ufrag(), ours.ufrag()),
                    Names::Nobody => ("nobody", "nowhere"),
                };
                let id = TransactionId([9; 12]);
                let message = MessageWriter::new(&mut buffer, Class::Request, Method::BINDING, id)
                    .username(receiver, sender)
                    .priority(u32::MAX)
                    .role(*claim);
                let message = if *use_candidate { message.use_candidate() } else { message };
                let length = match (key.of(&their_key), fingerprint) {
                    (Some(key), true) => message.sign(&key),
                    (Some(key), false) => message.finish_with_integrity(&key),
                    (None, true) => message.finish_with_fingerprint(),
                    (None, false) => message.finish(),
                };
                Some(buffer[..length.unwrap()].to_vec())
            }
            What::Response { key, class, code, mapped, own_id } => {
                // To a request of ours, unless it is to be one of somebody else.
                let id = Message::parse(&model.bytes).ok()?.transaction_id();
                let id = if *own_id { id } else { TransactionId([7; 12]) };
                let message = MessageWriter::new(&mut buffer, *class, Method::BINDING, id);
                let mapped = SocketAddr::from(([203, 0, 113, 99], *mapped));
                let message = match class {
                    Class::Success => message.xor_mapped_address(mapped),
                    _ => message.error_code(ErrorCode::new(*code, "forged").unwrap()),
                };
                let length = match key.of(&our_key) {
                    Some(key) => message.sign(&key),
                    None => message.finish_with_fingerprint(),
                };
                Some(buffer[..length.unwrap()].to_vec())
            }
            What::Indication { key } => {
                let id = TransactionId([8; 12]);
                let message = MessageWriter::new(&mut buffer, Class::Indication, Method::BINDING, id);
                let length = match key.of(&our_key) {
                    Some(key) => message.sign(&key),
                    None => message.finish_with_fingerprint(),
                };
                Some(buffer[..length.unwrap()].to_vec())
            }
        };
        let bytes = written?;
        let is_authentic = Message::parse(&bytes).is_ok_and(|message| match message.class() {
            Class::Request => message.verify(&our_key).is_ok(),
            Class::Success | Class::Error => message.verify(&their_key).is_ok(),
            Class::Indication => false,
        });
        (!is_authentic).then_some(Target { socket: model.socket, remote, bytes })
    }
}

impl Key {
    fn of(self, reflected: &IntegrityKey) -> Option<IntegrityKey> {
        match self {
            Self::None => None,
            Self::Wrong => Some(IntegrityKey::short_term("a-guess-of-22-characters")),
            Self::Reflected => Some(reflected.clone()),
        }
    }
}

fn forgeries() -> impl Strategy<Value = Forgery> {
    let key = || select(vec![Key::None, Key::Wrong, Key::Reflected]);
    let claim = prop_oneof![
        select(vec![0, u64::MAX]).prop_map(RoleClaim::Controlling),
        select(vec![0, u64::MAX]).prop_map(RoleClaim::Controlled),
    ];
    let names = select(vec![Names::Both, Names::Both, Names::Swapped, Names::Nobody]);
    let class = select(vec![Class::Success, Class::Error]);
    let code = select(vec![400_u16, 401, 403, 420, 487, 500]);
    let what = prop_oneof![
        1 => prop::collection::vec(any::<u8>(), 0..64).prop_map(What::Noise),
        3 => (prop::collection::vec(damage(), 1..4), mends()).prop_map(|(all, how)| What::Damaged(all, how)),
        3 => (names, key(), claim, any::<bool>(), prop::bool::weighted(0.9)).prop_map(
            |(names, key, claim, use_candidate, fingerprint)| What::Request {
                names, key, claim, use_candidate, fingerprint,
            }),
        3 => (key(), class, code, any::<u16>(), prop::bool::weighted(0.9)).prop_map(
            |(key, class, code, mapped, own_id)| What::Response { key, class, code, mapped, own_id }),
        1 => key().prop_map(|key| What::Indication { key }),
    ];
    (what, any::<Index>(), prop::bool::weighted(0.8)).prop_map(|(what, model, from_peer)| Forgery {
        what,
        model,
        from_peer,
    })
}
