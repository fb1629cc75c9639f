//! Why it does not connect: a pure function from what was seen to machine-readable causes, the one that explains
//! most first. An agent cannot know its peer's NAT, so no cause claims to.

#[cfg(test)]
mod tests;

use core::fmt;
use core::net::SocketAddr;

use smallvec::SmallVec;

use crate::base::StreamEnd;
use crate::check::Role;
use crate::gather::Silence;
use crate::nat::{NatTraits, Prospect};
use crate::trace::CheckFailure;

/// Why there is no path, or no better one. Each has a line of text in its `Display`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// No socket is up, so there is nothing to connect from.
    NoLocalCandidates,
    /// Sockets are up, and the application's filter lets no candidate of them through.
    LocalFiltered {
        /// How many sockets.
        sockets: u32,
    },
    /// The application's filter kept out what came from the peer.
    RemoteFiltered {
        /// Candidates that were signalled, repetitions included.
        candidates: u32,
        /// Requests from sources, or to sockets, that are not to be used.
        requests: u32,
    },
    /// The peer's candidates have names that could not be resolved, or not in time.
    UnresolvedNames {
        /// How many names.
        names: u32,
    },
    /// Signalling has brought neither credentials nor candidates.
    NoRemoteDescription,
    /// Candidates came, and the peer's credentials did not: nothing can be checked without them.
    NoRemoteCredentials,
    /// The peer's credentials came, and no candidate ever did, by signalling or by a check.
    NoRemoteCandidates {
        /// Whether the peer has said that there are none (RFC 8838 §8.2).
        ended: bool,
    },
    /// Both sides have candidates, and no two of them can talk: the address families differ.
    NothingToPair,
    /// Credentials do not fit: signalling mixed up?
    Authentication {
        /// Requests that came for us with another password than ours.
        rejected: u32,
        /// How often the peer said that ours are wrong (such an answer cannot be authenticated).
        refused: u32,
        /// Candidates that were signalled for other credentials than the peer's.
        misaddressed: u32,
    },
    /// Requests came for another user: an old session of the peer on a port that is used again, or descriptions that
    /// signalling has mixed up.
    OtherUser {
        /// How many.
        requests: u32,
    },
    /// The peer's checks arrive and are answered; none of ours gets an answer.
    OneWay {
        /// Requests that arrived.
        requests_received: u32,
        /// Our own, without an answer.
        requests_sent: u32,
    },
    /// No STUN server has answered.
    NoServerAnswered {
        /// The first of them.
        server: SocketAddr,
        /// How many were asked.
        servers: u32,
        /// Requests to all of them, repeated ones included.
        requests: u32,
    },
    /// A TURN server gives no address to be reached at.
    RelayFailed {
        /// Which, the last one of several.
        server: SocketAddr,
        /// Its error code, if it has refused (RFC 8489 §14.8): 401 for a wrong username or password, 486 for a quota.
        code: Option<u16>,
    },
    /// No request and no response got through any pair.
    NothingThrough {
        /// Our own requests.
        requests_sent: u32,
        /// Whether a relay is configured.
        relay: bool,
        /// What is known of the mapping of our own NAT.
        mapping: MappingKnowledge,
    },
    /// Nothing got through any pair, and this is what the application has told of the NATs
    /// ([`Agent::set_nat_behaviour`](super::Agent::set_nat_behaviour)).
    Nats {
        /// Whether the two can meet without a relay.
        prospect: Prospect,
        /// Ours.
        ours: NatTraits,
        /// The peer's, by what it has signalled.
        theirs: NatTraits,
    },
    /// Answers came from other addresses than were asked (RFC 8445 §7.2.5.2.1).
    Asymmetric {
        /// How many.
        answers: u32,
    },
    /// The peer answered checks with an error.
    Refused {
        /// The last STUN error code.
        code: u16,
    },
    /// The limit on pairs kept some from being tried.
    PairLimit {
        /// How many.
        untried: u32,
    },
    /// We are lite, and no check of the peer has come in: only those could find a path.
    NotChecked,
    /// A path works, but the controlling peer has not nominated one.
    NotNominated,
    /// A path works, but the peer does not answer our nomination.
    NominationUnanswered,
    /// Nothing speaks against a path yet: there was too little time.
    TooEarly {
        /// Our own requests so far.
        requests_sent: u32,
    },
    /// The driver could not send, or ICMP errors came back.
    SendFailed {
        /// How often.
        failures: u32,
    },
    /// The peer has not answered for 30 s on the path that was used (RFC 7675 §5.1).
    ConsentExpired,
    /// The peer has revoked its consent (RFC 7675 §5.2).
    ConsentRevoked,
    /// Our own NAT has moved the path to another address, as the peer's answers show (RFC 8445 §7.2.5.3), and the peer, which goes on
    /// sending to the old one, has not been heard since: nothing but a restart tells it, where not both sides renominate (§8.1.1).
    MappingChanged {
        /// Where the peer sees us now.
        mapped: SocketAddr,
    },
    /// The path's socket, or the peer's candidate, was taken away.
    PathRemoved,
    /// The path's TCP connection has ended.
    Disconnected(StreamEnd),
}

