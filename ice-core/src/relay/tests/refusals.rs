//! Every error code against every request, once and always: what comes of it, and how often the server is asked.

use alloc::string::{String, ToString};

use super::server::Ask;
use super::*;
use crate::relay::event::Wanting;
use crate::relay::{AllocationFailure, Loss};

/// All that the RFCs assign, and of each class one that they do not (RFC 8489 §6.3.4).
const CODES: &[u16] = &[
    300, 333, 400, 401, 403, 408, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 487, 500, 508, 599, 600,
    699,
];
const ALWAYS: u32 = u32::MAX;
const PEER: &str = "192.0.2.1:4001";

/// What the owner sees within twenty minutes, and how many of these requests the server sees.
fn outcome(ask: Ask, code: u16, times: u32) -> (String, usize) {
    let mut server = Server::new(Manner::Classic);
    server.alternates.push(address("203.0.113.2:3478"));
    server.refusals.push((ask, code, times));
    let mut stage = Stage::new(config(), server);
    stage.run(secs(1));
    if stage.allocation.is_alive() {
        stage.events.clear();
    }
    match ask {
        Ask::Allocate | Ask::Refresh => {}
        Ask::Permit => stage.allocation.permit(stage.now, address(PEER).ip()).unwrap(),
        Ask::Bind => stage.allocation.bind_channel(stage.now, address(PEER)).unwrap(),
        Ask::Delete => stage.allocation.release(stage.now),
    }
    stage.run(secs(1200));
    let said: Vec<String> = stage.said().iter().map(brief).collect();
    let end = if stage.allocation.is_alive() { "alive" } else { "over" };
    let asked = stage.server.asked.iter().filter(|(_, other, signed)| *other == ask && *signed).count();
    ((said.join(" ") + " " + end).trim().to_string(), asked)
}

fn brief(event: &RelayEvent) -> String {
    match event {
        RelayEvent::Allocated { .. } => "allocated".into(),
        RelayEvent::Failed(AllocationFailure::Refused { code, .. }) => alloc::format!("failed:{code}"),
        RelayEvent::Failed(failure) => alloc::format!("failed:{failure:?}"),
        RelayEvent::Redirect { to, .. } => alloc::format!("redirect:{to}"),
        RelayEvent::NeedsNewPort => "port".into(),
        RelayEvent::Lost(Loss::Forgotten) => "forgotten".into(),
        RelayEvent::Lost(Loss::Expired) => "expired".into(),
        RelayEvent::Lost(Loss::Silent) => "silent".into(),
        RelayEvent::Refused { code, .. } => alloc::format!("told:{code}"),
        RelayEvent::CredentialsRefused { code } => alloc::format!("credentials:{code}"),
        RelayEvent::PermissionGranted(_) => "granted".into(),
        RelayEvent::PermissionLapsed(_) => "lapsed".into(),
        RelayEvent::PeerRefused { code, .. } => alloc::format!("peer:{code}"),
        RelayEvent::ChannelBound(_) => "bound".into(),
        RelayEvent::ChannelRefused { code, .. } => alloc::format!("channel:{code}"),
        RelayEvent::Released => "released".into(),
    }
}

/// What is to come of each, and the most requests that may be seen.
fn expected(ask: Ask, code: u16, times: u32) -> (String, usize) {
    let always = times == ALWAYS;
    let passes = |code: u16| (500..600).contains(&code) && code != 508;
    let text = |text: &str, most: usize| (text.to_string(), most);
    match (ask, code) {
        (Ask::Allocate, 300) => text("redirect:203.0.113.2:3478 over", 1),
        (Ask::Allocate, 401) => text("failed:BadCredentials over", 1),
        (Ask::Allocate, 437) => text("port over", 1),
        (Ask::Allocate, 438) if always => text("failed:438 over", 9),
        (Ask::Allocate, 438) => text("alive", 2),
        (Ask::Allocate, _) if passes(code) && !always => text("alive", 2),
        (Ask::Allocate, _) if passes(code) => (alloc::format!("failed:{code} over"), 5),
        (Ask::Allocate, _) => (alloc::format!("failed:{code} over"), 1),

        (Ask::Delete, 438) if always => text("released over", 10),
        (Ask::Delete, 438) => text("released over", 2),
        (Ask::Delete, _) => text("released over", 1),

        (Ask::Bind, 437) => text("granted forgotten over", 1),
        (_, 437) => text("forgotten over", 1),
        // Nobody has signed a 401, so it takes several.
        (Ask::Refresh, 401) if !always => text("alive", 5),
        (Ask::Permit, 401) if !always => text("granted alive", 12),
        (Ask::Bind, 401) if !always => text("granted bound alive", 6),
        // The permission is asked for first, and ends first.
        (Ask::Bind, 401 | 441) => (alloc::format!("granted credentials:{code} lapsed expired over"), 4),
        (_, 401 | 441) => (alloc::format!("credentials:{code} expired over"), 4),

        (Ask::Refresh, 438) if always => text("expired over", 150),
        (Ask::Refresh, _) if always => text("expired over", 12),
        (Ask::Refresh, _) => text("alive", 5),

        (Ask::Permit, 438) if always => text("alive", 1500),
        (Ask::Permit, 438) => text("granted alive", 12),
        (Ask::Permit, 403 | 443) => (alloc::format!("peer:{code} alive"), 1),
        (Ask::Permit, _) if !always => text("granted alive", 12),
        (Ask::Permit, _) => (alloc::format!("peer:{code} alive"), 5),

        (Ask::Bind, 438) if always => text("granted alive", 1500),
        (Ask::Bind, 438) => text("granted bound alive", 6),
        (Ask::Bind, 403 | 443) => (alloc::format!("granted channel:{code} alive"), 1),
        (Ask::Bind, _) if !always => text("granted bound alive", 6),
        (Ask::Bind, _) => (alloc::format!("granted channel:{code} alive"), 5),
    }
}

