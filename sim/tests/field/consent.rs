//! When a path may carry data, and when it may not any more.

use core::time::Duration;
use std::collections::BTreeSet;

use floe_core::wire::{Class, IntegrityKey, Message, MessageWriter, Method, TransactionId};
use floe_core::{AgentConfig, Cause, Event, Instant, Role, SendError};
use floe_sim::Fate;
use floe_sim::scenario::{
    PeerId, PuppetId, Reply, World, both_selected, for_seeds, is_request, is_response, millis, open, secs,
};

fn lost_at(world: &World, peer: PeerId) -> Option<(Instant, Cause)> {
    world.events(peer).iter().find_map(|(at, e)| match e {
        Event::PathLost { cause, .. } => Some((*at, *cause)),
        _ => None,
    })
}

fn first(world: &World, peer: PeerId, wanted: impl Fn(&Event) -> bool) -> Option<Instant> {
    world.events(peer).iter().find(|(_, e)| wanted(e)).map(|(at, _)| *at)
}

/// An agent that has selected its pair with a puppet, in either role, and answers keepalives no more from now on.
fn connected(world: &mut World, role: Role) -> (PeerId, PuppetId) {
    let config = AgentConfig { role, ..Default::default() };
    let (alice, puppet) = world.pair_with_puppet(open().with(config), 1);
    world.puppet_checks(puppet, 0, role == Role::Controlled);
    world.run_until(both_selected).within(secs(1));
    (alice, puppet)
}

/// The consent checks that a puppet has got since `since`: when, and which.
fn checks_since(world: &World, puppet: PuppetId, since: Instant) -> Vec<(Instant, TransactionId)> {
    let requests = world.heard(puppet).iter().filter(|h| h.at > since && is_request(&h.bytes));
    requests.map(|h| (h.at, Message::parse(&h.bytes).unwrap().transaction_id())).collect()
}

/// A firewall in the middle of the call drops what answers us, and lets the peer's requests and our answers through. The
/// peer sees a living path. We have no leave to send: that is told as trouble early, and after 30 s as the end.
#[test]
fn the_peer_is_heard_and_answered_but_never_answers_us() {
    for_seeds(0..20, |world| {
        let [alice, bob] = world.pair(open(), open());
        world.run_until(both_selected).within(secs(1));
        world.run_for(secs(10));
        let (from, cut) = (world.host(bob), world.now());
        world.network().set_rule(move |datagram| {
            let is_answer = datagram.from == from && is_response(datagram.bytes);
            if is_answer { Fate::Lose } else { Fate::Pass }
        });
        world.run_for(secs(32));
        let degraded = first(world, alice, |e| matches!(e, Event::PathDegraded(_))).unwrap();
        assert!(degraded.since(cut) <= secs(18));
        let (at, cause) = lost_at(world, alice).unwrap();
        assert_eq!(cause, Cause::ConsentExpired);
        assert!((secs(24)..=secs(30)).contains(&at.since(cut)), "lost after {:?}", at.since(cut));
        assert!(first(world, alice, |e| matches!(e, Event::RestartNeeded(Cause::ConsentExpired))).is_some());
        assert_eq!(world.agent(alice).explain().causes, [Cause::ConsentExpired]);
        assert!(world.send(alice, b"?").is_err());
        assert_eq!(lost_at(world, bob), None);
    });
}

/// The same from the beginning: there never was a path, and within five seconds it is told that it is one way only.
#[test]
fn the_peer_is_heard_and_answered_and_has_never_answered_us() {
    let mut world = World::seeded(2);
    let impatient = || open().with(AgentConfig { deadline: Some(secs(12)), ..Default::default() });
    let [alice, bob] = world.pair(impatient(), open());
    let from = world.host(bob);
    world.network().set_rule(move |datagram| {
        let is_answer = datagram.from == from && is_response(datagram.bytes);
        if is_answer { Fate::Lose } else { Fate::Pass }
    });
    world.run_for(secs(13));
    let (at, cause) = world.trouble(alice)[0];
    assert!(at <= Instant::from_millis(5_000) && matches!(cause, Cause::OneWay { .. }), "{cause}");
    assert!(matches!(world.report(alice).unwrap().causes[0], Cause::OneWay { .. }));
}