/// What is known of the mapping behaviour of our own NAT (RFC 4787 §4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum MappingKnowledge {
    /// Nothing: it takes the answers of two servers with different addresses.
    Unknown,
    /// Servers of different addresses see a socket at the same address.
    EndpointIndependent,
    /// They see it at different ones: what a server has seen is of no use to a peer.
    EndpointDependent,
}

impl Cause {
    /// The kind of cause in one word, for statistics and logs: `one-way`, `nothing-through` and the like. It does not change between
    /// releases; its numbers are in the variant, and a line for people is its `Display`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NoLocalCandidates => "no-local-candidates",
            Self::LocalFiltered { .. } => "local-filtered",
            Self::RemoteFiltered { .. } => "remote-filtered",
            Self::UnresolvedNames { .. } => "unresolved-names",
            Self::NoRemoteDescription => "no-remote-description",
            Self::NoRemoteCredentials => "no-remote-credentials",
            Self::NoRemoteCandidates { .. } => "no-remote-candidates",
            Self::NothingToPair => "nothing-to-pair",
            Self::Authentication { .. } => "authentication",
            Self::OtherUser { .. } => "other-user",
            Self::OneWay { .. } => "one-way",
            Self::NoServerAnswered { .. } => "no-server-answered",
            Self::RelayFailed { .. } => "relay-failed",
            Self::NothingThrough { .. } => "nothing-through",
            Self::Nats { .. } => "nats",
            Self::Asymmetric { .. } => "asymmetric",
            Self::Refused { .. } => "refused",
            Self::PairLimit { .. } => "pair-limit",
            Self::NotChecked => "not-checked",
            Self::NotNominated => "not-nominated",
            Self::NominationUnanswered => "nomination-unanswered",
            Self::TooEarly { .. } => "too-early",
            Self::SendFailed { .. } => "send-failed",
            Self::ConsentExpired => "consent-expired",
            Self::ConsentRevoked => "consent-revoked",
            Self::MappingChanged { .. } => "mapping-changed",
            Self::PathRemoved => "path-removed",
            Self::Disconnected(_) => "disconnected",
        }
    }
}

