//! The long-term mechanism towards one server (RFC 8489 §9.2): what it demands, how our requests answer, and what its demands
//! mean. Demands are never authenticated; each only leads to a request that is made anew, so many times and no more.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::RelayCredentials;
use super::event::AllocationFailure;
use super::requests::Sent;
use crate::base::Instant;
use crate::trace::DropReason;
use crate::wire::{
    IntegrityKey, Message, MessageWriter, PasswordAlgorithm, PasswordAlgorithms, SecurityFeatures,
    ServerAttributes, USERHASH_SIZE, userhash,
};

/// How many nonces may be stale in a row before the server is left alone for a while. One is the rule (RFC 8489 §9.2.5); a
/// server that changes them faster than we ask makes a few.
pub(super) const MAX_STALE_IN_A_ROW: u8 = 8;
/// How long it is left alone then.
pub(super) const STALE_PAUSE: Duration = Duration::from_secs(10);
/// How often a server may move us to another realm before we believe that it has none for us (RFC 8489 §9.2.5).
const MAX_REALMS: u8 = 3;
/// How many 401s in a row, without a good answer in between, an allocation that lives takes for somebody's mistake.
const MAX_REFUSALS: u8 = 3;
/// Bytes of realm, nonce and algorithms together: the rest of a request has to fit besides them. RFC 8489 §14.9 and §14.10
/// have less than 128 characters in each.
const MAX_CHALLENGE: usize = 640;

#[derive(Debug)]
pub(super) struct Session {
    credentials: RelayCredentials,
    /// Those that came later. The allocation belongs to the username that made it (RFC 8656 §5), so they wait until the
    /// server refuses the others.
    next: Option<RelayCredentials>,
    challenge: Option<Challenge>,
    /// Counts changes of anything that a request is signed with.
    generation: u32,
    stale_in_a_row: u8,
    /// 401s in a row to requests of an allocation that lives.
    refusals: u8,
    realms: u8,
    /// The code with which our credentials were refused, unless there are others.
    refused: Option<u16>,
    paused: Instant,
}

/// What the server demands, and what follows from it.
#[derive(Debug)]
struct Challenge {
    realm: String,
    nonce: Vec<u8>,
    algorithms: Vec<u8>,
    algorithm: Option<PasswordAlgorithm>,
    userhash: Option<[u8; USERHASH_SIZE]>,
    key: IntegrityKey,
}

/// What is to be done about a request that was answered with 401 or 438.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Demand {
    /// It is made anew.
    Again,
    /// As if it had not come: it keeps being repeated.
    Ignored(DropReason),
    /// Making it anew would be the same again.
    Refused,
    /// An allocation cannot come of it.
    Hopeless(AllocationFailure),
    /// Too many nonces were stale; a request is made anew after a pause.
    Endless,
}

impl Session {
    pub(super) fn new(credentials: RelayCredentials) -> Self {
        Self {
            credentials,
            next: None,
            challenge: None,
            generation: 0,
            stale_in_a_row: 0,
            refusals: 0,
            realms: 0,
            refused: None,
            paused: Instant::ZERO,
        }
    }

    /// New credentials, at once or, for the sake of an allocation that exists, when the server refuses the old ones.
    pub(super) fn set_credentials(&mut self, credentials: RelayCredentials, allocated: bool) {
        if allocated && self.refused.is_none() {
            self.next = (credentials != self.credentials).then_some(credentials);
            return;
        }
        self.next = Some(credentials);
        self.switch();
    }

