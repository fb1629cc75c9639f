//! Nonces that need no memory: each carries the time at which it was made, and a proof that it was made here and for this
//! client (RFC 8489 §9.2; RFC 7616 §5.4).

use core::net::SocketAddr;
use core::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::Instant;

/// Says that the server knows RFC 8489 (§9.2).
const COOKIE: &str = "obMatJos2";
/// The features behind it, base64 of 24 bits.
const FEATURES: usize = 4;
/// Hexadecimal digits of a time in nanoseconds, and of the proof.
const TIME: usize = 16;
const PROOF: usize = 32;

/// What the nonce cookie promises (RFC 8489 §18.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Features {
    pub(super) password_algorithms: bool,
    pub(super) username_anonymity: bool,
}

impl Features {
    /// Those in front of this nonce; none if it has no cookie.
    pub(super) fn of(nonce: &str) -> Option<Self> {
        let digit = *nonce.strip_prefix(COOKIE)?.as_bytes().get(..FEATURES)?.first()?;
        // The first of 24 bits is the highest of the first base64 digit's six.
        let value = BASE64.iter().position(|d| *d == digit)?;
        Some(Self { password_algorithms: value & 0b10_0000 != 0, username_anonymity: value & 0b01_0000 != 0 })
    }

    fn cookie(self) -> String {
        let value = usize::from(self.password_algorithms) << 5 | usize::from(self.username_anonymity) << 4;
        let digit = BASE64.get(value).copied().map_or('A', char::from);
        format!("{COOKIE}{digit}AAA")
    }
}

/// Makes and knows nonces.
pub(super) struct Nonces {
    secret: [u8; 32],
    lifetime: Duration,
    /// None as RFC 5389 has it.
    features: Option<Features>,
    /// How often all have been made stale.
    generation: u64,
}

impl Nonces {
    pub(super) fn new(secret: [u8; 32], lifetime: Duration, features: Option<Features>) -> Self {
        Self { secret, lifetime, features, generation: 0 }
    }

    pub(super) fn features(&self) -> Option<Features> {
        self.features
    }

    /// A nonce for this client, and for no other (RFC 8489 §9.2.4).
    pub(super) fn make(&self, now: Instant, client: SocketAddr) -> String {
        let cookie = self.features.map(Features::cookie).unwrap_or_default();
        format!("{cookie}{:016x}{}", now.as_nanos(), self.proof(now, client))
    }

    /// Whether it was made for this client, not too long ago and not before all became stale.
    pub(super) fn is_valid(&self, now: Instant, client: SocketAddr, nonce: &str) -> bool {
        let cookie = self.features.map(Features::cookie).unwrap_or_default();
        let Some((time, proof)) = nonce.strip_prefix(&cookie).and_then(|rest| rest.split_at_checked(TIME))
        else {
            return false;
        };
        let Some(made) = u64::from_str_radix(time, 16).ok().map(Instant::from_nanos) else { return false };
        proof == self.proof(made, client) && now.since(made) < self.lifetime
    }

    /// Makes all that are out stale.
    pub(super) fn forget(&mut self) {
        self.generation += 1;
    }

    fn proof(&self, made: Instant, client: SocketAddr) -> String {
        let Ok(mut hmac) = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.secret) else {
            return String::new();
        };
        hmac.update(format!("{} {client} {}", made.as_nanos(), self.generation).as_bytes());
        let mut proof: String =
            hmac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        proof.truncate(PROOF);
        proof
    }
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 7);

    fn nonces(features: Option<Features>) -> Nonces {
        Nonces::new([7; 32], Duration::from_secs(60), features)
    }

    #[test]
    fn a_nonce_is_valid_for_its_client_and_its_time_only() {
        let mut nonces = nonces(None);
        let made = Instant::from_millis(5_000);
        let nonce = nonces.make(made, CLIENT);
        assert!(nonce.len() < 128, "RFC 8489 §14.10");
        let just = made + Duration::from_millis(59_999);
        assert!(nonces.is_valid(just, CLIENT, &nonce));
        assert!(!nonces.is_valid(made + Duration::from_secs(60), CLIENT, &nonce));
        assert!(!nonces.is_valid(just, SocketAddr::new(CLIENT.ip(), 8), &nonce));
        for other in ["", "é", &nonce[1..], &nonce.replace('0', "1"), &format!("{nonce}0")] {
            assert!(!nonces.is_valid(just, CLIENT, other), "{other}");
        }
        nonces.forget();
        assert!(!nonces.is_valid(just, CLIENT, &nonce));
        assert!(nonces.is_valid(just, CLIENT, &nonces.make(just, CLIENT)));
    }

    #[test]
    fn the_cookie_says_what_the_server_can_do() {
        for (features, cookie) in [
            ((false, false), "obMatJos2AAAA"),
            ((true, false), "obMatJos2gAAA"),
            ((false, true), "obMatJos2QAAA"),
            ((true, true), "obMatJos2wAAA"),
        ] {
            let features = Features { password_algorithms: features.0, username_anonymity: features.1 };
            let nonces = nonces(Some(features));
            let nonce = nonces.make(Instant::ZERO, CLIENT);
            assert!(nonce.starts_with(cookie), "{nonce}");
            assert_eq!(Features::of(&nonce), Some(features));
            assert!(nonces.is_valid(Instant::ZERO, CLIENT, &nonce));
        }
        assert_eq!(Features::of("f//499k954d6OL34oL9FSTvy64sA"), None);
        // That of Appendix B.1, which has neither.
        let none = Features { password_algorithms: false, username_anonymity: false };
        assert_eq!(Features::of("obMatJos2AAACf//499k954d6OL34oL9FSTvy64sA"), Some(none));
        assert_eq!(Features::of("obMatJos2"), None);
    }
}
