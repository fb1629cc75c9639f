//! A TURN server does wrong what a scenario wants.

use floe_sim::server::{Fault, Request};

use crate::client::{
    ALLOCATE, ALTERNATE_SERVER, BINDING, CHANNEL_BIND, CREATE_PERMISSION, Lab, REFRESH, channel, peer, plain,
    udp,
};

const ALL: [(Request, u16); 4] = [
    (Request::Allocate, ALLOCATE),
    (Request::Refresh, REFRESH),
    (Request::CreatePermission, CREATE_PERMISSION),
    (Request::ChannelBind, CHANNEL_BIND),
];

/// What a request of this method needs.
fn attributes(method: u16) -> Vec<(u16, Vec<u8>)> {
    match method {
        ALLOCATE => vec![udp()],
        REFRESH => vec![],
        CREATE_PERMISSION => vec![peer("192.0.2.9:1")],
        _ => vec![channel(0x4000), peer("192.0.2.9:1")],
    }
}

/// With an allocation, unless that is what is to be made.
fn lab(method: u16) -> Lab {
    let mut lab = Lab::new(|_| {});
    if method != ALLOCATE {
        lab.allocate();
    }
    lab
}

#[test]
fn every_request_can_be_refused_with_every_code() {
    for (kind, method) in ALL {
        for code in [300, 400, 401, 403, 420, 437, 438, 440, 441, 442, 443, 446, 447, 486, 500, 508, 599] {
            let mut lab = lab(method);
            lab.server.add_fault(Fault::next(kind).answered_with(code));
            let answer = lab.request(method, &attributes(method));
            assert_eq!(answer.code(), Some(code), "{kind:?}");
            let challenge = matches!(code, 401 | 438);
            assert_eq!(answer.message().nonce().is_some(), challenge);
            assert_eq!(answer.message().verify(&lab.key()).is_ok(), !challenge);
            if challenge {
                lab.accept(&answer);
            }
            if method == ALLOCATE {
                assert_eq!(lab.server.allocations().count(), 0, "it was not carried out");
            }
            assert_eq!(lab.request(method, &attributes(method)).code(), None, "{kind:?} after {code}");
        }
    }
}

#[test]
fn a_request_can_be_refused_before_it_has_credentials() {
    let mut lab = Lab::new(|_| {});
    lab.server.add_fault(Fault::next(Request::Allocate).on_arrival().answered_with(500));
    let request = lab.unsigned(ALLOCATE, &[udp()]);
    assert_eq!(lab.exchange(&request).unwrap().code(), Some(500));
    assert_eq!(lab.exchange(&request).unwrap().code(), Some(401));
    lab.server.add_fault(Fault::next(Request::Binding).on_arrival().answered_with(400));
    let request = lab.unsigned(BINDING, &[]);
    assert_eq!(lab.exchange(&request).unwrap().code(), Some(400));
    assert_eq!(lab.exchange(&request).unwrap().code(), None);
}

#[test]
fn a_lost_reply_is_found_by_asking_again() {
    for (kind, method) in ALL {
        let mut lab = lab(method);
        // The first Allocate is the one without credentials.
        let nth = if method == ALLOCATE { 2 } else { 1 };
        lab.server.add_fault(Fault::nth(nth, kind).with_reply_lost());
        if method == ALLOCATE {
            let request = lab.unsigned(ALLOCATE, &[]);
            let challenge = lab.exchange(&request).unwrap();
            lab.accept(&challenge);
        }
        let request = lab.signed(method, &attributes(method));
        assert_eq!(lab.exchange(&request), None);
        assert_eq!(lab.server.allocations().count(), 1, "it was carried out");
        assert_eq!(lab.exchange(&request).unwrap().code(), None);
        assert_eq!((lab.server.allocations().count(), lab.sockets.open.len()), (1, 1));
    }
}

#[test]
fn an_ignored_request_is_not_carried_out() {
    let mut lab = Lab::new(|_| {});
    lab.server.add_fault(Fault::next(Request::Allocate).authenticated().ignored());
    let request = lab.unsigned(ALLOCATE, &[]);
    let challenge = lab.exchange(&request).unwrap();
    lab.accept(&challenge);
    let request = lab.signed(ALLOCATE, &[udp()]);
    assert_eq!(lab.exchange(&request), None);
    assert_eq!(lab.server.allocations().count(), 0);
    assert_eq!(lab.exchange(&request).unwrap().code(), None);
    lab.server.add_fault(Fault::every(Request::Refresh).ignored());
    for _ in 0..10 {
        let request = lab.signed(REFRESH, &[]);
        assert_eq!(lab.exchange(&request), None);
    }
    lab.server.clear_faults();
    assert_eq!(lab.request(REFRESH, &[]).code(), None);
}

#[test]
fn a_forged_reply_has_another_seal_and_the_next_is_right() {
    let mut lab = lab(REFRESH);
    lab.server.add_fault(Fault::next(Request::Refresh).with_reply_forged());
    let request = lab.signed(REFRESH, &[]);
    let forged = lab.exchange(&request).unwrap();
    assert!(forged.message().has_integrity() && forged.message().verify(&lab.key()).is_err());
    assert!(lab.exchange(&request).unwrap().message().verify(&lab.key()).is_ok());
}

#[test]
fn a_redirection_can_hit_any_request() {
    let other = "198.51.100.9:3478".parse().unwrap();
    let mut lab = Lab::new(|_| {});
    lab.server.add_fault(Fault::next(Request::Allocate).redirected_to(other));
    let answer = lab.request(ALLOCATE, &[udp()]);
    assert_eq!(answer.code(), Some(300));
    assert_eq!(plain(&answer.value(ALTERNATE_SERVER).unwrap()), other);
    assert!(answer.message().verify(&lab.key()).is_ok());
}

#[test]
fn a_server_that_was_started_anew_knows_no_allocation() {
    let mut lab = lab(REFRESH);
    assert!(lab.server.forget_allocation(lab.client, &mut lab.sockets));
    assert!(lab.sockets.open.is_empty());
    assert_eq!(lab.request(REFRESH, &[]).code(), Some(437));
    assert!(!lab.server.forget_allocation(lab.client, &mut lab.sockets));
}
