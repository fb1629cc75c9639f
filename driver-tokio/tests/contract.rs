//! The suite that every driver has to pass, on both kinds of tokio runtime.

use floe_driver::contract;
use floe_tokio::Tokio;

macro_rules! tests {
    ($($name:ident)*) => {$(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn on_one_thread() {
                contract::$name(&Tokio::current().unwrap()).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_two_threads() {
                contract::$name(&Tokio::current().unwrap()).await;
            }
        }
    )*};
}

tests! {
    connects_both_ways
    candidates_may_trickle
    recv_is_cancel_safe
    send_errors_are_typed
    close_ends_what_waits
    dropping_ends_the_task
    sockets_survive_closed_ports
    events_tell_what_happened
    failure_is_a_report
}
