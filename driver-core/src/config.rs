//! What a session is told when it is bound, and what its two sides tell each other.

use std::fmt;

use floe_core::server::IceServer;
use floe_core::trace::Observer;
use floe_core::{AgentConfig, Candidate, Credentials, RemoteError};

use crate::InterfacePolicy;

/// How a session behaves. The default is a controlling agent on all usable interfaces.
#[derive(Default)]
pub struct Config {
    /// The engine's part: role, nomination, deadline.
    pub agent: AgentConfig,
    /// Which addresses are bound.
    pub interfaces: InterfacePolicy,
    /// Whether the peer may be reached over TCP, too (RFC 6544): beside each UDP socket there is a listener on the same address, at a port
    /// of its own, and connections to the peer are opened from there. Datagrams are preferred where they get through. `false` unless set;
    /// a lite agent, which has one candidate on each address, has datagrams only.
    pub tcp: bool,
    /// STUN and TURN servers that are asked for candidates, as browsers' `iceServers` has them.
    pub servers: Vec<IceServer>,
    /// Whose certificates are trusted where a server is spoken to over TLS. Without the feature `tls`, there is no TLS.
    pub tls: TlsRoots,
    /// Sees every decision of the engine, in order, while the session is locked: it must be quick and must not use the
    /// session. What it sees also goes to `tracing` (target `floe`, levels debug and trace).
    pub observer: Option<Box<dyn Observer + Send>>,
}

/// Whose certificates are trusted.
#[derive(Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TlsRoots {
    /// Those of the authorities that the system trusts.
    #[default]
    System,
    /// Those of the authorities whose certificates are in this PEM text, and no others.
    Pem(Vec<u8>),
}

impl fmt::Debug for TlsRoots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => f.write_str("System"),
            Self::Pem(pem) => write!(f, "Pem({} bytes)", pem.len()),
        }
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("agent", &self.agent)
            .field("interfaces", &self.interfaces)
            .field("tcp", &self.tcp)
            .field("servers", &self.servers)
            .field("tls", &self.tls)
            .field("observer", &self.observer.is_some())
            .finish()
    }
}

/// What one side tells the other through signalling, whatever form it has there.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use floe_core::Credentials;
/// use floe_driver::Description;
///
/// let from_signalling = Description {
///     credentials: Credentials::new("8hhY", "asd88fgpdd777uzjYhagZg")?,
///     candidates: vec!["candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host".parse()?],
///     end_of_candidates: true,
/// };
/// # let _ = from_signalling; Ok(()) }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Description {
    /// `ice-ufrag` and `ice-pwd` (RFC 8839 §5.4).
    pub credentials: Credentials,
    /// Each is displayed as, and parsed from, its line of SDP (RFC 8839 §5.1).
    pub candidates: Vec<Candidate>,
    /// Whether no more candidates follow (RFC 8838 §13). Ours says so after
    /// [`Session::end_of_local_candidates`](crate::Session::end_of_local_candidates) only, since a session may roam.
    pub end_of_candidates: bool,
}

/// A candidate of the peer's description that could not be taken. The others were.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnusableCandidate {
    /// As it was signalled.
    pub candidate: Candidate,
    /// Most reasons are no fault of anyone: peers signal TCP candidates and names.
    pub reason: RemoteError,
}
