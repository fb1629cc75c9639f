//! Many sessions between hosts that are drawn from a described mix: how many of them connect, directly or relayed, and how long it
//! takes. It stands on [`scenario`](crate::scenario) and knows ICE.
//!
//! A session is told by the seed and its number alone, so a run may be spread over threads in any way, and two [`Setting`]s can be
//! held against each other over the very same networks.
//!
//! ```
//! use floe_sim::population::{Home, Mix, Population, Setting};
//! use floe_sim::NatConfig;
//!
//! let mix = Mix::of([
//!     (70.0, Home::behind("cone", [NatConfig::port_restricted()])),
//!     (30.0, Home::behind("symmetric", [NatConfig::symmetric()])),
//! ]);
//! let population = Population::new(mix, 1)?;
//! let sessions: Vec<_> = (0..50).map(|number| population.session(&Setting::default(), number)).collect();
//! assert_eq!(sessions[7], population.session(&Setting::default(), 7));
//! # Ok::<(), floe_sim::population::MixError>(())
//! ```

mod mix;
mod session;
mod tally;

pub use mix::{Home, Mix, MixError};
pub use session::{Outcome, Session, Setting};
pub use tally::{Tally, Times};

use mix::Draw;

/// A mix that holds together, and a seed.
#[derive(Clone, Debug)]
pub struct Population {
    mix: Mix,
    seed: u64,
}

impl Population {
    /// # Errors
    /// Nothing can be drawn from the mix.
    pub fn new(mix: Mix, seed: u64) -> Result<Self, MixError> {
        mix.check()?;
        Ok(Self { mix, seed })
    }

    /// What its hosts are drawn from.
    pub fn mix(&self) -> &Mix {
        &self.mix
    }

    /// Plays the session of this number: the same seed, number and setting give the same.
    pub fn session(&self, setting: &Setting, number: u64) -> Session {
        let draw = Draw::new(&self.mix, self.seed, number);
        session::play(&self.mix, &draw, setting)
    }
}
