//! A signalling server mixes up descriptions. The two can never connect, and both must hear why.

use floe_core::{AgentConfig, Cause, Credentials, Instant, RemoteError, Role};
use floe_sim::scenario::{PeerId, PeerSpec, World, millis, open, secs};

fn credentials(of: &str) -> Credentials {
    Credentials::new(of, format!("the-password-of-{of}-of-this-call")).unwrap()
}

fn named(of: &str, role: Role, deadline: Option<u64>) -> PeerSpec {
    open().with(AgentConfig {
        role,
        credentials: Some(credentials(of)),
        deadline: deadline.map(secs),
        ..Default::default()
    })
}

/// That the first trouble and the first cause of the report are authentication, and how early it was told.
fn assert_told(world: &World, peer: PeerId) {
    let trouble = world.trouble(peer);
    let (at, cause) = trouble.first().unwrap_or_else(|| panic!("nothing was told"));
    assert!(matches!(cause, Cause::Authentication { .. }), "{cause}");
    assert!(*at <= Instant::from_millis(5_000), "told at {at} ms");
    let report = world.report(peer).unwrap_or_else(|| panic!("not failed"));
    assert!(matches!(report.causes[0], Cause::Authentication { .. }), "{report}");
    assert!(report.to_string().contains("signalling mixed up"));
}

/// What each side is told as the other's credentials, as mixed up as can be. `None`: the right ones.
fn mixed_up() -> Vec<[Option<Credentials>; 2]> {
    let crossed = |ufrag: &str, password: &str| {
        Some(Credentials::new(credentials(ufrag).ufrag(), credentials(password).password()).unwrap())
    };
    let other = |name| Some(credentials(name));
    vec![
        // An earlier or another call's.
        [other("carol"), None],
        [None, other("carol")],
        [other("carol"), other("dave")],
        // Only half of it: the fragment of this call, the password of another, or the other way round.
        [crossed("alice", "carol"), None],
        [None, crossed("bobby", "carol")],
        [crossed("alice", "carol"), crossed("bobby", "carol")],
        [crossed("carol", "alice"), crossed("carol", "bobby")],
        // The passwords of the two sides exchanged.
        [crossed("alice", "bobby"), crossed("bobby", "alice")],
        [crossed("bobby", "alice"), crossed("alice", "bobby")],
    ]
}

/// Whichever part is mixed up, on one side or on both, and whether or not the application sets a deadline: the side that
/// has it wrong hears of authentication within five seconds and in the end, and not of a time-out.
#[test]
fn the_signalling_server_swaps_credentials() {
    for deadline in [Some(12), None] {
        for told in mixed_up() {
            let mut world = World::seeded(1);
            world.note(format!("told are {told:?}, deadline {deadline:?}"));
            let wrong = [told[1].is_some(), told[0].is_some()];
            let tell = |spec: PeerSpec, told: Option<Credentials>| match told {
                Some(told) => spec.with_credentials_signalled(told),
                None => spec,
            };
            let [of_alice, of_bob] = told;
            let alice = tell(named("alice", Role::Controlling, deadline), of_alice);
            let bob = tell(named("bobby", Role::Controlled, deadline), of_bob);
            let peers = world.pair(alice, bob);
            world.run_for(secs(deadline.unwrap_or(50) + 1));
            for (peer, _) in peers.into_iter().zip(wrong).filter(|(_, wrong)| *wrong) {
                assert_told(&world, peer);
            }
        }
    }
}

/// Signalling echoes: a side is told its own credentials. That is known at once, without a single check.
#[test]
fn the_signalling_server_echoes() {
    let mut world = World::seeded(2);
    let alice = named("alice", Role::Controlling, None).with_credentials_signalled(credentials("bobby"));
    let [_, bob] = world.pair(alice, named("bobby", Role::Controlled, None));
    world.run_for(millis(1));
    assert_eq!(world.untaken(bob), [(Instant::ZERO, RemoteError::OurOwnCredentials)]);
}
