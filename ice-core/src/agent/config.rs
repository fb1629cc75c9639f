//! What an agent is told when it is made, and what can be wrong with it.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::base::ComponentId;
use crate::candidate::CandidateFilter;
use crate::check::{DEFAULT_TA, HopelessPairs, MAX_PAIRS, MAX_TA, Nomination, Reach, Role};
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
    /// How many components each data stream has, 1 to 256, in the order of the session description; at most
    /// [`MAX_COMPONENTS`] altogether. One stream of one component by default (RFC 8445 §4).
    pub streams: Vec<u16>,
    /// When the controlling side nominates.
    pub nomination: Nomination,
    /// Whether the agent restarts by itself when only that helps, and says so with [`Event::Restarted`](super::Event::Restarted), whose
    /// credentials are to be signalled. Otherwise it asks for it with [`Event::RestartNeeded`](super::Event::RestartNeeded) alone.
    pub restart_by_itself: bool,
    /// How many pairs are tried.
    pub reach: Reach,
    /// What becomes of pairs that cannot work, as far as the NATs are known ([`Agent::set_nat_behaviour`](super::Agent::set_nat_behaviour)).
    pub hopeless_pairs: HopelessPairs,
    /// The Ta that we wish for, the distance between new checks: 5 ms to 10 s, 50 ms by default (RFC 8445 §14.2). It is signalled as
    /// `ice-pacing`, and the higher one of both sides' is used: a shorter one than the default only together with a peer that
    /// says so ([`Agent::set_remote_pacing`](super::Agent::set_remote_pacing)). A fraction of a millisecond is rounded up.
    pub ta: Duration,
    /// When the agent fails if it has no usable path, counted from its first `now`. `None`: when RFC 8863's
    /// patience (39.5 s from the peer's credentials) has passed and nothing is left to try.
    pub deadline: Option<Duration>,
    /// Our credentials; drawn from the seed if not given (4 and 24 characters of 6 bits each). The fragment has 32
    /// characters at the most (RFC 8839 §5.4).
    pub credentials: Option<Credentials>,
    /// We are a lite agent (RFC 8445 §2.5): for hosts that everybody can reach. It has host candidates only, one for each address and
    /// component; it sends no check of any kind, answers its peer's, and takes the pair that a full peer nominates; it has no
    /// consent of its own (see [`Agent::last_check_received`](super::Agent::last_check_received)). Data goes out when all components of
    /// a stream have a pair (§12.1.1). It is controlled whatever `role` says; that goes for a lite peer only
    /// ([`Agent::set_remote_lite`](super::Agent::set_remote_lite)).
    pub lite: bool,
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
            streams: vec![1],
            nomination: Nomination::default(),
            restart_by_itself: false,
            reach: Reach::default(),
            hopeless_pairs: HopelessPairs::default(),
            ta: DEFAULT_TA,
            deadline: None,
            credentials: None,
            lite: false,
            local_filter: CandidateFilter::default(),
            remote_filter: CandidateFilter::default(),
            tie_breaker: None,
        }
    }
}

impl AgentConfig {
    pub(super) fn components(&self) -> impl Iterator<Item = ComponentId> {
        let of_stream =
            |(stream, &count)| (1..=count).map(move |component| ComponentId { stream, component });
        (0_u16..).zip(&self.streams).flat_map(of_stream)
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.ta < Duration::from_millis(5) || self.ta > MAX_TA {
            return Err(ConfigError::Ta(self.ta));
        }
        let components = self.streams.iter().fold(0_usize, |sum, &n| sum + usize::from(n));
        if self.streams.iter().any(|n| !(1..=256).contains(n)) || !(1..=MAX_COMPONENTS).contains(&components)
        {
            return Err(ConfigError::Streams);
        }
        let ufrag = self.credentials.as_ref().map_or(0, |given| given.ufrag().len());
        if ufrag > MAX_OWN_UFRAG {
            return Err(ConfigError::UfragLength(ufrag));
        }
        match self.reach {
            Reach::Pairs(limit) if !(1..=MAX_PAIRS).contains(&limit) => Err(ConfigError::Reach(limit)),
            _ => Ok(()),
        }
    }
}

/// How many components an agent has at the most, over all of its data streams. Each has a checklist entry and a selected pair;
/// bundled media need one, and the limit on pairs (RFC 8445 §6.1.2.5) is shared by all.
pub const MAX_COMPONENTS: usize = 64;
/// RFC 8839 §5.4: longer ones may be received, not sent.
const MAX_OWN_UFRAG: usize = 32;

/// What is wrong with an [`AgentConfig`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ConfigError {
    /// Ta is under 5 ms (RFC 8445 §14.2) or over 10 s.
    Ta(Duration),
    /// There is no stream, one without a component or with more than 256 (RFC 8445 §5.1.2.1), or more than
    /// [`MAX_COMPONENTS`] altogether.
    Streams,
    /// The limit on pairs is 0 or over [`MAX_PAIRS`].
    Reach(u16),
    /// Our username fragment has this many characters, more than 32 (RFC 8839 §5.4).
    UfragLength(usize),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ta(ta) => write!(f, "Ta of {ta:?} is not in 5 ms to 10 s (RFC 8445 section 14.2)"),
            Self::Streams => {
                write!(f, "each stream has 1 to 256 components, all together 1 to {MAX_COMPONENTS}")
            }
            Self::UfragLength(n) => {
                write!(f, "our ice-ufrag has {n} characters, more than 32 (RFC 8839 section 5.4)")
            }
            Self::Reach(limit) => write!(f, "a limit of {limit} pairs is not in 1 to {MAX_PAIRS}"),
        }
    }
}

impl core::error::Error for ConfigError {}
