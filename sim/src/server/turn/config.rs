//! What a TURN server offers, to whom, and how much of it.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use core::ops::RangeInclusive;
use core::time::Duration;

use floe_core::AddressPrefix;

use crate::server::PasswordAlgorithm;

/// The configuration of a [`TurnServer`](super::TurnServer). The defaults are those that RFC 8656 names.
#[derive(Clone)]
pub struct TurnConfig {
    /// The realm of all users, under 128 characters (RFC 8489 §14.9).
    pub realm: String,
    /// Names and passwords, prepared as RFC 8265's OpaqueString where they are not ASCII.
    pub users: Vec<(String, String)>,
    /// Whether requests have to be authenticated; if not, everybody is the same nameless user (RFC 8656 §7.2).
    pub authentication: bool,
    /// The addresses that are relayed from: the first of each family is used. A family without one is not supported.
    pub relay_addresses: Vec<IpAddr>,
    /// The ports that are relayed from (RFC 8656 §7.2).
    pub ports: RangeInclusive<u16>,
    /// SOFTWARE in all responses; under 128 characters.
    pub software: Option<String>,
    /// Behaves as RFC 5389 has it: no nonce cookie, and nothing that it promises. The two fields below have no effect then.
    pub plain: bool,
    /// PASSWORD-ALGORITHMS, the preferred one first. Empty: none is told, and MD5 is used (RFC 8489 §9.2.4).
    pub password_algorithms: Vec<PasswordAlgorithm>,
    /// Whether clients are to send USERHASH instead of USERNAME (RFC 8489 §9.2).
    pub username_anonymity: bool,
    /// How long a nonce is good for, at most an hour (RFC 8656 §5).
    pub nonce_lifetime: Duration,
    /// How long an allocation lives that asks for no more (RFC 8656 §6).
    pub default_lifetime: Duration,
    /// How long an allocation may live without a refresh (RFC 8656 §7.2).
    pub max_lifetime: Duration,
    /// How long a permission lives. Anything but five minutes breaks RFC 8656 §9.
    pub permission_lifetime: Duration,
    /// How long a channel lives. Anything but ten minutes breaks RFC 8656 §12.
    pub channel_lifetime: Duration,
    /// How many allocations a user may have; one more is 486.
    pub quota: usize,
    /// How many relayed addresses there may be, reserved ones included; one more is 508.
    pub max_relays: usize,
    /// How many permissions an allocation may have; one more is 508.
    pub max_permissions: usize,
    /// How many channels an allocation may have; one more is 508.
    pub max_channels: usize,
    /// Whether the sockets can do DONT-FRAGMENT; if not, it is refused as unknown (RFC 8656 §7.2).
    pub dont_fragment: bool,
    /// Peers that nobody may reach: 403.
    pub refused_peers: Vec<AddressPrefix>,
    /// Where all Allocate requests are sent instead, one for each family (RFC 8489 §10): 300.
    pub alternates: Vec<SocketAddr>,
}

impl TurnConfig {
    /// A server that relays from `relay_address`. Nobody may use it before there are [`users`](Self::users).
    pub fn new(realm: &str, relay_address: IpAddr) -> Self {
        Self {
            realm: realm.to_owned(),
            users: Vec::new(),
            authentication: true,
            relay_addresses: vec![relay_address],
            ports: 49152..=65535,
            software: None,
            plain: false,
            password_algorithms: vec![PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5],
            username_anonymity: false,
            nonce_lifetime: Duration::from_secs(3600),
            default_lifetime: Duration::from_secs(600),
            max_lifetime: Duration::from_secs(3600),
            permission_lifetime: Duration::from_secs(300),
            channel_lifetime: Duration::from_secs(600),
            quota: 100,
            max_relays: 10_000,
            max_permissions: 256,
            max_channels: 256,
            dont_fragment: true,
            refused_peers: never_peers(),
            alternates: Vec::new(),
        }
    }

    /// With one more user.
    #[must_use]
    pub fn with_user(mut self, name: &str, password: &str) -> Self {
        self.users.push((name.to_owned(), password.to_owned()));
        self
    }

    /// The address that is relayed from in a family.
    pub(super) fn relay_address(&self, ipv4: bool) -> Option<IpAddr> {
        self.relay_addresses.iter().copied().find(|address| address.is_ipv4() == ipv4)
    }

    pub(super) fn refuses(&self, peer: IpAddr) -> bool {
        self.refused_peers.iter().any(|prefix| prefix.contains(peer))
    }

    pub(super) fn check(&self) -> Result<(), TurnConfigError> {
        if self.realm.is_empty() || self.realm.chars().count() > 127 {
            return Err(TurnConfigError::Realm);
        }
        if self.software.as_ref().is_some_and(|text| text.chars().count() > 127) {
            return Err(TurnConfigError::Software);
        }
        if self.relay_addresses.is_empty() {
            return Err(TurnConfigError::NoRelayAddress);
        }
        if self.ports.is_empty() || self.ports.contains(&0) {
            return Err(TurnConfigError::Ports);
        }
        Ok(())
    }
}

/// Why a [`TurnConfig`] cannot be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TurnConfigError {
    /// The realm is empty or longer than 127 characters (RFC 8489 §14.9).
    Realm,
    /// SOFTWARE is longer than 127 characters (RFC 8489 §14.14).
    Software,
    /// There is no address to relay from.
    NoRelayAddress,
    /// There is no port to relay from, or port 0 is among them.
    Ports,
}

impl fmt::Display for TurnConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Realm => "the realm is empty or longer than 127 characters",
            Self::Software => "SOFTWARE is longer than 127 characters",
            Self::NoRelayAddress => "there is no address to relay from",
            Self::Ports => "the ports to relay from are none, or include 0",
        })
    }
}

impl core::error::Error for TurnConfigError {}

/// Addresses that lead back into the host or its link, or to many: nothing that a relay is for.
fn never_peers() -> Vec<AddressPrefix> {
    let v4 = |a, b, length| AddressPrefix::new(Ipv4Addr::new(a, b, 0, 0).into(), length);
    let v6 =
        |first, last, length| AddressPrefix::new(Ipv6Addr::new(first, 0, 0, 0, 0, 0, 0, last).into(), length);
    let all = [
        v4(0, 0, 8),
        v4(127, 0, 8),
        v4(169, 254, 16),
        v4(224, 0, 4),
        v6(0, 0, 128),
        v6(0, 1, 128),
        v6(0xfe80, 0, 10),
        v6(0xff00, 0, 8),
    ];
    all.into_iter().flatten().collect()
}
