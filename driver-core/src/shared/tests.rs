use std::pin::pin;

use super::*;
use crate::testing::shared;

#[test]
fn what_does_not_fit_is_dropped_and_counted() {
    let shared = shared();
    shared.with(|state| {
        for number in 0..=u16::try_from(MAX_RECEIVED).unwrap() {
            state.on_data(&number.to_be_bytes());
        }
        assert_eq!(state.stats.overflowed, 1);
        for number in 0..u16::try_from(MAX_RECEIVED).unwrap() {
            assert_eq!(state.take_received().unwrap().unwrap()[..], number.to_be_bytes());
        }
        assert!(state.take_received().is_none());
    });
}

#[test]
fn the_end_comes_after_the_last_datagram() {
    let shared = shared();
    shared.with(|state| {
        state.on_data(b"last");
        state.on_end();
        assert_eq!(state.take_received(), Some(Ok(Bytes::from_static(b"last"))));
        assert_eq!(state.take_received(), Some(Err(RecvError::Closed)));
    });
}

#[test]
fn a_future_that_is_dropped_leaves_nothing_behind() {
    let shared = shared();
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..10 {
        let mut wait = pin!(shared.wait(Topic::Arrival, State::take_received));
        assert!(wait.as_mut().poll(&mut cx).is_pending());
        assert_eq!(shared.with(|state| state.waiters(Topic::Arrival).len()), 1);
    }
    assert_eq!(shared.with(|state| state.waiters(Topic::Arrival).len()), 0);
}

#[test]
fn a_waker_may_use_the_session() {
    struct Uses(std::sync::Arc<Shared<crate::testing::Puppet>>);
    impl std::task::Wake for Uses {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.close();
        }
    }
    let shared = shared();
    let waker = Waker::from(std::sync::Arc::new(Uses(std::sync::Arc::clone(&shared))));
    let mut wait = pin!(shared.wait(Topic::Arrival, State::take_received));
    assert!(wait.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    shared.with(|state| state.on_data(b"x"));
    assert_eq!(shared.with(|state| state.life), Life::Closing);
}
