use super::*;

const SEEN: Evidence = Evidence {
    role: Role::Controlling,
    lite: false,
    local_candidates: 1,
    sockets: 1,
    has_remote_credentials: true,
    remote_candidates: 1,
    end_of_candidates: false,
    names: 0,
    unresolved: 0,
    filtered_candidates: 0,
    filtered_requests: 0,
    pairs: 1,
    untried: 0,
    requests_sent: 4,
    responses_received: 0,
    requests_received: 0,
    misaddressed: 0,
    rejected: 0,
    strangers: 0,
    refused_credentials: 0,
    asymmetric: 0,
    refused: None,
    send_failures: 0,
    silence: None,
    mapping: MappingKnowledge::Unknown,
    nats: None,
    relay: false,
    relay_fault: None,
    has_valid: false,
    is_nominating: false,
    lost: None,
    cut_off_at: None,
    has_selected: false,
};

#[test]
fn each_sight_has_its_own_cause() {
    let nothing_through =
        Cause::NothingThrough { requests_sent: 4, relay: false, mapping: MappingKnowledge::Unknown };
    let unsent = Evidence { requests_sent: 0, pairs: 0, remote_candidates: 0, ..SEEN };
    let server = ([192, 0, 2, 1], 3478).into();
    let silence = Some(Silence { server, servers: 2, requests: 8 });
    let table: [(Evidence, &[Cause]); 28] = [
        (
            Evidence { silence, ..SEEN },
            &[Cause::NoServerAnswered { server, servers: 2, requests: 8 }, nothing_through],
        ),
        (SEEN, &[nothing_through]),
        (Evidence { has_selected: true, ..SEEN }, &[]),
        (
            Evidence { has_selected: true, cut_off_at: Some(server), ..SEEN },
            &[Cause::MappingChanged { mapped: server }],
        ),
        (Evidence { has_valid: true, ..SEEN }, &[]),
        (Evidence { has_valid: true, is_nominating: true, ..SEEN }, &[Cause::NominationUnanswered]),
        (Evidence { lost: Some(CheckFailure::ConsentLost), ..SEEN }, &[Cause::ConsentExpired]),
        (Evidence { strangers: 2, ..SEEN }, &[nothing_through, Cause::OtherUser { requests: 2 }]),
        (Evidence { has_valid: true, role: Role::Controlled, ..SEEN }, &[Cause::NotNominated]),
        (
            Evidence { local_candidates: 0, sockets: 0, requests_sent: 0, pairs: 0, ..SEEN },
            &[Cause::NoLocalCandidates],
        ),
        (Evidence { has_remote_credentials: false, ..unsent }, &[Cause::NoRemoteDescription]),
        (Evidence { has_remote_credentials: false, requests_sent: 0, ..SEEN }, &[Cause::NoRemoteCredentials]),
        (Evidence { requests_sent: 0, ..SEEN }, &[Cause::TooEarly { requests_sent: 0 }]),
        (unsent, &[Cause::NoRemoteCandidates { ended: false }]),
        (Evidence { end_of_candidates: true, ..unsent }, &[Cause::NoRemoteCandidates { ended: true }]),
        (
            Evidence { local_candidates: 0, sockets: 2, requests_sent: 0, pairs: 0, ..SEEN },
            &[Cause::LocalFiltered { sockets: 2 }],
        ),
        (Evidence { names: 2, unresolved: 2, ..unsent }, &[Cause::UnresolvedNames { names: 2 }]),
        (Evidence { names: 2, ..unsent }, &[Cause::TooEarly { requests_sent: 0 }]),
        (
            Evidence { names: 1, unresolved: 1, ..SEEN },
            &[Cause::UnresolvedNames { names: 1 }, nothing_through],
        ),
        (
            Evidence { filtered_candidates: 3, ..unsent },
            &[Cause::RemoteFiltered { candidates: 3, requests: 0 }],
        ),
        (Evidence { filtered_requests: 3, ..SEEN }, &[Cause::RemoteFiltered { candidates: 0, requests: 3 }]),
        (Evidence { remote_candidates: 1, ..unsent }, &[Cause::NothingToPair]),
        (
            Evidence { rejected: 3, ..SEEN },
            &[Cause::Authentication { rejected: 3, refused: 0, misaddressed: 0 }, nothing_through],
        ),
        (
            Evidence { requests_received: 5, ..SEEN },
            &[Cause::OneWay { requests_received: 5, requests_sent: 4 }],
        ),
        (Evidence { asymmetric: 1, ..SEEN }, &[Cause::Asymmetric { answers: 1 }]),
        (Evidence { lite: true, pairs: 0, requests_sent: 0, ..SEEN }, &[Cause::NotChecked]),
        (
            Evidence { lite: true, pairs: 0, requests_sent: 0, requests_received: 1, ..SEEN },
            &[Cause::NotNominated],
        ),
        (Evidence { untried: 7, ..SEEN }, &[nothing_through, Cause::PairLimit { untried: 7 }]),
    ];
    for (seen, expected) in table {
        assert_eq!(diagnose(&seen).as_slice(), expected, "{seen:?}");
    }
}
