//! Every error code of STUN and TURN servers against every request: what a user sees of it. The table is in `errors.txt`; each
//! row was read against the sections, and a change of it is a change of behaviour.

use floe_core::{AgentConfig, ComponentId, Event, Nomination, Role, ServerFault};
use floe_sim::scenario::{PeerId, World, open, secs};
use floe_sim::server::{Fault, Request};

/// RFC 8489 §14.8, RFC 8656 §19, and one of each class that nobody knows. 300 goes with another server; see `field`.
const CODES: [u16; 18] =
    [300, 301, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 499, 500, 508];

const REQUESTS: [Request; 5] =
    [Request::Binding, Request::Allocate, Request::Refresh, Request::CreatePermission, Request::ChannelBind];

/// Which of the requests are refused.
#[derive(Clone, Copy, Debug)]
enum When {
    /// The first one.
    Once,
    /// All of them.
    Always,
    /// All but the first one.
    Later,
}

/// A quarter of an hour with a relay, and with nothing else, that refuses some requests.
fn outcome(request: Request, code: u16, when: When) -> String {
    let mut world = World::seeded(u64::from(code));
    // Short lives, so that there is much to renew.
    let relay = world.turn_server_with(|config| {
        config.max_lifetime = secs(120);
        config.default_lifetime = secs(120);
    });
    let stun = world.stun_server();
    let fault = match when {
        When::Once => Fault::next(request),
        When::Always => Fault::every(request),
        When::Later => Fault::nth(2, request).times(u32::MAX),
    };
    match request {
        Request::Binding => world.stun(stun).add_fault(fault.answered_with(code)),
        _ => world.turn(relay).add_fault(fault.answered_with(code)),
    }
    let peer =
        |role| open().with(AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() });
    let alice = peer(Role::Controlling);
    let [alice, bob] = match request {
        Request::Binding => world.pair(alice.asking(stun), peer(Role::Controlled)),
        _ => world.pair(alice.relay_only().using(relay), peer(Role::Controlled)),
    };
    let mut longest = 0;
    let mut silence = 0;
    let mut connected = None;
    for second in 1..=900 {
        let before = world.inbox(bob).len();
        let _ = world.send(alice, b"still there?");
        world.run_for(secs(1));
        if world.inbox(bob).len() > before {
            connected.get_or_insert(second);
            silence = 0;
        } else {
            silence += 1;
        }
        if connected.is_some() {
            longest = longest.max(silence);
        }
    }
    let path = match connected {
        None => "no path".to_owned(),
        Some(second) if longest == 0 => format!("path by {second} s"),
        Some(second) if silence > 60 => format!("path by {second} s, lost"),
        Some(second) => format!("path by {second} s, silent for {longest} s"),
    };
    let channel = world
        .agent(alice)
        .path(ComponentId::FIRST)
        .map(|p| if p.overhead <= 4 { "" } else { ", no channel" });
    format!("{path}{}{}", channel.unwrap_or_default(), told(&world, alice))
}

/// Each fault that was told, and how often.
fn told(world: &World, peer: PeerId) -> String {
    let mut faults: Vec<(&ServerFault, u32)> = Vec::new();
    for (_, event) in world.events(peer) {
        let Event::ServerError { fault, .. } = event else { continue };
        match faults.iter_mut().find(|(known, _)| *known == fault) {
            Some((_, times)) => *times += 1,
            None => faults.push((fault, 1)),
        }
    }
    let text = |(fault, times)| match times {
        1 => format!("; {fault}"),
        _ => format!("; {fault} ({times} times)"),
    };
    faults.into_iter().map(text).collect()
}

#[test]
fn the_table() {
    let mut table = String::new();
    for request in REQUESTS {
        for code in CODES {
            for when in [When::Once, When::Always, When::Later] {
                let line = format!("{request:?} {code} {when:?}: {}", outcome(request, code, when));
                table += &line;
                table.push('\n');
            }
        }
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenario/errors.txt");
    if std::env::var_os("FLOE_UPDATE").is_some() {
        std::fs::write(path, &table).unwrap();
    }
    let expected = std::fs::read_to_string(path).unwrap();
    for (is, should) in table.lines().zip(expected.lines()) {
        assert_eq!(is, should, "set FLOE_UPDATE to write the table anew, and read what has changed");
    }
    assert_eq!(table.lines().count(), expected.lines().count());
}
