//! How closely paths are watched: the application's choice, in force from the moment that it is made. An interval between
//! consent checks is drawn once, when the check is sent; the profile only says how it is read, so that a change needs
//! neither randomness nor a walk over the flows.

use core::time::Duration;

use super::Paths;

/// How closely an agent watches its paths: see [`Agent::set_profile`](crate::Agent::set_profile).
///
/// Both keep RFC 7675: consent ends 30 s after the last answer, each check is sent once, and two of one flow are never
/// under 4 s apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Data flows: a consent check every 4 to 6 s on each path that is kept alive (RFC 7675 §5.1's default), standby paths
    /// included. A path that falls silent is called degraded after 8 to 18 s.
    #[default]
    Active,
    /// Little or nothing is sent, and radio and battery are to rest: a check every 10 to 15 s as long as they are answered,
    /// which keeps NAT bindings as RFC 8445 §11's keepalives would (Tr is 15 s). After one that is not, or after
    /// [`note_trouble`](crate::Agent::note_trouble), every 4 to 6 s until one is. A path that falls silent is called
    /// degraded after 18 to 27 s, and consent is asked for four times before it ends instead of five or six.
    Idle,
}

impl Profile {
    /// How long after a check the next one goes. `drawn` is what RFC 7675 §5.1 draws for its default of 5 s; the same
    /// part, 0.8 to 1.2, is taken of a longer basic interval. `calm` is a flow of which nothing is amiss.
    pub(super) fn interval(self, drawn: Duration, calm: bool) -> Duration {
        match self {
            Self::Idle if calm => drawn.saturating_mul(5) / 2,
            Self::Idle | Self::Active => drawn,
        }
    }
}

impl Paths {
    pub(crate) fn set_profile(&mut self, profile: Profile) {
        self.profile = profile;
    }

    pub(crate) fn profile(&self) -> Profile {
        self.profile
    }
}