/// The peer has gone without a word. An application that goes on sending must be told, and not one of its datagrams may hit
/// whoever has that address by now.
#[test]
fn the_application_goes_on_sending_when_consent_has_expired() {
    for_seeds(0..50, |world| {
        let [alice, bob] = world.pair(open(), open());
        world.run_until(both_selected).within(secs(1));
        world.start_traffic(millis(100));
        world.run_for(secs(5));
        let cut = world.now();
        world.block(bob, alice);
        world.run_for(secs(90));
        world.stop_traffic();
        let tally = world.traffic(alice);
        let (expired, _) = lost_at(world, alice).unwrap();
        assert!(expired.since(cut) <= secs(30));
        assert!(tally.refusals.iter().all(|(at, e)| *at >= expired && *e == SendError::NoPath), "{tally}");
        // Everything before was sent, nothing after: one each 100 ms.
        let after = world.now().since(expired).as_millis() / 100;
        assert!((after.saturating_sub(1)..=after + 1).contains(&(tally.refusals.len() as u128)), "{tally}");
        assert_eq!(tally.network.sent, tally.sent);
    });
}

/// What a puppet does twice a second.
type Noise = fn(&mut World, PuppetId);

/// Consent is only given by answers that the peer has signed, in time. Data, indications, unsigned or wrongly signed
/// answers do not count, and neither do the peer's own requests, signed though they are.
#[test]
fn everything_but_a_signed_answer_keeps_coming() {
    let noise: [(&str, Reply, Noise); 6] = [
        ("nothing", Reply::Silence, |_, _| {}),
        ("unsigned answers", Reply::Unsigned, |_, _| {}),
        ("answers signed by somebody else", Reply::WronglySigned, |_, _| {}),
        ("data", Reply::Silence, |world, puppet| world.puppet_sends(puppet, 0, b"how do you do?")),
        ("indications", Reply::Silence, |world, puppet| {
            let mut buffer = [0; 64];
            let id = TransactionId([7; 12]);
            let message = MessageWriter::new(&mut buffer, Class::Indication, Method::BINDING, id);
            let length = message.finish_with_fingerprint().unwrap();
            world.puppet_sends(puppet, 0, &buffer[..length]);
        }),
        ("its own checks", Reply::Silence, |world, puppet| {
            world.puppet_checks(puppet, 0, false);
        }),
    ];
    for role in [Role::Controlling, Role::Controlled] {
        for (what, reply, make) in noise {
            let mut world = World::seeded(4);
            let (alice, puppet) = connected(&mut world, role);
            world.run_for(secs(20));
            let answered = checks_since(&world, puppet, Instant::ZERO).last().unwrap().0;
            world.set_reply(puppet, reply);
            world.note(format!("now there is only: {what}"));
            for _ in 0..62 {
                make(&mut world, puppet);
                world.run_for(millis(500));
            }
            let (at, cause) = lost_at(&world, alice).unwrap_or_else(|| panic!("{what} counts as consent"));
            assert_eq!(cause, Cause::ConsentExpired, "{what}");
            // The answer to the last check took half a round trip.
            assert_eq!(at.since(answered), Duration::from_millis(30_020), "{what}");
            assert!(world.send(alice, b"?").is_err(), "{what}");
        }
    }
}

/// Whoever can guess the time or the id of a consent check could answer in the peer's place, and many sessions that check
/// in step are a burst. Ids never repeat, distances vary between four and six seconds, each check is signed, and no two
/// sessions do the same.
#[test]
fn consent_checks_cannot_be_predicted() {
    let mut sessions = BTreeSet::new();
    for seed in 0..10 {
        let mut world = World::seeded(seed);
        let (alice, puppet) = connected(&mut world, Role::Controlled);
        let start = world.now();
        world.run_for(secs(600));
        let checks = checks_since(&world, puppet, start);
        let distances: Vec<Duration> = checks.windows(2).map(|w| w[1].0.since(w[0].0)).collect();
        let (shortest, longest) = (*distances.iter().min().unwrap(), *distances.iter().max().unwrap());
        assert!(shortest >= secs(4) && longest <= secs(6), "{distances:?}");
        assert!(longest - shortest >= secs(1), "{distances:?}");
        let ids: BTreeSet<[u8; 12]> = checks.iter().map(|(_, id)| id.0).collect();
        assert_eq!(ids.len(), checks.len());
        let key = IntegrityKey::short_term(world.puppet_credentials(puppet).password());
        for heard in world.heard(puppet).iter().filter(|h| is_request(&h.bytes)) {
            assert!(Message::parse(&heard.bytes).unwrap().verify(&key).is_ok());
        }
        sessions.extend(ids);
        assert!(world.selected(alice).is_some());
    }
    assert!(sessions.len() > 10 * 95, "two sessions have ids in common");
}
