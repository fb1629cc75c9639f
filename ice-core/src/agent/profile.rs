//! How closely the application wants its paths watched.

use super::Agent;
use crate::base::Instant;
use crate::path::Profile;

impl Agent {
    /// From now on paths are watched like this. May be called at any time and as often as one likes, before there is a
    /// path and across restarts, too; [`Profile::Active`] is where an agent begins. After a change to it, checks that
    /// it would have sent by now go with the next [`poll`](Self::poll).
    ///
    /// It has nothing to do with how paths are found: connectivity checks keep their pace. A lite agent asks for no consent,
    /// so that for it nothing changes.
    pub fn set_profile(&mut self, now: Instant, profile: Profile) {
        self.advance(now);
        self.paths.set_profile(profile);
    }

    /// How closely paths are watched at this moment.
    pub fn profile(&self) -> Profile {
        self.paths.profile()
    }
}
