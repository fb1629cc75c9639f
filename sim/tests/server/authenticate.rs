//! Who may use a TURN server: RFC 8489 §9.2 and RFC 8656 §5.

use core::time::Duration;

use floe_sim::server::PasswordAlgorithm;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::client::{
    ALLOCATE, Answer, BINDING, CREATE_PERMISSION, Lab, REFRESH, lifetime, peer, sha256, udp,
};

const PASSWORD_ALGORITHMS: u16 = 0x8002;
const PASSWORD_ALGORITHM: u16 = 0x001D;
const USERHASH: u16 = 0x001E;
const SHA256_THEN_MD5: [u8; 8] = [0, 2, 0, 0, 0, 1, 0, 0];

/// Ends a message with MESSAGE-INTEGRITY-SHA256.
fn seal(mut message: Vec<u8>, key: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len() + 36 - 20).unwrap();
    message[2..4].copy_from_slice(&length.to_be_bytes());
    let mut hmac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    hmac.update(&message);
    message.extend([0, 0x1C, 0, 32]);
    message.extend(hmac.finalize().into_bytes());
    message
}

fn is_sealed(answer: &Answer, key: &[u8]) -> bool {
    let (message, _) = answer.0.split_at(answer.0.len() - 36);
    seal(message.to_vec(), key) == answer.0
}

#[test]
fn a_request_without_credentials_is_challenged() {
    let mut lab = Lab::new(|_| {});
    for method in [ALLOCATE, REFRESH, CREATE_PERMISSION] {
        let request = lab.unsigned(method, &[]);
        let answer = lab.exchange(&request).unwrap();
        assert_eq!(answer.code(), Some(401));
        assert_eq!(answer.message().realm(), Some("example.org"));
        // Bit 0 of the features: password algorithms (RFC 8489 §18.1).
        assert!(answer.message().nonce().unwrap().starts_with(b"obMatJos2gAAA"));
        assert_eq!(answer.value(PASSWORD_ALGORITHMS).unwrap(), SHA256_THEN_MD5);
        assert!(!answer.message().has_integrity());
    }
    assert_eq!(lab.server.allocations().count(), 0);
}

#[test]
fn binding_needs_no_credentials() {
    let mut lab = Lab::new(|config| config.software = Some("floe".into()));
    let request = lab.unsigned(BINDING, &[]);
    let answer = lab.exchange(&request).unwrap();
    assert_eq!(answer.message().xor_mapped_address(), Some(lab.client.client));
    assert_eq!(answer.message().software(), Some("floe"));
}

#[test]
fn a_wrong_password_or_name_is_challenged_again() {
    for user in [("alice", "wrong"), ("mallory", "secret")] {
        let mut lab = Lab::new(|_| {});
        lab.user = user;
        assert_eq!(lab.request(ALLOCATE, &[udp()]).code(), Some(401));
        assert_eq!(lab.server.allocations().count(), 0);
    }
}

#[test]
fn a_nonce_goes_stale_with_time_with_force_and_with_another_address() {
    let mut lab = Lab::new(|config| config.nonce_lifetime = Duration::from_secs(60));
    lab.allocate();
    lab.pass(Duration::from_millis(59_999));
    assert_eq!(lab.request(REFRESH, &[]).code(), None);
    lab.pass(Duration::from_millis(1));
    let stale = lab.request(REFRESH, &[]);
    assert_eq!(stale.code(), Some(438));
    assert_eq!(stale.value(PASSWORD_ALGORITHMS).unwrap(), SHA256_THEN_MD5);
    lab.accept(&stale);
    assert_eq!(lab.request(REFRESH, &[]).code(), None);
    lab.server.forget_nonces();
    let stale = lab.request(REFRESH, &[]);
    assert_eq!(stale.code(), Some(438));
    lab.accept(&stale);
    // RFC 8489 §9.2.4: a nonce is for one address only.
    let of_another = lab.challenge.clone();
    lab.client(40_001).challenge = of_another;
    assert_eq!(lab.request(ALLOCATE, &[udp()]).code(), Some(438));
}

#[test]
fn only_the_user_who_made_it_may_use_an_allocation() {
    let mut lab = Lab::new(|_| {});
    lab.allocate();
    lab.user = ("bob", "geheim");
    let answer = lab.request(REFRESH, &[]);
    assert_eq!(answer.code(), Some(441));
    assert!(answer.message().verify(&lab.key()).is_ok());
    assert_eq!(lab.request(CREATE_PERMISSION, &[peer("192.0.2.9:1")]).code(), Some(441));
    lab.user = ("alice", "secret");
    assert_eq!(lab.request(REFRESH, &[]).code(), None);
}

