//! ICE engines side by side: the same work for each, under the same conditions, in one run. What is inside each row
//! is told in `README.md`.
//!
//! A contender is a file in `contenders/` that implements [`Engine`], and a line in [`contenders::all`]. Nothing else
//! knows any of them by name.

mod contender;
pub mod contenders;
pub mod judge;
pub mod measure;
pub mod network;
pub mod packets;
pub mod quiet;
pub mod report;
pub mod rows;
pub mod survey;

pub use contender::{
    Agent, Codec, Contender, Credentials, Engine, Fields, Limits, News, Outbox, Refusals, Setup, register,
};
