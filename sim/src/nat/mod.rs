//! NATs on the axes of RFC 4787: mapping and filtering are independent of each other, and some manners come with
//! them. `axes` and `config` say how one behaves, `table` is what it remembers, `ports` is how it chooses external ports.

mod axes;
mod config;
mod connections;
mod ports;
mod table;

pub use axes::{
    DatagramRefusal, Filtering, Hairpin, Mapping, Pooling, PortAssignment, Refresh, SynRefusal, TcpLifetimes,
};
pub use config::NatConfig;
pub(crate) use table::NatTable;

/// What a table of mappings is for: UDP and TCP each have one of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Udp,
    Tcp,
}
