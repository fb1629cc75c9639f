//! A client of TURN servers (RFC 8656): one [`Allocation`] is one relayed address, or one of each family, reached through one
//! 5-tuple, with its permissions and channels. It authenticates itself (RFC 8489 §9.2), follows or reports what the server
//! says, keeps alive what is wanted for as long as it is wanted, and frames data in both directions.
//!
//! It knows neither sockets nor candidates: who owns one hands it what came from its server, gives it slots of Ta for new
//! requests (RFC 8445 §14), sends what it writes, and takes its events. It never asks for a socket, a stream or another server
//! by itself: it says that one is needed, and is then over.

mod allocation;
mod answers;
mod channels;
mod config;
mod data;
mod event;
mod permissions;
mod requests;
mod session;
#[cfg(test)]
mod tests;
mod write;

pub(crate) use allocation::Allocation;
pub(crate) use config::{AllocationConfig, Carrier, Families, RelayCredentials};
pub(crate) use data::{FromServer, NotFramed};
pub(crate) use event::{AllocationFailure, Loss, RelayEvent, Wanting};
pub(crate) use permissions::MAX_PERMISSIONS;
