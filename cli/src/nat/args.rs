//! What can be asked of `floe nat`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use floe_core::Nomination;
use floe_sim::scenario::TurnReach;
use floe_sim::{Hairpin, Preset};

use crate::population::PopulationArgs;

/// Plays connections through NATs in the simulator, and tells who meets whom, and why.
///
/// Two agents, a NAT in front of each, and a STUN server, all in simulated time, with 40 ms between any two hosts and back. Nothing is
/// sent over the real network, and every run comes out the same.
#[derive(Args, Debug)]
#[command(group(ArgGroup::new("what").required(true).args(["grid", "left", "population", "list"])))]
pub(crate) struct Nat {
    /// Play every kind of NAT against every other, without a relay and with one over UDP, TCP and TLS
    #[arg(long)]
    pub(crate) grid: bool,

    /// List the kinds of NAT, with their axes
    #[arg(long)]
    pub(crate) list: bool,

    /// Play one connection: the NAT in front of the controlling side
    ///
    /// One of those of --list.
    #[arg(long, value_name = "NAT", value_parser = preset)]
    pub(crate) left: Option<Preset>,

    /// The NAT in front of the controlled side
    #[arg(
        long,
        value_name = "NAT",
        value_parser = preset,
        requires = "left",
        conflicts_with = "same_box",
        conflicts_with_all = NOT_ONE_CELL
    )]
    pub(crate) right: Option<Preset>,

    /// Put both behind the left's NAT
    #[arg(long, value_name = "NETWORK", requires = "left", conflicts_with_all = NOT_ONE_CELL)]
    pub(crate) same_box: Option<NetworkName>,

    /// How that NAT treats what one of them sends to the other's external address, if not as it does by itself
    #[arg(
        long,
        value_name = "HOW",
        requires = "same_box",
        conflicts_with = "right",
        conflicts_with_all = NOT_ONE_CELL
    )]
    pub(crate) hairpin: Option<HairpinName>,

    /// Let the left learn of the right 900 ms late
    #[arg(long, requires = "right", conflicts_with = "same_box", conflicts_with_all = NOT_ONE_CELL)]
    pub(crate) late: bool,

    /// Give both a TURN server that they reach over this, or over UDP if nothing is said
    #[arg(
        long,
        value_name = "TRANSPORT",
        num_args = 0..=1,
        default_missing_value = "udp",
        requires = "left",
        conflicts_with_all = NOT_ONE_CELL
    )]
    pub(crate) turn: Option<TransportName>,

    /// How the controlling side chooses among the paths that work
    #[arg(long, value_name = "HOW", default_value = "regular", conflicts_with_all = ["population", "list"])]
    pub(crate) nomination: NominationName,

    /// Write the whole grid to this file, as a page for a browser that shows each cell's timeline
    #[arg(long, value_name = "FILE", requires = "grid", conflicts_with_all = NOT_THE_GRID)]
    pub(crate) html: Option<PathBuf>,

    /// Write every decision of both agents to this file, as JSON, one a line
    #[arg(long, value_name = "FILE", requires = "left", conflicts_with_all = NOT_ONE_CELL)]
    pub(crate) trace: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) population: PopulationArgs,
}

/// How two hosts behind one NAT are plugged in.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NetworkName {
    /// They reach each other directly
    Shared,
    /// They do not, as in a guest network
    Isolated,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum HairpinName {
    /// It is dropped
    None,
    /// It comes back in, with the sender's internal address
    Internal,
    /// It comes back in, with the sender's external address
    External,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TransportName {
    /// Datagrams to port 3478
    Udp,
    /// TCP to port 3478
    Tcp,
    /// TLS to port 443
    Tls,
}

#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum NominationName {
    /// When every better path has had two seconds
    Regular,
    /// As soon as waiting cannot pay
    Fast,
}

impl From<HairpinName> for Hairpin {
    fn from(name: HairpinName) -> Self {
        match name {
            HairpinName::None => Self::None,
            HairpinName::Internal => Self::InternalSource,
            HairpinName::External => Self::ExternalSource,
        }
    }
}

impl From<TransportName> for TurnReach {
    fn from(name: TransportName) -> Self {
        match name {
            TransportName::Udp => Self::Udp,
            TransportName::Tcp => Self::Tcp,
            TransportName::Tls => Self::Tls,
        }
    }
}

impl From<NominationName> for Nomination {
    fn from(name: NominationName) -> Self {
        match name {
            NominationName::Regular => Self::Regular,
            NominationName::Fast => Self::Fast,
        }
    }
}

/// What is asked instead of one cell, and of the grid. It has to be said of each option: a requirement that another argument excludes is none
/// to clap.
const NOT_ONE_CELL: [&str; 3] = ["grid", "population", "list"];
const NOT_THE_GRID: [&str; 3] = ["left", "population", "list"];

fn preset(name: &str) -> Result<Preset, String> {
    let names = || Preset::ALL.map(|preset| preset.name).join(", ");
    Preset::named(&name.replace('-', "_")).ok_or_else(|| format!("there are {}", names()))
}