impl From<CheckFailure> for Cause {
    /// Why a pair that was valid is not any more, as a cause.
    fn from(failure: CheckFailure) -> Self {
        match failure {
            CheckFailure::ConsentLost => Self::ConsentExpired,
            CheckFailure::ConsentRevoked => Self::ConsentRevoked,
            CheckFailure::Removed => Self::PathRemoved,
            CheckFailure::Disconnected(end) => Self::Disconnected(end),
            CheckFailure::Refused(code) | CheckFailure::RelayRefused(code) => Self::Refused { code },
            CheckFailure::Asymmetric => Self::Asymmetric { answers: 1 },
            _ => Self::NominationUnanswered,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLocalCandidates => f.write_str("no socket is up: there is nothing to connect from"),
            Self::LocalFiltered { sockets } => {
                write!(f, "our own filter lets no candidate of our {sockets} sockets through")
            }
            Self::RemoteFiltered { candidates, requests } => write!(
                f,
                "our own filter kept out {candidates} candidates of the peer and {requests} of its checks"
            ),
            Self::UnresolvedNames { names } => {
                write!(f, "{names} names that the peer signalled as addresses could not be resolved")
            }
            Self::NoRemoteDescription => f.write_str("nothing came from the peer by signalling"),
            Self::NoRemoteCredentials => f.write_str("the peer's candidates came, its credentials did not"),
            Self::NoRemoteCandidates { ended: false } => f.write_str("no candidate ever came from the peer"),
            Self::NoRemoteCandidates { ended: true } => {
                f.write_str("the peer says that it has no candidates")
            }
            Self::NothingToPair => f.write_str(
                "no candidate of ours can talk to any of the peer's: they are of another address family or transport",
            ),
            Self::Authentication { rejected, refused, misaddressed } => {
                f.write_str("authentication failed: ")?;
                match (rejected, refused) {
                    (0, 0) => {
                        write!(f, "{misaddressed} candidates came for other credentials than the peer's")?;
                    }
                    (0, n) => write!(f, "the peer refused our credentials {n} times")?,
                    (n, 0) => write!(f, "{n} requests came with a wrong password")?,
                    (n, m) => {
                        write!(
                            f,
                            "{n} requests came with wrong credentials and ours were refused {m} times"
                        )?;
                    }
                }
                f.write_str("; is signalling mixed up?")
            }
            Self::OtherUser { requests } => {
                write!(
                    f,
                    "{requests} requests came for another user: an old session, or is signalling mixed up?"
                )
            }
            Self::OneWay { requests_received, requests_sent } => write!(
                f,
                "one way only: {requests_received} checks of the peer arrived and were answered, none of our \
                 {requests_sent} got an answer"
            ),
            Self::NoServerAnswered { server, servers: 1, requests } => {
                write!(f, "the STUN server {server} did not answer any of {requests} requests")
            }
            Self::NoServerAnswered { server, servers, requests } => write!(
                f,
                "none of {servers} STUN servers, {server} first, answered any of {requests} requests"
            ),
            Self::RelayFailed { server, code: Some(401) } => {
                write!(f, "the TURN server {server} does not take our username and password")
            }
            Self::RelayFailed { server, code: Some(code) } => {
                write!(f, "the TURN server {server} refused to relay, with error {code}")
            }
            Self::RelayFailed { server, code: None } => {
                write!(f, "the TURN server {server} was not reached, or gave no answer that could be used")
            }
            Self::NothingThrough { requests_sent, relay, mapping } => {
                write!(f, "none of {requests_sent} checks was answered and none of the peer's arrived; ")?;
                f.write_str(if *relay {
                    "the relay did not help either; "
                } else {
                    "no relay is configured; "
                })?;
                match mapping {
                    MappingKnowledge::Unknown => f.write_str("our own NAT's mapping is unknown"),
                    MappingKnowledge::EndpointIndependent => {
                        f.write_str("our own NAT maps us to one address for all")
                    }
                    MappingKnowledge::EndpointDependent => {
                        f.write_str("our own NAT maps us to another address for each")
                    }
                }
            }
            Self::Nats { prospect, ours, theirs } => match prospect {
                Prospect::Possible => write!(f, "our NAT {ours}"),
                Prospect::WeHaveNoUdp => f.write_str("our own network lets no UDP through, or none to the STUN server"),
                Prospect::PeerHasNoUdp => f.write_str("the peer says that its network lets no UDP through"),
                Prospect::NoHairpin => {
                    f.write_str("we and the peer are behind one NAT, which lets nobody meet through itself")
                }
                Prospect::NoCommonGround => write!(
                    f,
                    "the two NATs cannot meet without a relay: our NAT {ours}; the peer's NAT {theirs}"
                ),
            },
            Self::Asymmetric { answers } => {
                write!(f, "{answers} answers came from another address than was asked")
            }
            Self::Refused { code } => write!(f, "the peer refused checks with error {code}"),
            Self::PairLimit { untried } => {
                write!(f, "the limit on pairs kept {untried} pairs from being tried")
            }
            Self::NotChecked => {
                f.write_str("no check of the peer has arrived, and a lite agent sends none itself")
            }
            Self::NotNominated => f.write_str("a path works, but the peer has not nominated it"),
            Self::NominationUnanswered => {
                f.write_str("a path works, but the peer does not answer its nomination")
            }
            Self::TooEarly { requests_sent } => {
                write!(
                    f,
                    "too early to say: {requests_sent} checks were sent, and nothing speaks against them yet"
                )
            }
            Self::SendFailed { failures } => {
                write!(f, "sending failed {failures} times, here or with an ICMP error")
            }
            Self::ConsentExpired => f.write_str("the peer has not answered for 30 s"),
            Self::ConsentRevoked => f.write_str("the peer has revoked its consent"),
            Self::MappingChanged { mapped } => {
                write!(f, "our own NAT has moved us to {mapped}, and what the peer sends does not arrive any more")
            }
            Self::Disconnected(end) => write!(f, "the connection of the path is gone: {end}"),
            Self::PathRemoved => f.write_str("the socket or the peer's candidate of the path was taken away"),
        }
    }
}

