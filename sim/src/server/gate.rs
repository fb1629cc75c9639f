//! The long-term credential mechanism as a server does it (RFC 8489 §9.2.4): who sent a request, or what to answer
//! instead.

use core::net::SocketAddr;
use core::time::Duration;

use stun_codec::Message;
use stun_codec::rfc5389::attributes::{Nonce, Realm, Username};

use super::codec::{Claim, Incoming, Outgoing, PASSWORD_ALGORITHM, PASSWORD_ALGORITHMS, USERHASH};
use super::credentials::{PasswordAlgorithm, Signer, User};
use super::nonce::{Features, Nonces};
use super::seal::MESSAGE_INTEGRITY_SHA256;
use crate::Instant;

/// Knows the users, and makes and checks nonces.
pub(super) struct Gate {
    realm: String,
    users: Vec<User>,
    /// In the order in which they are offered.
    algorithms: Vec<PasswordAlgorithm>,
    nonces: Nonces,
}

/// What the gate offers.
pub(super) struct Terms {
    pub(super) realm: String,
    /// As RFC 5389 has it: no nonce cookie, none of the features below.
    pub(super) plain: bool,
    /// PASSWORD-ALGORITHMS, if there are any.
    pub(super) algorithms: Vec<PasswordAlgorithm>,
    pub(super) username_anonymity: bool,
    pub(super) nonce_lifetime: Duration,
}

/// A request whose sender is known.
pub(super) struct Passed {
    pub(super) username: String,
    pub(super) signer: Signer,
}

/// Why a request did not pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Refusal {
    /// 400, without a seal: what would make one is missing.
    BadRequest,
    /// 401.
    Unauthenticated,
    /// 438.
    StaleNonce,
}

impl Refusal {
    pub(super) fn code(self) -> u16 {
        match self {
            Self::BadRequest => 400,
            Self::Unauthenticated => 401,
            Self::StaleNonce => 438,
        }
    }
}

impl Gate {
    pub(super) fn new(terms: Terms, users: &[(String, String)], secret: [u8; 32]) -> Self {
        let Terms { realm, plain, algorithms, username_anonymity, nonce_lifetime } = terms;
        let algorithms = if plain { Vec::new() } else { algorithms };
        let features =
            (!plain).then_some(Features { password_algorithms: !algorithms.is_empty(), username_anonymity });
        let users = users.iter().map(|(name, password)| User::new(name, &realm, password)).collect();
        Self { realm, users, algorithms, nonces: Nonces::new(secret, nonce_lifetime, features) }
    }

    /// Makes all nonces that are out stale.
    pub(super) fn forget_nonces(&mut self) {
        self.nonces.forget();
    }

    /// The attributes that this gate understands, of those that a client must not expect from every server.
    pub(super) fn understands(&self) -> Vec<u16> {
        let features = self.nonces.features();
        let mut known = Vec::new();
        if features.is_some() {
            known.push(MESSAGE_INTEGRITY_SHA256);
        }
        if features.is_some_and(|f| f.password_algorithms) {
            known.push(PASSWORD_ALGORITHM);
        }
        if features.is_some_and(|f| f.username_anonymity) {
            known.push(USERHASH);
        }
        known
    }

    /// The checks of RFC 8489 §9.2.4, in its order.
    pub(super) fn check(
        &self,
        now: Instant,
        client: SocketAddr,
        request: &Incoming<'_>,
    ) -> Result<Passed, Refusal> {
        let layout = &request.layout;
        let sha256 = layout.has_sha256() && self.nonces.features().is_some();
        if !layout.has_sha1() && !sha256 {
            return Err(Refusal::Unauthenticated);
        }
        let claims = request.claims.as_ref().ok_or(Refusal::BadRequest)?;
        let realm = claims.get_attribute::<Realm>().ok_or(Refusal::BadRequest)?;
        let nonce = claims.get_attribute::<Nonce>().ok_or(Refusal::BadRequest)?;
        let (algorithm, told) = self.algorithm(request, nonce.value())?;
        let user = self.user(request, claims)?;
        let user = user.filter(|_| realm.text() == self.realm).ok_or(Refusal::Unauthenticated)?;
        let key = user.key(algorithm);
        if !(if sha256 { layout.sha256_matches(key) } else { layout.sha1_matches(key) }) {
            return Err(Refusal::Unauthenticated);
        }
        if !self.nonces.is_valid(now, client, nonce.value()) {
            return Err(Refusal::StaleNonce);
        }
        let signer = if told { Signer::Sha256(key.to_vec()) } else { Signer::Sha1(key.to_vec()) };
        Ok(Passed { username: user.name.clone(), signer })
    }

