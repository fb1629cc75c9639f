//! What a candidate is: its types, its priority, its foundation, its line of SDP, and the tables of
//! both sides' candidates that the gathering, checking and path rooms share.
//!
//! It decides nothing about when a candidate is gathered, signalled or paired.

mod error;
mod extensions;
mod filter;
mod foundation;
mod grammar;
mod local;
mod network;
mod preference;
mod priority;
mod signalled;
mod table;

pub use error::{CandidateError, Field, Token};
pub use extensions::{Extensions, MAX_EXTENSIONS, TcpType};
pub use filter::{AddressPrefix, CandidateFilter, CandidateTypes, PrefixError};
pub use foundation::{Foundation, FoundationTable, MAX_FOUNDATIONS};
pub use grammar::MAX_LINE;
pub(crate) use grammar::{Host, remote_candidate};
pub use local::{LocalCandidate, NewLocal, Secrecy};
pub use network::{MAX_NETWORK_COST, Network};
pub use preference::LocalPreferences;
pub(crate) use preference::tcp_preference;
pub use priority::{pair_priority, peer_reflexive_priority, priority, priority_over};
pub(crate) use signalled::is_transport_address;
pub use signalled::{Address, Candidate, CandidateType, Transport};
pub use table::{
    AddedLocal, AddedRemote, Candidates, LocalId, MAX_LOCAL_CANDIDATES, MAX_LOCAL_PEER_REFLEXIVE,
    MAX_PEER_REFLEXIVE, MAX_REMOTE_CANDIDATES, NewRemote, Origin, RemoteCandidate, RemoteId,
};
