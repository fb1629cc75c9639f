//! Of which hosts and networks a population is made, and how one pair of hosts is drawn from it.

use core::fmt;
use core::ops::RangeInclusive;
use core::time::Duration;

use crate::RouterConfig;
use crate::dice::Dice;
use crate::scenario::TurnReach;

/// Where hosts live, what is between them, and which servers they know. Each list has shares: parts of whatever they add up to.
#[derive(Clone, PartialEq, Debug)]
pub struct Mix {
    /// Where hosts live.
    pub homes: Vec<(f64, Home)>,
    /// The round trip between any two hosts, servers included: each session draws it anew for each of its three ways (between
    /// the hosts, and from each to the servers), evenly from one of these ranges.
    pub round_trips: Vec<(f64, RangeInclusive<Duration>)>,
    /// The probability that a datagram is lost, the same on each way of a session.
    pub losses: Vec<(f64, f64)>,
    /// The probability that both hosts live in the very same network, behind the same routers.
    pub neighbours: f64,
    /// How every host reaches the TURN server. Empty: there is none.
    pub relay: Vec<TurnReach>,
    /// After which time a session without a selected pair has failed.
    pub patience: Duration,
}

/// A kind of place to live at.
#[derive(Clone, PartialEq, Debug)]
pub struct Home {
    /// What it is called in results.
    pub name: String,
    /// The routers above it, from the public network inwards. None: its hosts are public.
    pub routers: Vec<RouterConfig>,
    /// The probability that a host has a public IPv6 address besides.
    pub ipv6: f64,
}

impl Mix {
    /// A round trip of 40 ms without loss, no neighbours, no relay, 30 seconds of patience.
    pub fn of(homes: impl IntoIterator<Item = (f64, Home)>) -> Self {
        let usual = Duration::from_millis(40);
        Self {
            homes: homes.into_iter().collect(),
            round_trips: vec![(1.0, usual..=usual)],
            losses: vec![(1.0, 0.0)],
            neighbours: 0.0,
            relay: Vec::new(),
            patience: Duration::from_secs(30),
        }
    }

    pub(super) fn check(&self) -> Result<(), MixError> {
        shares_are_sound("homes", self.homes.iter().map(|(share, _)| *share))?;
        shares_are_sound("round trips", self.round_trips.iter().map(|(share, _)| *share))?;
        shares_are_sound("losses", self.losses.iter().map(|(share, _)| *share))?;
        if let Some((_, range)) = self.round_trips.iter().find(|(_, range)| range.is_empty()) {
            return Err(MixError::RoundTrip(range.clone()));
        }
        let chances = self.losses.iter().map(|(_, loss)| ("a loss", *loss));
        let of_homes = self.homes.iter().map(|(_, home)| ("a home's share of IPv6", home.ipv6));
        let neighbours = ("the share of neighbours", self.neighbours);
        let mut all = chances.chain(of_homes).chain([neighbours]);
        match all.find(|(_, chance)| !(0.0..=1.0).contains(chance)) {
            Some((what, value)) => Err(MixError::Probability { what, value }),
            None => Ok(()),
        }
    }
}

impl Home {
    /// A public host.
    pub fn public(name: impl Into<String>) -> Self {
        Self { name: name.into(), routers: Vec::new(), ipv6: 0.0 }
    }

    /// A host behind these routers, from the public network inwards.
    pub fn behind<R: Into<RouterConfig>>(
        name: impl Into<String>,
        routers: impl IntoIterator<Item = R>,
    ) -> Self {
        let routers = routers.into_iter().map(Into::into).collect();
        Self { name: name.into(), routers, ipv6: 0.0 }
    }
}

/// Why nothing can be drawn from a mix.
#[derive(Clone, PartialEq, Debug)]
#[non_exhaustive]
pub enum MixError {
    /// A list is empty, or its shares are not positive numbers.
    Shares {
        /// Which list.
        of: &'static str,
    },
    /// A probability is not in 0 to 1.
    Probability {
        /// Which one.
        what: &'static str,
        /// What it is.
        value: f64,
    },
    /// A range of round trips ends before it begins.
    RoundTrip(RangeInclusive<Duration>),
}

impl fmt::Display for MixError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shares { of } => {
                write!(f, "the {of} need shares, each of them a positive number")
            }
            Self::Probability { what, value } => write!(f, "{what} is {value}, which is not in 0 to 1"),
            Self::RoundTrip(range) => {
                write!(f, "round trips from {:?} to {:?}: none", range.start(), range.end())
            }
        }
    }
}

impl core::error::Error for MixError {}

/// What one session is made of.
pub(super) struct Draw {
    /// Of the world that it is played in.
    pub(super) seed: u64,
    /// By index into the mix: alice's and bob's.
    pub(super) homes: [usize; 2],
    pub(super) neighbours: bool,
    pub(super) ipv6: [bool; 2],
    /// Between the hosts, and from each to the servers.
    pub(super) round_trips: [Duration; 3],
    pub(super) loss: f64,
}

