//! What an application sees of a change of profile.

use super::*;
use crate::path::Profile;

/// Two that have selected, and then do as they are told for a while. How many consent checks each has sent.
fn checks_of(profiles: [Profile; 2], minutes: u64) -> [u64; 2] {
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    bench.signal();
    bench.run(Instant::from_millis(1_000));
    for (agent, profile) in bench.agents.iter_mut().zip(profiles) {
        agent.set_profile(bench.now, profile);
    }
    bench.run(Instant::from_millis(1_000 + 60_000 * minutes));
    bench.agents.each_ref().map(|agent| {
        assert!(agent.path(ComponentId::FIRST).is_some(), "{:#?}", bench.log);
        agent.stats().candidate_pairs.iter().map(|pair| pair.consent_requests_sent).sum()
    })
}

#[test]
fn an_idle_side_asks_for_consent_less_often_and_keeps_its_path_whatever_the_other_does() {
    use Profile::{Active, Idle};
    for profiles in [[Active, Active], [Idle, Active], [Active, Idle], [Idle, Idle]] {
        for (profile, checks) in profiles.into_iter().zip(checks_of(profiles, 30)) {
            // Half an hour, by the interval: 4 to 6 s, or 10 to 15 s.
            let bounds = if profile == Idle { 120..=180 } else { 300..=450 };
            assert!(bounds.contains(&checks), "{profiles:?}: {profile:?} {checks}");
        }
    }
}

#[test]
fn a_profile_may_be_set_before_there_is_anything_and_stays_over_a_restart() {
    let mut bench = Bench::new([role(Role::Controlling), role(Role::Controlled)]);
    for agent in &mut bench.agents {
        assert_eq!(agent.profile(), Profile::Active);
        agent.set_profile(Instant::ZERO, Profile::Idle);
        agent.restart(Instant::ZERO).unwrap();
    }
    bench.signal();
    bench.run(Instant::from_millis(120_000));
    for agent in &bench.agents {
        assert_eq!(agent.profile(), Profile::Idle);
        assert!(agent.path(ComponentId::FIRST).is_some(), "{:#?}", bench.log);
        let sent: u64 = agent.stats().candidate_pairs.iter().map(|pair| pair.consent_requests_sent).sum();
        assert!((7..=12).contains(&sent), "{sent}");
    }
}

/// Back from idle, what would have been asked by now is asked now.
#[test]
fn an_agent_that_becomes_active_asks_with_the_next_poll() {
    let mut stage = puppet::Stage::new(role(Role::Controlling));
    stage.add_candidate(puppet::PEER, 7);
    stage.poll();
    stage.answer_all(puppet::PEER);
    stage.wait(Duration::from_millis(100));
    stage.answer_all(puppet::PEER);
    assert_eq!(stage.selected(), Some(puppet::PEER));
    stage.agent.set_profile(stage.now, Profile::Idle);
    stage.wait(Duration::from_secs(9));
    assert!(stage.take_request(puppet::PEER).is_none());
    stage.agent.set_profile(stage.now, Profile::Active);
    stage.poll();
    assert!(stage.take_request(puppet::PEER).is_some());
}

#[test]
fn a_profile_does_not_wake_the_dead_nor_a_lite_agent() {
    let mut scratch = [0; MAX_TRANSMIT];
    let mut closed = Agent::new(AgentConfig::default(), [1; 32]).unwrap();
    closed.close(Instant::ZERO);
    closed.set_profile(Instant::ZERO, Profile::Idle);
    assert!(matches!(closed.poll(Instant::ZERO, &mut scratch), Output::Closed));

    let lite = AgentConfig { lite: true, ..Default::default() };
    let mut bench = Bench::new([role(Role::Controlling), lite]);
    bench.signal();
    bench.agents[0].set_remote_lite(Instant::ZERO, true).unwrap();
    bench.run(Instant::from_millis(1_000));
    for profile in [Profile::Idle, Profile::Active] {
        bench.agents[1].set_profile(bench.now, profile);
        let Output::Wait(until) = bench.agents[1].poll(bench.now, &mut scratch) else {
            panic!("it says something")
        };
        assert_eq!(until, None);
    }
}
