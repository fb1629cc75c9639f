//! What an operator is told.

use core::time::Duration;

use floe_sim::server::{Transport, TurnEvent};

use crate::client::{ALLOCATE, CHANNEL_BIND, CREATE_PERMISSION, Lab, REFRESH, channel, lifetime, peer, udp};

/// What has been told since it was last asked, in words.
fn told(lab: &mut Lab) -> Vec<String> {
    let client = lab.client;
    let events = core::iter::from_fn(|| lab.server.next_event());
    events
        .map(|TurnEvent { client: whose, kind }| {
            assert_eq!(whose, client);
            kind.to_string()
        })
        .collect()
}

#[test]
fn each_step_of_an_allocation_is_told() {
    let mut lab = Lab::new(|_| {});
    lab.server.watch();
    let relay = lab.allocate();
    assert_eq!(told(&mut lab), [format!("allocation of \"alice\": {relay} for 600 s")], "no challenge");
    lab.request(CREATE_PERMISSION, &[peer("192.0.2.9:1")]);
    lab.request(CHANNEL_BIND, &[channel(0x4001), peer("192.0.2.9:7")]);
    let expected = ["permission for 192.0.2.9", "permission for 192.0.2.9", "channel 0x4001 to 192.0.2.9:7"];
    assert_eq!(told(&mut lab), expected);
    lab.request(REFRESH, &[lifetime(700)]);
    lab.request(REFRESH, &[lifetime(0)]);
    assert_eq!(told(&mut lab), ["refresh for 700 s".to_owned(), format!("release of {relay}")]);
    let relay = lab.allocate();
    lab.pass(Duration::from_secs(600));
    assert_eq!(told(&mut lab).last(), Some(&format!("expiry of {relay}")));
    lab.client.transport = Transport::Tcp;
    let relay = lab.allocate();
    lab.server.stream_closed(lab.client, &mut lab.sockets);
    assert_eq!(told(&mut lab).last(), Some(&format!("end with its stream of {relay}")));
}

#[test]
fn refusals_are_told_once_and_only_of_signed_requests() {
    let mut lab = Lab::new(|_| {});
    lab.server.watch();
    lab.request(REFRESH, &[]);
    assert_eq!(told(&mut lab), ["refusal of Refresh: 437 Allocation Mismatch, for \"alice\""]);
    let again = lab.signed(ALLOCATE, &[]);
    lab.exchange(&again);
    lab.exchange(&again);
    assert_eq!(told(&mut lab), ["refusal of Allocate: 400 Bad Request, for \"alice\""]);
    lab.user.1 = "guess";
    lab.request(ALLOCATE, &[udp()]);
    assert_eq!(told(&mut lab), ["refusal of Allocate: 401 Unauthenticated, for \"alice\""]);
}