impl Draw {
    pub(super) fn new(mix: &Mix, seed: u64, number: u64) -> Self {
        let seed = scatter(seed.wrapping_add(scatter(number)));
        let mut dice = Dice::new(seed, STREAM);
        let [alice, other] = [(); 2].map(|()| pick(&mix.homes, &mut dice));
        let neighbours = dice.chance(mix.neighbours);
        let homes = [alice, if neighbours { alice } else { other }];
        let ipv6 = homes.map(|home| mix.homes.get(home).is_some_and(|(_, home)| dice.chance(home.ipv6)));
        let round_trips = [(); 3].map(|()| {
            let range = pick(&mix.round_trips, &mut dice);
            mix.round_trips.get(range).map_or(Duration::ZERO, |(_, range)| {
                *range.start() + dice.up_to(range.end().saturating_sub(*range.start()))
            })
        });
        let loss = pick(&mix.losses, &mut dice);
        let loss = mix.losses.get(loss).map_or(0.0, |(_, loss)| *loss);
        Self { seed, homes, neighbours, ipv6, round_trips, loss }
    }
}

/// The index of one of them, by its share.
fn pick<T>(choices: &[(f64, T)], dice: &mut Dice) -> usize {
    let total: f64 = choices.iter().map(|(share, _)| share).sum();
    let mut left = f64::from(dice.below(RESOLUTION)) / f64::from(RESOLUTION) * total;
    for (index, (share, _)) in choices.iter().enumerate() {
        if left < *share {
            return index;
        }
        left -= share;
    }
    choices.len().saturating_sub(1)
}

fn shares_are_sound(of: &'static str, shares: impl Iterator<Item = f64>) -> Result<(), MixError> {
    let mut count = 0;
    for share in shares {
        if !(share.is_finite() && share > 0.0) {
            return Err(MixError::Shares { of });
        }
        count += 1;
    }
    if count == 0 { Err(MixError::Shares { of }) } else { Ok(()) }
}

/// Neighbouring numbers become seeds that have nothing to do with each other (the finaliser of SplitMix64).
fn scatter(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Apart from those of the network.
const STREAM: u8 = 0x70;
/// Shares are told apart to a four-billionth.
const RESOLUTION: u32 = u32::MAX;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NatConfig;

    fn mix() -> Mix {
        Mix::of([(3.0, Home::public("open")), (1.0, Home::behind("nat", [NatConfig::symmetric()]))])
    }

    #[test]
    fn homes_are_drawn_by_their_shares_and_numbers_do_not_depend_on_each_other() {
        let mix = mix();
        let draws: Vec<[usize; 2]> = (0..10_000).map(|number| Draw::new(&mix, 9, number).homes).collect();
        let open = draws.iter().flatten().filter(|home| **home == 0).count();
        assert!((14_700..15_300).contains(&open), "{open}");
        let both = draws.iter().filter(|homes| **homes == [0, 0]).count();
        assert!((5_400..5_850).contains(&both), "{both}");
        let again = draws.windows(2).filter(|pair| pair[0] == pair[1]).count();
        // (9/16)^2 + 2 (3/16)^2 + (1/16)^2 = 0.39.
        assert!((3_700..4_150).contains(&again), "{again}");
    }

    #[test]
    fn neighbours_share_a_home_and_ranges_are_used_to_their_ends() {
        let (low, high) = (Duration::from_millis(20), Duration::from_millis(22));
        let mix = Mix { neighbours: 1.0, round_trips: vec![(1.0, low..=high)], ..mix() };
        let draws = (0..2_000).map(|number| Draw::new(&mix, 9, number));
        let mut all = Vec::new();
        for draw in draws {
            assert!(draw.neighbours && draw.homes[0] == draw.homes[1]);
            all.extend(draw.round_trips);
        }
        all.sort_unstable();
        assert!(all[0] >= low && all[0] < low + Duration::from_micros(2), "{:?}", all[0]);
        assert!(all[5_999] <= high && all[5_999] > high - Duration::from_micros(2), "{:?}", all[5_999]);
    }

    #[test]
    fn what_cannot_be_drawn_from_is_told() {
        type Change = fn(&mut Mix);
        let told = |change: Change| {
            let mut mix = mix();
            change(&mut mix);
            mix.check().map_err(|error| error.to_string())
        };
        assert_eq!(told(|_| ()), Ok(()));
        let table: [(Change, &str); 6] = [
            (|mix| mix.homes.clear(), "the homes need shares, each of them a positive number"),
            (|mix| mix.homes[0].0 = f64::NAN, "the homes need shares, each of them a positive number"),
            (|mix| mix.losses[0].0 = 0.0, "the losses need shares, each of them a positive number"),
            (|mix| mix.losses[0].1 = 1.5, "a loss is 1.5, which is not in 0 to 1"),
            (|mix| mix.neighbours = -0.1, "the share of neighbours is -0.1, which is not in 0 to 1"),
            (
                |mix| mix.round_trips[0].1 = Duration::from_secs(2)..=Duration::from_secs(1),
                "round trips from 2s to 1s: none",
            ),
        ];
        for (change, says) in table {
            assert_eq!(told(change), Err(says.to_owned()));
        }
    }
}
