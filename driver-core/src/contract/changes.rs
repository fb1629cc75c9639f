//! What may change in the middle of a session: credentials, sockets, profiles.

use floe_core::{
    AgentConfig, Event, IceTransportState, Nomination, Profile, RemoteError, RestartError, Role, SocketError,
};

use super::tools::{
    LOOPBACK, addresses, beside, bind, both, can_be_bound, close_all_but, connected, exchange, forward,
    introduce, is_pending, within, yielding_until,
};
use crate::{ConnectError, Connection, RecvError, Runtime, UnusedReason};

/// A restart by offer and answer, with data on its way all the while: every datagram arrives. An offer that is refused
/// leaves nothing behind.
pub async fn restarts_break_nothing<R: Runtime>(runtime: &R) {
    let (left, right) = connected(runtime).await;
    let (chosen, same) = within(runtime, both(left.selected(), right.selected())).await;
    assert!(chosen.is_ok() && same.is_ok());
    let (one, two) = (left.session(), right.session());
    let before = one.local_description();
    assert_eq!(one.apply_restart(), Err(RestartError::NotPrepared));
    assert_eq!(one.cancel_restart(), Err(RestartError::NotPrepared));
    let refused = one.prepare_restart().unwrap();
    assert_eq!(one.local_description().credentials, refused);
    assert_eq!((one.cancel_restart(), one.local_description()), (Ok(()), before.clone()));

    let offered = one.prepare_restart().unwrap();
    let offer = one.local_description();
    assert_eq!((&offer.credentials, offer.candidates.len()), (&offered, before.candidates.len()));
    exchange(runtime, &left, &right).await;
    assert_eq!(two.set_remote_description(&offer), Ok(Vec::new()));
    exchange(runtime, &left, &right).await;
    assert_eq!(one.set_remote_description(&two.local_description()), Ok(Vec::new()));
    assert_eq!(one.local_credentials(), offered);
    let has_moved = |connection: &Connection<R>| {
        let (path, selected) = (connection.path(), connection.selected_path());
        path.is_some() && path == selected && path.is_some_and(|path| path.pair.generation() > 0)
    };
    let traffic = async {
        let mut rounds = 0;
        while !(has_moved(&left) && has_moved(&right)) {
            exchange(runtime, &left, &right).await;
            rounds += 1;
        }
        rounds
    };
    assert!(within(runtime, traffic).await > 0);
    exchange(runtime, &left, &right).await;
    let (ours, theirs) = (left.path().unwrap(), right.path().unwrap());
    assert_eq!((ours.local, ours.remote), (theirs.remote, theirs.local));
}

/// Whoever restarts signals its credentials, the other follows and says what it answers. Also when no path is left:
/// whoever waits for data then waits on.
pub async fn restarts_need_no_offers<R: Runtime>(runtime: &R) {
    let (left, right) = connected(runtime).await;
    let (one, two) = (left.session(), right.session());
    let (chosen, same) = within(runtime, both(left.selected(), right.selected())).await;
    assert!(chosen.is_ok() && same.is_ok());
    // Towards a peer that does not renominate, a new socket does not save the path.
    let id = one.socket_up(LOOPBACK).unwrap();
    close_all_but(&one, id);
    within(runtime, forward(&one, &two, |event| matches!(event, Event::RestartNeeded(_)))).await;
    assert!(matches!(within(runtime, left.recv()).await, Err(RecvError::Lost(_))));
    assert!(matches!(within(runtime, one.connect()).await, Err(ConnectError::Lost(_))));

    let is_restarted = |event: &Event| matches!(event, Event::Restarted { .. });
    let credentials = one.restart().unwrap();
    assert_eq!(one.local_credentials(), credentials);
    within(runtime, forward(&one, &two, is_restarted)).await;
    within(runtime, forward(&two, &one, is_restarted)).await;
    let mut waits = Box::pin(left.recv());
    assert!(is_pending(&mut waits).await);
    let signalling = both(forward(&one, &two, |_| false), forward(&two, &one, |_| false));
    let (here, there) = within(runtime, beside(both(one.connect(), two.connect()), signalling)).await;
    assert!(here.is_ok() && there.is_ok());
    within(runtime, right.send(b"after all")).await.unwrap();
    assert_eq!(&within(runtime, waits).await.unwrap()[..], b"after all");
    assert_eq!(one.accept_credentials(credentials, None), Err(RemoteError::OurOwnCredentials));
}

