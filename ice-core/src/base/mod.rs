//! The ground floor: time, names, randomness. Everything stands on it; it imports nothing of the engine.

mod ids;
mod instant;
mod random;
mod stream_end;

pub use ids::{ComponentId, InterfaceId, PairId, SocketId, StreamId, Tuple};
pub use instant::Instant;
pub use random::Random;
pub use stream_end::StreamEnd;