/// What an agent has seen when it is asked why.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence {
    pub(super) role: Role,
    /// We are, and the peer is not.
    pub(super) lite: bool,
    pub(super) local_candidates: usize,
    pub(super) sockets: usize,
    pub(super) has_remote_credentials: bool,
    pub(super) remote_candidates: usize,
    pub(super) end_of_candidates: bool,
    /// Names that stand for candidates.
    pub(super) names: usize,
    pub(super) unresolved: usize,
    pub(super) filtered_candidates: u32,
    pub(super) filtered_requests: u32,
    pub(super) pairs: usize,
    pub(super) untried: u32,
    pub(super) requests_sent: u32,
    pub(super) responses_received: u32,
    pub(super) requests_received: u32,
    pub(super) rejected: u32,
    pub(super) misaddressed: u32,
    pub(super) strangers: u32,
    pub(super) refused_credentials: u32,
    pub(super) asymmetric: u32,
    pub(super) refused: Option<u16>,
    pub(super) send_failures: u32,
    pub(super) silence: Option<Silence>,
    pub(super) mapping: MappingKnowledge,
    /// What the application knows of both NATs: ours, the peer's, and whether they can meet.
    pub(super) nats: Option<(Prospect, NatTraits, NatTraits)>,
    /// There is a relayed candidate, or a server that was to give one.
    pub(super) relay: bool,
    /// A TURN server that gave none, or none yet, and its error code.
    pub(super) relay_fault: Option<(SocketAddr, Option<u16>)>,
    pub(super) has_valid: bool,
    pub(super) is_nominating: bool,
    pub(super) lost: Option<CheckFailure>,
    /// The selected pair leads the peer to where we are no more: this is where we are.
    pub(super) cut_off_at: Option<SocketAddr>,
    pub(super) has_selected: bool,
}

pub(super) type Causes = SmallVec<[Cause; 4]>;

