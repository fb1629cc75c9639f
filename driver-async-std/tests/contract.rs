//! The suite that every driver has to pass, on async-std and on smol.

use floe_async_std::{AsyncStd, Smol};
use floe_driver::contract_tests;

mod on_async_std {
    use super::*;

    contract_tests!(async_std::task::block_on, AsyncStd);
}

mod on_smol {
    use super::*;

    contract_tests!(smol::block_on, Smol);
}