#[test]
fn sha256_is_used_by_whoever_tells_the_algorithm() {
    for anonymous in [false, true] {
        let mut lab = Lab::new(|config| config.username_anonymity = anonymous);
        let request = lab.unsigned(ALLOCATE, &[udp()]);
        let challenge = lab.exchange(&request).unwrap();
        let nonce = challenge.message().nonce().unwrap().to_vec();
        assert_eq!(nonce.starts_with(b"obMatJos2wAAA"), anonymous);
        let user =
            if anonymous { (USERHASH, sha256("alice:example.org")) } else { (0x0006, b"alice".to_vec()) };
        let attributes = [
            udp(),
            user,
            (0x0014, b"example.org".to_vec()),
            (0x0015, nonce),
            (PASSWORD_ALGORITHMS, SHA256_THEN_MD5.to_vec()),
            (PASSWORD_ALGORITHM, vec![0, 2, 0, 0]),
        ];
        let key = sha256("alice:example.org:secret");
        let request = seal(lab.unsigned(ALLOCATE, &attributes), &key);
        let mut forged = request.clone();
        *forged.last_mut().unwrap() ^= 1;
        assert_eq!(lab.exchange(&forged).unwrap().code(), Some(401));
        let answer = lab.exchange(&request).unwrap();
        assert_eq!(answer.code(), None);
        assert!(is_sealed(&answer, &key) && !answer.message().has_integrity());
        assert_eq!(lab.allocation().username(), "alice");
        // Whoever takes SHA-256 out of the offer on its way is found out.
        let mut bid_down = attributes.clone();
        bid_down[4].1 = vec![0, 1, 0, 0];
        bid_down[5].1 = vec![0, 1, 0, 0];
        let request = seal(lab.unsigned(REFRESH, &bid_down), &key);
        assert_eq!(lab.exchange(&request).unwrap().code(), Some(400));
    }
}

#[test]
fn a_plain_server_knows_nothing_of_rfc_8489() {
    let mut lab = Lab::new(|config| {
        config.plain = true;
        config.username_anonymity = true;
    });
    let request = lab.unsigned(ALLOCATE, &[udp()]);
    let challenge = lab.exchange(&request).unwrap();
    assert_eq!(challenge.value(PASSWORD_ALGORITHMS), None);
    assert!(!challenge.message().nonce().unwrap().starts_with(b"obMatJos2"));
    lab.accept(&challenge);
    let answer = lab.request(ALLOCATE, &[udp(), (PASSWORD_ALGORITHM, vec![0, 2, 0, 0])]);
    assert_eq!((answer.code(), answer.value(0x000A)), (Some(420), Some(vec![0, 0x1D])));
    lab.allocate();
}

#[test]
fn a_server_may_prefer_md5_or_offer_nothing() {
    let mut lab = Lab::new(|config| config.password_algorithms = vec![PasswordAlgorithm::Md5]);
    let request = lab.unsigned(ALLOCATE, &[udp()]);
    assert_eq!(lab.exchange(&request).unwrap().value(PASSWORD_ALGORITHMS).unwrap(), [0, 1, 0, 0]);
    let mut lab = Lab::new(|config| config.password_algorithms = Vec::new());
    let request = lab.unsigned(ALLOCATE, &[udp()]);
    let challenge = lab.exchange(&request).unwrap();
    assert_eq!(challenge.value(PASSWORD_ALGORITHMS), None);
    assert!(challenge.message().nonce().unwrap().starts_with(b"obMatJos2AAAA"));
    lab.allocate();
}

#[test]
fn a_server_without_authentication_takes_everybody_for_the_same() {
    let mut lab = Lab::new(|config| config.authentication = false);
    let request = lab.unsigned(ALLOCATE, &[udp()]);
    let answer = lab.exchange(&request).unwrap();
    assert_eq!(answer.code(), None);
    assert!(!answer.message().has_integrity());
    assert_eq!(lab.allocation().username(), "");
}

#[test]
fn a_request_that_is_broken_beside_its_credentials_is_refused_under_its_seal() {
    let mut lab = Lab::new(|_| {});
    lab.allocate();
    let answer = lab.request(CREATE_PERMISSION, &[(0x0012, vec![0, 9, 0, 0, 1, 2, 3, 4])]);
    assert_eq!(answer.code(), Some(400));
    assert!(answer.message().verify(&lab.key()).is_ok());
}

/// RFC 8489 §14.5: whoever adds something on the way adds nothing.
#[test]
fn what_is_behind_the_seal_has_no_effect() {
    let mut lab = Lab::new(|_| {});
    lab.allocate();
    let mut request = lab.signed(REFRESH, &[]);
    for added in [lifetime(0), (0x7F00, vec![]), (0x0019, vec![1])] {
        let (kind, value) = added;
        request.extend(kind.to_be_bytes());
        request.extend((value.len() as u16).to_be_bytes());
        request.extend(&value);
        request.resize(request.len().next_multiple_of(4), 0);
    }
    let length = u16::try_from(request.len() - 20).unwrap();
    request[2..4].copy_from_slice(&length.to_be_bytes());
    assert_eq!(lab.exchange(&request).unwrap().lifetime(), Some(600));
}