/// The causes that fit, the one that explains most first. Empty when a pair is selected that works both ways.
pub(super) fn diagnose(seen: &Evidence) -> Causes {
    let mut causes = Causes::new();
    if seen.has_selected {
        causes.extend(seen.cut_off_at.map(|mapped| Cause::MappingChanged { mapped }));
        return causes;
    }
    if seen.has_valid {
        match seen.role {
            Role::Controlling if seen.is_nominating => causes.push(Cause::NominationUnanswered),
            // It still hopes for a better pair: that is no trouble.
            Role::Controlling => {}
            Role::Controlled => causes.push(Cause::NotNominated),
        }
        return causes;
    }
    if let Some(why) = seen.lost {
        causes.push(why.into());
        return causes;
    }
    if seen.local_candidates == 0 && seen.sockets > 0 {
        causes.push(Cause::LocalFiltered { sockets: count(seen.sockets) });
    } else if seen.local_candidates == 0 {
        causes.push(Cause::NoLocalCandidates);
    }
    if seen.rejected > 0 || seen.refused_credentials > 0 || seen.misaddressed > 0 {
        causes.push(Cause::Authentication {
            rejected: seen.rejected,
            refused: seen.refused_credentials,
            misaddressed: seen.misaddressed,
        });
    }
    let has_candidates = seen.remote_candidates > 0 || seen.names > 0 || seen.filtered_candidates > 0;
    if !seen.has_remote_credentials && !has_candidates {
        causes.push(Cause::NoRemoteDescription);
    } else if !seen.has_remote_credentials {
        causes.push(Cause::NoRemoteCredentials);
    } else if seen.lite {
        // Its checks tell all that signalling could have told of the peer.
        causes.push(if seen.requests_received > 0 { Cause::NotNominated } else { Cause::NotChecked });
    } else if !has_candidates {
        causes.push(Cause::NoRemoteCandidates { ended: seen.end_of_candidates });
    } else if seen.remote_candidates > 0
        && seen.local_candidates > 0
        && seen.pairs == 0
        && seen.misaddressed == 0
    {
        causes.push(Cause::NothingToPair);
    }
    if seen.unresolved > 0 {
        causes.push(Cause::UnresolvedNames { names: count(seen.unresolved) });
    }
    if seen.filtered_candidates > 0 || seen.filtered_requests > 0 {
        let (candidates, requests) = (seen.filtered_candidates, seen.filtered_requests);
        causes.push(Cause::RemoteFiltered { candidates, requests });
    }
    if seen.asymmetric > 0 {
        causes.push(Cause::Asymmetric { answers: seen.asymmetric });
    }
    if let Some(code) = seen.refused {
        causes.push(Cause::Refused { code });
    }
    if let Some(Silence { server, servers, requests }) = seen.silence {
        causes.push(Cause::NoServerAnswered { server, servers, requests });
    }
    if let Some((server, code)) = seen.relay_fault {
        causes.push(Cause::RelayFailed { server, code });
    }
    let is_silent = seen.responses_received == 0 && seen.requests_received == 0 && seen.pairs > 0;
    let nats = seen.nats.filter(|_| is_silent);
    let nats = nats.map(|(prospect, ours, theirs)| (prospect, Cause::Nats { prospect, ours, theirs }));
    // What cannot work explains more than that nothing works.
    causes.extend(nats.filter(|(prospect, _)| *prospect != Prospect::Possible).map(|(_, cause)| cause));
    if seen.requests_sent > 0 && seen.responses_received == 0 {
        let Evidence { requests_sent, requests_received, .. } = *seen;
        if requests_received > 0 {
            causes.push(Cause::OneWay { requests_received, requests_sent });
        } else if seen.asymmetric == 0 && seen.refused.is_none() && seen.filtered_requests == 0 {
            causes.push(Cause::NothingThrough { requests_sent, relay: seen.relay, mapping: seen.mapping });
        }
    }
    causes.extend(nats.filter(|(prospect, _)| *prospect == Prospect::Possible).map(|(_, cause)| cause));
    // An old session's traffic on a reused port looks the same: it comes after what is certain.
    if seen.strangers > 0 {
        causes.push(Cause::OtherUser { requests: seen.strangers });
    }
    if seen.untried > 0 {
        causes.push(Cause::PairLimit { untried: seen.untried });
    }
    if seen.send_failures > 0 {
        causes.push(Cause::SendFailed { failures: seen.send_failures });
    }
    if causes.is_empty() {
        causes.push(Cause::TooEarly { requests_sent: seen.requests_sent });
    }
    causes
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
