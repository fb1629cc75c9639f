//! How statistics go through `serde`: as W3C has them, ids as text, times in milliseconds, durations in seconds.

use alloc::string::ToString;
use core::fmt::Display;
use core::time::Duration;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

use super::stats::{CandidateId, Stats};
use crate::base::Instant;
use crate::candidate::{TcpType, Transport};
use crate::trace::PairPhase;

impl Serialize for Stats {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let candidates = || self.local_candidates.iter().chain(&self.remote_candidates);
        let records = self.transports.len() + self.candidate_pairs.len() + candidates().count();
        let mut map = serializer.serialize_map(Some(records))?;
        for transport in &self.transports {
            map.serialize_entry(&transport.id.to_string(), transport)?;
        }
        for pair in &self.candidate_pairs {
            map.serialize_entry(&pair.id.to_string(), pair)?;
        }
        for candidate in candidates() {
            map.serialize_entry(&candidate.id.to_string(), candidate)?;
        }
        map.end()
    }
}

impl Serialize for CandidateId {
    /// As the two members that say it: `type` and `id`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let side = match self {
            Self::Local(..) => "local-candidate",
            Self::Remote(..) => "remote-candidate",
        };
        let mut both = serializer.serialize_struct("CandidateId", 2)?;
        both.serialize_field("type", side)?;
        both.serialize_field("id", &self.to_string())?;
        both.end()
    }
}

pub(super) fn text<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

pub(super) fn some_text<T: Display, S: Serializer>(
    value: &Option<T>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.as_ref().map(ToString::to_string).serialize(serializer)
}

/// `DOMHighResTimeStamp`.
pub(super) fn millis<S: Serializer>(at: &Instant, serializer: S) -> Result<S::Ok, S::Error> {
    some_millis(&Some(*at), serializer)
}

pub(super) fn some_millis<S: Serializer>(at: &Option<Instant>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(|at| at.since(Instant::ZERO).as_secs_f64() * 1e3).serialize(serializer)
}

pub(super) fn seconds<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(time.as_secs_f64())
}

pub(super) fn some_seconds<S: Serializer>(time: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    time.map(|time| time.as_secs_f64()).serialize(serializer)
}

/// `RTCStatsIceCandidatePairState`.
pub(super) fn state<S: Serializer>(phase: &PairPhase, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match phase {
        PairPhase::Frozen => "frozen",
        PairPhase::Waiting => "waiting",
        PairPhase::InProgress => "in-progress",
        PairPhase::Succeeded => "succeeded",
        PairPhase::Failed(_) => "failed",
    })
}

pub(super) fn protocol<S: Serializer>(transport: &Transport, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    })
}

/// `RTCIceTcpCandidateType`.
pub(super) fn tcp_type<S: Serializer>(value: &Option<TcpType>, serializer: S) -> Result<S::Ok, S::Error> {
    value.map(TcpType::sdp_name).serialize(serializer)
}
