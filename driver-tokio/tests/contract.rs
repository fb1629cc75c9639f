//! The suite that every driver has to pass, on both kinds of tokio runtime.

#![allow(clippy::unwrap_used, reason = "the helpers belong to the tests")]

use floe_driver::contract_tests;
use floe_tokio::Tokio;
use tokio::runtime::Builder;

mod on_one_thread {
    use super::*;

    contract_tests!(on(&mut Builder::new_current_thread()), Tokio::current().unwrap());
}

mod on_two_threads {
    use super::*;

    contract_tests!(on(Builder::new_multi_thread().worker_threads(2)), Tokio::current().unwrap());
}

fn on<F: Future<Output = ()>>(builder: &mut Builder) -> impl FnOnce(F) {
    let runtime = builder.enable_all().build().unwrap();
    move |test| runtime.block_on(test)
}
