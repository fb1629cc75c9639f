//! What is special about tokio: there may be no runtime, it may end first, and futures are spawned on it.

#![allow(clippy::unwrap_used, reason = "the helpers belong to the tests")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use floe_tokio::{AgentConfig, BindError, Config, ConnectError, InterfacePolicy, RecvError, Role};

fn config(role: Role) -> Config {
    let agent = AgentConfig { role, ..Default::default() };
    Config { agent, interfaces: InterfacePolicy::loopback_only(), ..Default::default() }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn without_a_runtime_bind_says_so() {
    let polled =
        pin!(floe_tokio::bind(config(Role::Controlling))).poll(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(polled, Poll::Ready(Err(BindError::Runtime(_)))));
}

#[test]
fn when_the_runtime_ends_nobody_waits_for_ever() {
    let first = runtime();
    let session = first.block_on(floe_tokio::bind(config(Role::Controlling))).unwrap();
    drop(first);
    runtime().block_on(async {
        let guard = tokio::time::timeout(Duration::from_secs(10), async {
            assert_eq!(session.connect().await.unwrap_err(), ConnectError::Closed);
            assert_eq!(session.connection().recv().await.unwrap_err(), RecvError::Closed);
            session.close().await;
        });
        guard.await.unwrap();
    });
}

#[tokio::test]
async fn an_address_that_is_not_there_is_named() {
    let interfaces = InterfacePolicy { loopback: false, external: false, ..Default::default() };
    let error = floe_tokio::bind(Config { interfaces, ..Default::default() }).await.unwrap_err();
    assert!(matches!(error, BindError::NoUsableAddress(_)));
    let text = error.to_string();
    assert!(text.contains("127.0.0.1 on ") && text.contains(": loopback"), "{text}");
}

#[tokio::test]
async fn each_side_may_live_in_a_task_of_its_own() {
    let (left, right) = (config(Role::Controlling), config(Role::Controlled));
    let (left, right) = (floe_tokio::bind(left).await.unwrap(), floe_tokio::bind(right).await.unwrap());
    left.set_remote_description(&right.local_description()).unwrap();
    right.set_remote_description(&left.local_description()).unwrap();
    let echo = tokio::spawn(async move {
        let connection = right.connect().await.unwrap();
        drop(right);
        let heard = connection.recv().await.unwrap();
        connection.send(&heard).await.unwrap();
        connection.selected().await.unwrap();
        connection.close().await;
    });
    let guard = tokio::time::timeout(Duration::from_secs(10), async {
        let connection = left.connect().await.unwrap();
        connection.send(b"echo").await.unwrap();
        assert_eq!(&connection.recv().await.unwrap()[..], b"echo");
        echo.await.unwrap();
    });
    guard.await.unwrap();
}
