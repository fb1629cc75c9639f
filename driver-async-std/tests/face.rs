//! Changing runtimes is changing an import: one program, and three imports.

#![allow(clippy::expect_used, reason = "the helper belongs to the tests")]

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

macro_rules! program_on {
    ($name:ident, $block_on:expr, $($face:tt)+) => {
        mod $name {
            use $($face)+::{
                bind, AgentConfig, BindError, Config, ConnectError, Connection, Events, InterfacePolicy, Role,
                Session,
            };

            #[test]
            fn one_program_runs() {
                $block_on(async {
                    let (alice, bob) = (side(Role::Controlling).await, side(Role::Controlled).await);
                    let (alice, bob) = (alice.unwrap(), bob.unwrap());
                    let mut events: Events = alice.events();
                    alice.set_remote_description(&bob.local_description()).unwrap();
                    bob.set_remote_description(&alice.local_description()).unwrap();
                    // Each session has a task of its own, so that one may be waited for after the other.
                    let there: Result<Connection, ConnectError> = alice.connect().await;
                    let here = bob.connect().await.unwrap();
                    there.unwrap().send(b"hello").await.unwrap();
                    assert_eq!(&here.recv().await.unwrap()[..], b"hello");
                    assert!(events.next().await.is_some());
                });
            }

            pub(super) async fn side(role: Role) -> Result<Session, BindError> {
                let agent = AgentConfig { role, ..Default::default() };
                bind(Config { agent, interfaces: InterfacePolicy::loopback_only(), ..Default::default() }).await
            }
        }
    };
}

program_on!(on_async_std, async_std::task::block_on, floe_async_std);
program_on!(on_smol, smol::block_on, floe_async_std::smol);
program_on!(on_tokio, super::in_tokio, floe_tokio);

fn in_tokio(program: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(program);
}

#[test]
fn no_runtime_has_to_run_for_a_session_to_be_bound() {
    let mut cx = Context::from_waker(Waker::noop());
    let role = floe_async_std::Role::Controlling;
    assert!(matches!(pin!(on_async_std::side(role)).poll(&mut cx), Poll::Ready(Ok(_))));
    assert!(matches!(pin!(on_smol::side(role)).poll(&mut cx), Poll::Ready(Ok(_))));
}
