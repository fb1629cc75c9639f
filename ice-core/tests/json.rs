//! Descriptions through `serde`: the JSON of browsers.
#![cfg(feature = "serde")]

use floe_core::Credentials;
use floe_core::description::{CandidateInit, SessionDescription, TrickleFragment};
use floe_core::server::IceServer;

const PASSWORD: &str = "asd88fgpdd777uzjYhagZg";
const HOST: &str = "candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host";
const LINES: &str = "a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
    a=candidate:1 1 UDP 2130706431 203.0.113.141 8998 typ host\r\na=end-of-candidates\r\n";

#[test]
fn a_candidate_has_the_four_members_of_browsers() {
    let init = CandidateInit {
        candidate: HOST.into(),
        sdp_mid: Some("0".into()),
        sdp_m_line_index: Some(0),
        username_fragment: None,
    };
    let json = serde_json::to_string(&init).unwrap();
    let expected =
        format!(r#"{{"candidate":"{HOST}","sdpMid":"0","sdpMLineIndex":0,"usernameFragment":null}}"#);
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<CandidateInit>(&json).unwrap(), init);
}

#[test]
fn absent_and_null_are_the_same_and_more_is_ignored() {
    let read = |json: &str| serde_json::from_str::<CandidateInit>(json).unwrap();
    assert_eq!(read("{}"), CandidateInit::default());
    let nulls = r#"{"candidate":null,"sdpMid":null,"sdpMLineIndex":null,"usernameFragment":null}"#;
    assert_eq!(read(nulls), CandidateInit::default());
    assert_eq!(read(r#"{"candidate":"","sdpMid":"a","type":"host"}"#).sdp_mid.as_deref(), Some("a"));
    for wrong in [r#"{"candidate":1}"#, r#"{"sdpMLineIndex":65536}"#, r#"{"sdpMLineIndex":-1}"#, "\"x\""] {
        assert!(serde_json::from_str::<CandidateInit>(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn credentials_are_ice_parameters_and_are_checked() {
    let json = format!(r#"{{"usernameFragment":"8hhY","password":"{PASSWORD}"}}"#);
    let credentials = Credentials::new("8hhY", PASSWORD).unwrap();
    assert_eq!(serde_json::to_string(&credentials).unwrap(), json);
    assert_eq!(serde_json::from_str::<Credentials>(&json).unwrap(), credentials);
    assert!(
        serde_json::from_str::<Credentials>(r#"{"usernameFragment":"8hhY","password":"short"}"#).is_err()
    );
}

#[test]
fn descriptions_are_their_text() {
    let session: SessionDescription = LINES.parse().unwrap();
    let json = serde_json::to_string(&session).unwrap();
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), session.to_string());
    assert_eq!(serde_json::from_str::<SessionDescription>(&json).unwrap(), session);
    let fragment: TrickleFragment = LINES.parse().unwrap();
    let json = serde_json::to_string(&fragment).unwrap();
    assert_eq!(serde_json::from_str::<TrickleFragment>(&json).unwrap(), fragment);
    let error = serde_json::from_str::<SessionDescription>(r#""a=ice-pacing:x""#).unwrap_err();
    assert!(error.to_string().contains("line 1: bad ice-pacing"), "{error}");
}

/// W3C WebRTC §4.2.4, with a single URL and with several.
#[test]
fn ice_servers_are_those_of_browsers() {
    let json = r#"[
        { "urls": "stun:stun.example.org" },
        { "urls": ["turn:turn.example.org?transport=udp", "turns:turn.example.org"],
          "username": "user", "credential": "secret", "credentialType": "password" }
    ]"#;
    let servers: Vec<IceServer> = serde_json::from_str(json).unwrap();
    assert_eq!(servers.iter().map(|server| server.urls().len()).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(servers[0].credentials(), None);
    assert_eq!(servers[1].credentials(), Some(("user", "secret")));
    assert_eq!(servers[1].urls()[1].port(), 5349);
    let written = serde_json::to_string(&servers).unwrap();
    let expected = r#"[{"urls":["stun:stun.example.org"]},{"urls":["turn:turn.example.org?transport=udp","turns:turn.example.org"],"username":"user","credential":"secret"}]"#;
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_str::<Vec<IceServer>>(&written).unwrap(), servers);
}

#[test]
fn what_is_wrong_with_an_ice_server_is_told() {
    for (json, expected) in [
        (
            r#"{"urls":"turn:a.example:99999","username":"u","credential":"c"}"#,
            "bad port in the URI: \"99999\"",
        ),
        (
            r#"{"urls":["stun:a.example","http://b.example"]}"#,
            "not the URI of a STUN or TURN server: \"http\"",
        ),
        (r#"{"urls":"turn:a.example"}"#, "\"turn:a.example\" needs a username and a credential"),
        (
            r#"{"urls":"turn:a.example","username":"u"}"#,
            "\"turn:a.example\" needs a username and a credential",
        ),
        (
            r#"{"urls":"turn:a.example","credential":"c"}"#,
            "\"turn:a.example\" needs a username and a credential",
        ),
        (r#"{"urls":[]}"#, "an ICE server has no URL"),
        (r#"{"urls":5}"#, "urls is a string or an array of strings"),
        (r#"{"username":"u"}"#, "missing field `urls`"),
    ] {
        let error = serde_json::from_str::<IceServer>(json).unwrap_err().to_string();
        assert!(error.contains(expected), "{json}: {error}");
    }
    let nulls = r#"{"urls":"stun:a.example","username":null,"credential":null}"#;
    assert_eq!(serde_json::from_str::<IceServer>(nulls).unwrap().credentials(), None);
}