#[test]
fn every_code_has_its_consequence_for_every_request_and_no_server_is_flooded() {
    let mut wrong = Vec::new();
    for ask in [Ask::Allocate, Ask::Refresh, Ask::Delete, Ask::Permit, Ask::Bind] {
        for code in CODES {
            for times in [1, ALWAYS] {
                let (is, asked) = outcome(ask, *code, times);
                let (should_be, most) = expected(ask, *code, times);
                if is != should_be || asked > most || asked == 0 {
                    let times = if times == 1 { "once" } else { "always" };
                    wrong.push(alloc::format!(
                        "{ask:?} {code} {times}: `{is}` after {asked}, not `{should_be}` after {most}"
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_renewal_that_is_refused_has_time_until_what_was_granted_ends() {
    for (ask, code, times, expected) in [
        (Ask::Permit, 403, 1, "alive"),
        (Ask::Permit, 403, ALWAYS, "lapsed peer:403 alive"),
        (Ask::Permit, 508, 1, "alive"),
        (Ask::Permit, 500, 4, "alive"),
        (Ask::Permit, 508, ALWAYS, "lapsed peer:508 alive"),
        (Ask::Permit, 500, ALWAYS, "lapsed peer:500 alive"),
        (Ask::Bind, 403, 1, "alive"),
        (Ask::Bind, 400, ALWAYS, "channel:400 alive"),
        (Ask::Bind, 508, 3, "alive"),
        (Ask::Bind, 500, ALWAYS, "channel:500 alive"),
        (Ask::Refresh, 403, 3, "alive"),
    ] {
        let mut stage = Stage::allocated(config(), Manner::Modern);
        stage.allocation.bind_channel(stage.now, address(PEER)).unwrap();
        stage.run(secs(2));
        stage.events.clear();
        // So that no ChannelBind renews the permission meanwhile.
        if ask == Ask::Permit {
            stage.allocation.forget_channel(address(PEER));
        }
        stage.server.refusals.push((ask, code, times));
        stage.run(secs(1200));
        let said: Vec<String> = stage.said().iter().map(brief).collect();
        let end = if stage.allocation.is_alive() { "alive" } else { "over" };
        assert_eq!((said.join(" ") + " " + end).trim(), expected, "{ask:?} {code} {times}");
    }
}

#[test]
fn of_a_batch_that_is_refused_only_the_culprits_are() {
    let peers: Vec<SocketAddr> = (1..=20).map(|n| SocketAddr::from(([192, 0, 2, n], 1))).collect();
    for code in [403, 508, 500] {
        let mut stage = Stage::allocated(config(), Manner::Classic);
        stage.server.forbidden = alloc::vec![peers[3].ip(), peers[12].ip()];
        stage.server.forbidding = code;
        for peer in &peers {
            stage.allocation.permit(stage.now, peer.ip()).unwrap();
        }
        stage.run(secs(30));
        let refused = [3, 12].map(|n: usize| RelayEvent::PeerRefused { peer: peers[n].ip(), code });
        let said = stage.said();
        assert_eq!(said.len(), 20, "{said:?}");
        assert!(refused.iter().all(|event| said.contains(event)), "{code}: {said:?}");
        let granted = peers.iter().filter(|peer| stage.allocation.may_send(stage.now, peer.ip())).count();
        assert_eq!(granted, 18, "{code}");
        // From then on they go together again.
        let before = stage.server.count(Ask::Permit);
        stage.run(secs(180));
        assert_eq!(stage.server.count(Ask::Permit) - before, 3, "{code}");
    }
}

#[test]
fn a_server_that_stumbles_over_two_families_is_asked_for_one() {
    for (code, times, expected) in [
        (440, 1, "allocated"),
        (440, 2, "allocated"),
        (440, ALWAYS, "failed:440"),
        (400, 1, "allocated"),
        (420, 1, "allocated"),
        (420, ALWAYS, "failed:420"),
        (403, 1, "failed:403"),
    ] {
        let mut server = Server::new(Manner::Classic);
        server.refusals.push((Ask::Allocate, code, times));
        let mut stage = Stage::new(AllocationConfig { families: Families::Both, ..config() }, server);
        stage.run(secs(60));
        let said: Vec<String> = stage.said().iter().map(brief).collect();
        assert_eq!(said, [expected], "{code} {times}");
        assert!(stage.server.count(Ask::Allocate) <= 4);
    }
}

#[test]
fn a_peer_of_a_family_without_a_relayed_address_is_refused_before_or_after() {
    let (v4, v6) = (address(PEER), address("[2001:db8::1]:5"));
    let mut stage = Stage::new(config(), Server::new(Manner::Classic));
    stage.allocation.permit(stage.now, v6.ip()).unwrap();
    stage.allocation.bind_channel(stage.now, v6).unwrap();
    stage.allocation.permit(stage.now, v4.ip()).unwrap();
    stage.run(secs(2));
    let said: Vec<String> = stage.said().iter().map(brief).collect();
    assert_eq!(said, ["allocated", "peer:443", "granted"]);
    assert_eq!(stage.allocation.permit(stage.now, v6.ip()), Err(Wanting::NoRelayedAddress));
    assert_eq!(stage.allocation.bind_channel(stage.now, v6), Err(Wanting::NoRelayedAddress));
    assert_eq!((stage.server.count(Ask::Permit), stage.server.count(Ask::Bind)), (1, 0));
    for nobody in ["0.0.0.0:1", "224.0.0.1:1", "192.0.2.1:0"] {
        let wanted = stage.allocation.bind_channel(stage.now, address(nobody));
        assert_eq!(wanted, Err(Wanting::NotATransportAddress), "{nobody}");
    }
}

#[test]
fn redirections_are_followed_in_no_circle_and_not_for_ever() {
    let other = |n: u8| SocketAddr::from(([203, 0, 113, n], 3478));
    let six = address("[2001:db8::7]:3478");
    let redirected = |to| RelayEvent::Redirect { to, domain: None };
    let looped = RelayEvent::Failed(AllocationFailure::RedirectLoop);
    let refused = RelayEvent::Failed(AllocationFailure::Refused { code: 300, reason: "no".into() });
    for (alternates, before, expected) in [
        (alloc::vec![six, other(2)], 0, redirected(other(2))),
        (alloc::vec![other(2)], 3, redirected(other(2))),
        // Our server itself is number 1, and those before it are 10 and above.
        (alloc::vec![other(1)], 0, looped.clone()),
        (alloc::vec![other(11)], 3, looped.clone()),
        (alloc::vec![other(2)], 5, looped),
        (alloc::vec![six], 0, refused.clone()),
        (alloc::vec![SocketAddr::from(([0, 0, 0, 0], 1))], 0, refused.clone()),
        (alloc::vec![], 0, refused),
    ] {
        for manner in [Manner::Open, Manner::Classic] {
            let mut server = Server::new(manner);
            server.alternates = alternates.clone();
            server.refusals.push((Ask::Allocate, 300, ALWAYS));
            let redirected_by = (10..10 + before).map(other).collect();
            let mut stage = Stage::new(AllocationConfig { redirected_by, ..config() }, server);
            stage.run(secs(60));
            assert_eq!(
                stage.said().as_slice(),
                core::slice::from_ref(&expected),
                "{alternates:?} after {before}"
            );
        }
    }
}

#[test]
fn a_refusal_that_may_pass_is_told_once_for_each_code() {
    let mut stage = Stage::allocated(config(), Manner::Modern);
    stage.server.refusals.push((Ask::Permit, 508, 2));
    stage.server.refusals.push((Ask::Permit, 500, 2));
    stage.allocation.permit(stage.now, address(PEER).ip()).unwrap();
    stage.run(secs(60));
    let told: Vec<String> =
        stage.events.iter().map(|(_, event)| brief(event)).filter(|told| told.starts_with("told")).collect();
    assert_eq!(told, ["told:508", "told:500"]);
    assert!(stage.allocation.may_send(stage.now, address(PEER).ip()));
}