    /// The response to a request that did not pass.
    pub(super) fn refuse(
        &self,
        now: Instant,
        client: SocketAddr,
        request: &Incoming<'_>,
        refusal: Refusal,
    ) -> Outgoing {
        let mut error = Outgoing::error(request, refusal.code());
        if refusal == Refusal::BadRequest {
            return error;
        }
        if let Ok(realm) = Realm::new(self.realm.clone()) {
            error.add(realm);
        }
        if let Ok(nonce) = Nonce::new(self.nonces.make(now, client)) {
            error.add(nonce);
        }
        if !self.algorithms.is_empty() {
            error.add_raw(PASSWORD_ALGORITHMS, self.offer());
        }
        error
    }

    /// How the key is made, and whether the client told.
    fn algorithm(&self, request: &Incoming<'_>, nonce: &str) -> Result<(PasswordAlgorithm, bool), Refusal> {
        let offered = Features::of(nonce).is_some_and(|f| f.password_algorithms);
        let chosen = request.layout.attribute(PASSWORD_ALGORITHM);
        let heard = request.layout.attribute(PASSWORD_ALGORITHMS);
        if !offered || (chosen.is_none() && heard.is_none()) {
            return Ok((PasswordAlgorithm::Md5, false));
        }
        // Whoever took an algorithm out of our offer on its way is found out here (§9.2.1).
        if heard != Some(self.offer().as_slice()) {
            return Err(Refusal::BadRequest);
        }
        let chosen = self.algorithms.iter().find(|algorithm| chosen == Some(&algorithm.value()));
        chosen.map(|algorithm| (*algorithm, true)).ok_or(Refusal::BadRequest)
    }

    /// Whom USERNAME or USERHASH names; one of them has to be there.
    fn user(&self, request: &Incoming<'_>, claims: &Message<Claim>) -> Result<Option<&User>, Refusal> {
        let anonymity = self.nonces.features().is_some_and(|f| f.username_anonymity);
        if let Some(hash) = request.layout.attribute(USERHASH).filter(|_| anonymity) {
            return Ok(self.users.iter().find(|user| user.is_hashed_as(hash)));
        }
        let name = claims.get_attribute::<Username>().ok_or(Refusal::BadRequest)?;
        Ok(self.users.iter().find(|user| user.name == name.name()))
    }