    /// From when on requests may be begun; `None`: not before there are other credentials.
    pub(super) fn ready(&self) -> Option<Instant> {
        self.refused.is_none().then_some(self.paused)
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// The key that the next request is signed with, if one was demanded.
    pub(super) fn key(&self) -> Option<&IntegrityKey> {
        self.challenge.as_ref().map(|challenge| &challenge.key)
    }

    /// What a request says in front of its seal (RFC 8489 §9.2.3.2).
    pub(super) fn write<'b>(&self, writer: MessageWriter<'b>) -> MessageWriter<'b> {
        let Some(challenge) = &self.challenge else { return writer };
        let writer = match &challenge.userhash {
            Some(hash) => writer.userhash(hash),
            None => writer.username_str(self.credentials.username()),
        };
        let writer = writer.realm(&challenge.realm).nonce(&challenge.nonce);
        match (challenge.algorithm, PasswordAlgorithms::read(&challenge.algorithms)) {
            (Some(one), Some(all)) => writer.password_algorithms(all).password_algorithm(one),
            _ => writer,
        }
    }

    /// The server has answered a request that was signed so.
    pub(super) fn on_proven(&mut self) {
        (self.stale_in_a_row, self.refusals) = (0, 0);
    }

    /// 401 (RFC 8489 §9.2.5).
    pub(super) fn on_unauthenticated(
        &mut self,
        sent: &Sent,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
        is_alive: bool,
    ) -> Demand {
        let (Some(realm), Some(nonce)) = (message.realm(), message.nonce()) else {
            return Demand::Ignored(DropReason::NoChallenge);
        };
        let algorithms = match self.checked(realm, nonce, attributes) {
            Ok(algorithms) => algorithms,
            // RFC 8489 §9.2.5 forbids another request; to one that was signed the true answer may still come.
            Err(failure) if sent.key.is_none() => return Demand::Hopeless(failure),
            Err(AllocationFailure::BidDown) => return Demand::Ignored(DropReason::BidDown),
            Err(_) => return Demand::Ignored(DropReason::NoChallenge),
        };
        if sent.key.is_none() || sent.generation != self.generation {
            if self.challenge.is_none() {
                self.take(realm, nonce, algorithms);
            }
            return Demand::Again;
        }
        // Nobody has signed this: while there is something to lose, it takes several to be believed.
        if is_alive && self.refusals < MAX_REFUSALS {
            self.refusals += 1;
            self.take(realm, nonce, algorithms);
            return Demand::Again;
        }
        let is_new_realm = self.challenge.as_ref().is_some_and(|challenge| challenge.realm != realm);
        if is_new_realm && self.realms < MAX_REALMS {
            self.realms += 1;
            self.take(realm, nonce, algorithms);
            return Demand::Again;
        }
        self.on_refused(401)
    }

    /// The server does not take our credentials: 401, or 441 for another allocation's.
    pub(super) fn on_refused(&mut self, code: u16) -> Demand {
        // Others that were out say the same, and wait with it for other credentials.
        if self.refused.is_some() || self.switch() {
            return Demand::Again;
        }
        self.refused = Some(code);
        Demand::Refused
    }

    /// 438: a new nonce (RFC 8489 §9.2.5).
    pub(super) fn on_stale(
        &mut self,
        now: Instant,
        sent: &Sent,
        message: &Message<'_>,
        attributes: &ServerAttributes<'_>,
    ) -> Demand {
        let known = self.challenge.as_ref().map(|challenge| challenge.realm.clone());
        let (Some(realm), Some(nonce)) = (message.realm().map(String::from).or(known), message.nonce())
        else {
            return Demand::Ignored(DropReason::NoChallenge);
        };
        let algorithms = match self.checked(&realm, nonce, attributes) {
            Ok(algorithms) => algorithms,
            Err(AllocationFailure::BidDown) => return Demand::Ignored(DropReason::BidDown),
            Err(_) => return Demand::Ignored(DropReason::NoChallenge),
        };
        let is_latest = sent.generation == self.generation;
        self.take(&realm, nonce, algorithms);
        // Of several requests that were out with one nonce, each is told so.
        if is_latest {
            self.stale_in_a_row += 1;
        }
        if self.stale_in_a_row > MAX_STALE_IN_A_ROW {
            self.stale_in_a_row = 0;
            self.paused = now + STALE_PAUSE;
            return Demand::Endless;
        }
        Demand::Again
    }

    /// Whether a demand is one that can be answered, and not weaker than the server is able to, or was before.
    fn checked<'m>(
        &self,
        realm: &str,
        nonce: &[u8],
        attributes: &ServerAttributes<'m>,
    ) -> Result<Option<PasswordAlgorithms<'m>>, AllocationFailure> {
        let algorithms = attributes.password_algorithms();
        let was_stronger = self.challenge.as_ref().is_some_and(|challenge| challenge.algorithm.is_some());
        if algorithms.is_none() && (was_stronger || is_bid_down(Some(nonce), attributes)) {
            return Err(AllocationFailure::BidDown);
        }
        let length = realm.len() + nonce.len() + algorithms.map_or(0, |list| list.as_bytes().len());
        if length > MAX_CHALLENGE || algorithms.is_some_and(|list| chosen(list).is_none()) {
            return Err(AllocationFailure::Unsupported);
        }
        Ok(algorithms)
    }

    fn take(&mut self, realm: &str, nonce: &[u8], algorithms: Option<PasswordAlgorithms<'_>>) {
        let algorithm = algorithms.and_then(chosen);
        let (username, password) = (self.credentials.username(), self.credentials.password());
        let is_anonymous =
            SecurityFeatures::of_nonce(nonce).is_some_and(SecurityFeatures::username_anonymity);
        let key = match algorithm {
            Some(algorithm) => IntegrityKey::long_term_sha256(algorithm, username, realm, password),
            None => IntegrityKey::long_term(username, realm, password),
        };
        self.challenge = Some(Challenge {
            realm: realm.into(),
            nonce: nonce.into(),
            algorithms: algorithms.map_or_else(Vec::new, |list| list.as_bytes().into()),
            algorithm,
            userhash: is_anonymous.then(|| userhash(username, realm)),
            key,
        });
        self.generation = self.generation.wrapping_add(1);
    }

    /// To the credentials that came later, with what the server demanded last.
    fn switch(&mut self) -> bool {
        let Some(next) = self.next.take() else { return false };
        self.credentials = next;
        self.refused = None;
        self.realms = 0;
        match self.challenge.take() {
            Some(Challenge { realm, nonce, algorithms, .. }) => {
                let list = PasswordAlgorithms::read(&algorithms).filter(|list| !list.as_bytes().is_empty());
                self.take(&realm, &nonce, list);
            }
            None => self.generation = self.generation.wrapping_add(1),
        }
        true
    }
}

/// The nonce says that the server lists algorithms, and no list is there (RFC 8489 §9.2.5).
pub(super) fn is_bid_down(nonce: Option<&[u8]>, attributes: &ServerAttributes<'_>) -> bool {
    let features = nonce.and_then(SecurityFeatures::of_nonce);
    features.is_some_and(SecurityFeatures::password_algorithms) && attributes.password_algorithms().is_none()
}

/// RFC 8656 §6: SHA-256 wherever it stands in the list; RFC 8489 §9.2.5: else the first that we know.
fn chosen(list: PasswordAlgorithms<'_>) -> Option<PasswordAlgorithm> {
    let strongest = PasswordAlgorithm::Sha256;
    let has_strongest = list.iter().any(|(number, rest)| number == strongest.number() && rest.is_empty());
    if has_strongest { Some(strongest) } else { list.first_known() }
}