/// The host moves: a socket comes up, those before go, and data goes over the new one, without a restart. What is closed
/// is free again.
pub async fn sockets_may_come_and_go<R: Runtime>(runtime: &R) {
    let agent = |role| AgentConfig { role, nomination: Nomination::Renominate, ..Default::default() };
    let (one, two) = (bind(runtime, agent(Role::Controlling)), bind(runtime, agent(Role::Controlled)));
    one.set_remote_renomination(true);
    two.set_remote_renomination(true);
    introduce(&one, &two);
    let (left, right) = within(runtime, both(one.connect(), two.connect())).await;
    let (left, right) = (left.unwrap(), right.unwrap());
    exchange(runtime, &left, &right).await;

    let before: Vec<_> = one.sockets().into_iter().map(|(_, local)| local).collect();
    assert_eq!(before, addresses(&one.local_description()));
    let id = one.socket_up(LOOPBACK).unwrap();
    let local = one.sockets().into_iter().find(|(known, _)| *known == id).unwrap().1;
    assert!(!before.contains(&local));
    let is_told = |event: &Event| matches!(event, Event::LocalCandidate { candidate, .. } if candidate.address.socket_addr() == Some(local));
    within(runtime, forward(&one, &two, is_told)).await;
    let closed = close_all_but(&one, id);
    assert_eq!(one.socket_down(closed), Err(SocketError::UnknownSocket(closed)));
    assert_eq!(one.sockets(), [(id, local)]);
    let is_over_it = || {
        let ends = left.path().zip(right.path());
        ends.is_some_and(|(ours, theirs)| (ours.socket, theirs.remote) == (id, local))
    };
    let signalling = both(forward(&one, &two, |_| false), forward(&two, &one, |_| false));
    within(runtime, beside(yielding_until(is_over_it), signalling)).await;
    exchange(runtime, &left, &right).await;
    assert!(left.path().is_some_and(|path| path.pair.generation() == 0), "it has restarted");
    assert_eq!(addresses(&one.local_description()), [local]);
    within(runtime, yielding_until(|| can_be_bound(&before))).await;

    // What has come by hand stays, and what the policy allows besides comes back.
    let followed = one.follow_interfaces();
    let others = before.iter().filter(|address| address.ip() != local.ip()).count();
    assert_eq!((followed.up.len(), followed.down.len()), (others, 0), "{followed:?}");
    within(runtime, one.close()).await;
    assert!(can_be_bound(&[local]));
    assert!(matches!(one.socket_up(LOOPBACK), Err(UnusedReason::Engine(SocketError::Ended))));
    assert_eq!(one.socket_down(id), Err(SocketError::Ended));
    assert!(one.follow_interfaces().up.is_empty());
}

/// What the application knows of its path reaches the engine, and what the engine has counted the application.
pub async fn notes_profiles_and_statistics<R: Runtime>(runtime: &R) {
    let (left, right) = connected(runtime).await;
    let (chosen, same) = within(runtime, both(left.selected(), right.selected())).await;
    assert!(chosen.is_ok() && same.is_ok());
    exchange(runtime, &left, &right).await;
    let (session, peer) = (left.session(), right.session());
    let transport = || session.ice_stats().transports.into_iter().next().unwrap();
    assert_eq!((transport().packets_sent, transport().packets_received), (1, 1));
    assert_eq!(transport().ice_state, IceTransportState::Completed);
    session.note_trouble();
    within(runtime, forward(&session, &peer, |event| matches!(event, Event::PathDegraded(_)))).await;
    assert_eq!(transport().ice_state, IceTransportState::Disconnected);
    session.note_alive();
    within(runtime, forward(&session, &peer, |event| matches!(event, Event::PathRecovered(_)))).await;
    assert_eq!(transport().ice_state, IceTransportState::Completed);

    assert_eq!(session.profile(), Profile::Active);
    session.set_profile(Profile::Idle);
    assert_eq!((session.profile(), peer.profile()), (Profile::Idle, Profile::Active));
}