    /// The value of PASSWORD-ALGORITHMS (§14.11).
    fn offer(&self) -> Vec<u8> {
        self.algorithms.iter().flat_map(|algorithm| algorithm.value()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::seal::{append, seal_sha1, seal_sha256};

    const CLIENT: SocketAddr = SocketAddr::new(core::net::IpAddr::V4(core::net::Ipv4Addr::LOCALHOST), 7);

    fn gate(terms: impl FnOnce(&mut Terms)) -> Gate {
        let mut all = Terms {
            realm: "example.org".into(),
            plain: false,
            algorithms: vec![PasswordAlgorithm::Sha256, PasswordAlgorithm::Md5],
            username_anonymity: true,
            nonce_lifetime: Duration::from_secs(60),
        };
        terms(&mut all);
        Gate::new(all, &[("alice".into(), "secret".into())], [3; 32])
    }

    /// A Binding request with these attributes.
    fn request(attributes: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0\x01\0\0\x21\x12\xa4\x42abcdefghijkl".to_vec();
        for (kind, value) in attributes {
            append(&mut bytes, *kind, value);
        }
        bytes
    }

    fn check(gate: &Gate, bytes: &[u8]) -> Result<Signer, Refusal> {
        let request = Incoming::read(bytes).unwrap();
        gate.check(Instant::ZERO, CLIENT, &request).map(|passed| passed.signer)
    }

    fn nonce(gate: &Gate) -> Vec<u8> {
        gate.nonces.make(Instant::ZERO, CLIENT).into_bytes()
    }

    const BOTH: &[u8] = &[0, 2, 0, 0, 0, 1, 0, 0];
    const SHA256: &[u8] = &[0, 2, 0, 0];
    const MD5: &[u8] = &[0, 1, 0, 0];

    #[test]
    fn what_seals_the_answer_follows_from_what_the_client_told() {
        let gate = gate(|_| {});
        let alice = User::new("alice", "example.org", "secret");
        let nonce = nonce(&gate);
        let plain: &[(u16, &[u8])] = &[(0x0006, b"alice"), (0x0014, b"example.org"), (0x0015, &nonce)];
        for (algorithm, value) in [(PasswordAlgorithm::Sha256, SHA256), (PasswordAlgorithm::Md5, MD5)] {
            let told = [plain, &[(PASSWORD_ALGORITHMS, BOTH), (PASSWORD_ALGORITHM, value)]].concat();
            for seal in [seal_sha1, seal_sha256] {
                let mut bytes = request(&told);
                seal(&mut bytes, alice.key(algorithm));
                assert_eq!(check(&gate, &bytes), Ok(Signer::Sha256(alice.key(algorithm).to_vec())));
                let mut bytes = request(&told);
                seal(&mut bytes, b"another key");
                assert_eq!(check(&gate, &bytes), Err(Refusal::Unauthenticated));
            }
        }
        let mut bytes = request(plain);
        seal_sha1(&mut bytes, alice.key(PasswordAlgorithm::Md5));
        assert_eq!(check(&gate, &bytes), Ok(Signer::Sha1(alice.key(PasswordAlgorithm::Md5).to_vec())));
    }

    #[test]
    fn an_offer_that_was_cut_short_on_its_way_is_found_out() {
        let gate = gate(|_| {});
        let alice = User::new("alice", "example.org", "secret");
        let nonce = nonce(&gate);
        for told in [
            &[(PASSWORD_ALGORITHMS, MD5), (PASSWORD_ALGORITHM, MD5)][..],
            &[(PASSWORD_ALGORITHM, MD5)],
            &[(PASSWORD_ALGORITHMS, BOTH)],
            &[(PASSWORD_ALGORITHMS, BOTH), (PASSWORD_ALGORITHM, &[0, 3, 0, 0])],
        ] {
            let all =
                [&[(0x0006, &b"alice"[..]), (0x0014, b"example.org"), (0x0015, &nonce)][..], told].concat();
            let mut bytes = request(&all);
            seal_sha256(&mut bytes, alice.key(PasswordAlgorithm::Md5));
            assert_eq!(check(&gate, &bytes), Err(Refusal::BadRequest), "{told:?}");
        }
    }

    #[test]
    fn a_user_is_known_by_hash_where_that_was_promised() {
        let alice = User::new("alice", "example.org", "secret");
        let hash = <sha2::Sha256 as sha2::Digest>::digest("alice:example.org");
        for (anonymity, expected) in [(true, None), (false, Some(Refusal::BadRequest))] {
            let gate = gate(|terms| terms.username_anonymity = anonymity);
            let nonce = nonce(&gate);
            let mut bytes = request(&[(USERHASH, &hash), (0x0014, b"example.org"), (0x0015, &nonce)]);
            seal_sha256(&mut bytes, alice.key(PasswordAlgorithm::Md5));
            assert_eq!(check(&gate, &bytes).err(), expected);
            assert_eq!(gate.understands().contains(&USERHASH), anonymity);
        }
    }

    #[test]
    fn whatever_is_missing_or_wrong_has_its_refusal() {
        let gate = gate(|_| {});
        let key = User::new("alice", "example.org", "secret").key(PasswordAlgorithm::Md5).to_vec();
        let nonce = nonce(&gate);
        let (name, realm, nonce) =
            ((0x0006, &b"alice"[..]), (0x0014, &b"example.org"[..]), (0x0015, &nonce[..]));
        let (bad, unauthenticated) = (Some(Refusal::BadRequest), Some(Refusal::Unauthenticated));
        for (attributes, expected) in [
            (&[name, realm, nonce][..], None),
            (&[realm, nonce], bad),
            (&[name, nonce], bad),
            (&[name, realm], bad),
            (&[(0x0006, b"\xFF"), realm, nonce], bad),
            (&[(0x0006, b"bob"), realm, nonce], unauthenticated),
            (&[name, (0x0014, b"example.com"), nonce], unauthenticated),
            (&[name, realm, (0x0015, b"obMatJos2wAAAhello")], Some(Refusal::StaleNonce)),
            (&[name, realm, (0x0015, b"hello")], Some(Refusal::StaleNonce)),
        ] {
            let mut bytes = request(attributes);
            assert_eq!(check(&gate, &bytes).err(), unauthenticated, "unsealed");
            seal_sha1(&mut bytes, &key);
            assert_eq!(check(&gate, &bytes).err(), expected, "{attributes:?}");
        }
    }

    #[test]
    fn a_plain_gate_knows_nothing_of_rfc_8489() {
        let gate = gate(|terms| terms.plain = true);
        assert!(gate.understands().is_empty());
        let bytes = request(&[]);
        let message = Incoming::read(&bytes).unwrap();
        let challenge = gate.refuse(Instant::ZERO, CLIENT, &message, Refusal::Unauthenticated);
        let challenge = challenge.encode(&Signer::None, false).unwrap();
        let challenge = Incoming::read(&challenge).unwrap();
        assert_eq!(challenge.layout.attribute(PASSWORD_ALGORITHMS), None);
        assert!(!challenge.layout.attribute(0x0015).unwrap().starts_with(b"obMatJos2"));
        let mut sealed = request(&[(0x0006, b"alice")]);
        seal_sha256(&mut sealed, b"any");
        assert_eq!(check(&gate, &sealed), Err(Refusal::Unauthenticated));
    }
}
