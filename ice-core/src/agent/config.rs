//! What an agent is told when it is made, and what can be wrong with it.

use core::fmt;
use core::time::Duration;

use crate::candidate::CandidateFilter;
use crate::check::{MAX_PAIRS, Nomination, Reach, Role};
use crate::description::Credentials;

/// How an agent behaves. The default is a controlling agent that connects fast.
///
/// ```
/// use floe_core::{AgentConfig, Role};
/// let config = AgentConfig { role: Role::Controlled, ..Default::default() };
/// ```
#[derive(Clone, Debug)]
pub struct AgentConfig {
    /// Which side nominates. By custom the offerer controls (RFC 8445 §6.1.1); a conflict is repaired.
    pub role: Role,
    /// When the controlling side nominates.
    pub nomination: Nomination,
    /// How many pairs are tried.
    pub reach: Reach,
    /// Ta, the distance between new checks: 5 ms to 10 s, 50 ms by default (RFC 8445 §14.2). Other values than the
    /// default must be agreed with the peer.
    pub ta: Duration,
    /// When the agent fails if it has no usable path, counted from its first `now`. `None`: when RFC 8863's
    /// patience (39.5 s from the peer's credentials) has passed and nothing is left to try.
    pub deadline: Option<Duration>,
    /// Our credentials; drawn from the seed if not given (4 and 24 characters of 6 bits each).
    pub credentials: Option<Credentials>,
    /// Which candidates of ours are told and used.
    pub local_filter: CandidateFilter,
    /// Which candidates of the peer are used.
    pub remote_filter: CandidateFilter,
    /// Decides who yields when both sides want the same role (RFC 8445 §5.2); drawn from the seed if not given.
    pub tie_breaker: Option<u64>,
}

impl Default for AgentConfig {
    fn default() -> Self {
        Self {
            role: Role::default(),
            nomination: Nomination::default(),
            reach: Reach::default(),
            ta: Duration::from_millis(50),
            deadline: None,
            credentials: None,
            local_filter: CandidateFilter::default(),
            remote_filter: CandidateFilter::default(),
            tie_breaker: None,
        }
    }
}

impl AgentConfig {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.ta < Duration::from_millis(5) || self.ta > Duration::from_secs(10) {
            return Err(ConfigError::Ta(self.ta));
        }
        match self.reach {
            Reach::Pairs(limit) if !(1..=MAX_PAIRS).contains(&limit) => Err(ConfigError::Reach(limit)),
            _ => Ok(()),
        }
    }
}

/// What is wrong with an [`AgentConfig`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Ta is under 5 ms (RFC 8445 §14.2) or over 10 s.
    Ta(Duration),
    /// The limit on pairs is 0 or over [`MAX_PAIRS`].
    Reach(u16),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ta(ta) => write!(f, "Ta of {ta:?} is not in 5 ms to 10 s (RFC 8445 section 14.2)"),
            Self::Reach(limit) => write!(f, "a limit of {limit} pairs is not in 1 to {MAX_PAIRS}"),
        }
    }
}

impl core::error::Error for ConfigError {}
