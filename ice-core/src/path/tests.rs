//! The choice of a path, without checks.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may end with a panic")]

use super::*;
use crate::base::SocketId;

const FIRST: ComponentId = ComponentId::FIRST;
const CLAIM: RoleClaim = RoleClaim::Controlled(1);

fn flow(number: u32) -> Flow {
    let remote = ([10, 0, 0, number as u8], 5_000).into();
    let tuple = Tuple { socket: SocketId(0), remote };
    Flow { component: FIRST, pair: PairId(number), tuple, priority: u64::from(number) }
}

struct Room {
    paths: Paths,
    random: Random,
    tracer: Tracer,
}

impl Room {
    fn new() -> Self {
        Self {
            paths: Paths::new(Gate::Consent, &[FIRST]),
            random: Random::new([1; 32]),
            tracer: Tracer::default(),
        }
    }

    fn valid(&mut self, at: u64, number: u32) {
        self.paths.on_valid(Instant::from_millis(at), flow(number), &mut self.random);
    }

    fn effects(&mut self) -> SmallVec<[Effect; 4]> {
        core::iter::from_fn(|| self.paths.poll_effect()).collect()
    }

    /// Lets time pass; nobody answers.
    fn wait(&mut self, until: u64) {
        let until = Instant::from_millis(until);
        while let Some(next) = self.paths.next_deadline().filter(|next| *next <= until) {
            self.paths.on_time(next, &mut self.tracer);
            while self.paths.poll_request(next, CLAIM, &mut self.random, &mut self.tracer).is_some() {}
        }
    }

    /// The next time that something is due, and whom it asks then; the peer answers at once.
    fn next_checks(&mut self) -> (Instant, SmallVec<[u32; 4]>) {
        let at = self.paths.next_deadline().unwrap();
        (at, self.checks_at(at))
    }

    fn checks_at(&mut self, at: Instant) -> SmallVec<[u32; 4]> {
        let mut asked = SmallVec::new();
        while let Some(due) = self.paths.poll_request(at, CLAIM, &mut self.random, &mut self.tracer) {
            self.paths.on_response(at, due.id, due.tuple, &mut self.tracer).unwrap();
            asked.push(due.pair.0);
        }
        asked
    }

    fn carries(&self, at: u64) -> Option<u32> {
        match self.paths.outlet(Instant::from_millis(at), FIRST)? {
            Outlet::Open(flow) => Some(flow.pair.0),
            _ => None,
        }
    }
}

#[test]
fn before_selection_data_takes_the_best_valid_flow() {
    let mut room = Room::new();
    assert_eq!(room.carries(0), None);
    room.valid(0, 3);
    room.valid(10, 5);
    room.valid(20, 4);
    assert_eq!(room.effects().as_slice(), [Effect::Usable(PairId(3))]);
    assert_eq!(room.carries(20), Some(5));
}

#[test]
fn when_the_best_flow_is_taken_back_the_next_carries_on() {
    let mut room = Room::new();
    room.valid(0, 3);
    room.valid(0, 5);
    room.effects();
    room.paths.on_invalid(Instant::ZERO, PairId(5));
    let lost = Effect::Lost { pair: PairId(5), why: Loss::Withdrawn };
    assert_eq!(room.effects().as_slice(), [lost, Effect::Usable(PairId(3))]);
    assert_eq!(room.carries(0), Some(3));
}

#[test]
fn a_selected_flow_that_goes_silent_is_degraded_lost_and_not_replaced() {
    let mut room = Room::new();
    room.valid(0, 3);
    room.valid(0, 5);
    room.paths.on_selected(Instant::ZERO, flow(3));
    room.effects();
    assert_eq!(room.carries(0), Some(3));
    room.wait(31_000);
    let expected = [
        Effect::Degraded(PairId(3)),
        Effect::Lost { pair: PairId(3), why: Loss::Expired },
        Effect::ConsentEnded { pair: PairId(3), why: Loss::Expired },
    ];
    assert_eq!(room.effects().as_slice(), expected);
    assert_eq!(room.carries(31_000), None);
}

/// RFC 7675 §5.1: consent that was not kept up must be regained before data flows. Until then the old path serves.
#[test]
fn a_flow_that_is_selected_long_after_its_check_waits_for_consent_and_the_old_one_serves() {
    let mut room = Room::new();
    room.valid(0, 3);
    room.valid(0, 5);
    room.paths.on_selected(Instant::ZERO, flow(3));
    room.valid(25_000, 3);
    let late = Instant::from_millis(40_000);
    room.paths.on_selected(late, flow(5));
    assert_eq!(room.carries(40_000), Some(3));
    let mut requests =
        core::iter::from_fn(|| room.paths.poll_request(late, CLAIM, &mut room.random, &mut room.tracer));
    let request = requests.find(|r| r.pair == PairId(5)).unwrap();
    assert!(room.paths.on_response(late, request.id, flow(5).tuple, &mut room.tracer).is_some());
    assert_eq!(room.carries(40_000), Some(5));
}

/// Among many valid flows those of the lowest priority are forgotten, and with them the consent that they had. Early in the
/// life of an agent, too, one that is selected after all is asked for it at once and has 30 s to give it.
#[test]
fn a_forgotten_flow_that_is_selected_has_its_time_to_consent() {
    let mut room = Room::new();
    for number in 1..=MAX_FLOWS as u32 + 1 {
        room.valid(1_000, number);
    }
    let selected = Instant::from_millis(2_000);
    room.paths.on_selected(selected, flow(1));
    assert_eq!(room.carries(2_000), None);
    let request = room.paths.poll_request(selected, CLAIM, &mut room.random, &mut room.tracer);
    assert_eq!(request.map(|r| r.pair), Some(PairId(1)));
    room.wait(31_999);
    assert!(!room.effects().iter().any(|e| matches!(e, Effect::Lost { .. })));
    room.wait(32_000);
    assert!(room.effects().contains(&Effect::Lost { pair: PairId(1), why: Loss::Expired }));
}

#[test]
fn a_path_that_regains_consent_is_told_of() {
    let mut room = Room::new();
    room.valid(0, 3);
    let late = Instant::from_millis(40_000);
    room.effects();
    room.paths.on_selected(late, flow(3));
    assert_eq!(room.paths.outlet(late, FIRST), Some(Outlet::NoConsent));
    let request = room.paths.poll_request(late, CLAIM, &mut room.random, &mut room.tracer).unwrap();
    room.paths.on_response(late, request.id, flow(3).tuple, &mut room.tracer).unwrap();
    assert_eq!(room.effects().as_slice(), [Effect::Usable(PairId(3))]);
}

#[test]
fn flows_and_inbound_tuples_are_bounded() {
    let mut room = Room::new();
    for number in 0..100 {
        room.valid(0, number);
        room.paths.on_request(flow(100 + number).tuple, FIRST);
    }
    assert_eq!((room.paths.flows_len(), room.paths.inbound_len()), (MAX_FLOWS, MAX_INBOUND));
    // The best is kept, and the latest.
    assert_eq!(room.carries(0), Some(99));
    assert_eq!(room.paths.source(flow(199).tuple), Some((FIRST, None)));
}

/// The same far end under another generation: the number of the pair says which.
fn of_next_generation(number: u32) -> Flow {
    Flow { pair: PairId(PairId::first_of(1).0 + number), ..flow(number) }
}

#[test]
fn after_a_restart_the_old_flow_carries_until_the_new_one_is_selected_and_is_heard_after_that() {
    let mut room = Room::new();
    room.valid(0, 3);
    room.paths.on_selected(Instant::ZERO, flow(3));
    room.paths.on_restarted(1);
    let new = of_next_generation(9);
    room.paths.on_valid(Instant::ZERO, new, &mut room.random);
    assert_eq!(room.carries(1), Some(3));
    // Both are kept alive meanwhile, so that neither is lost when nobody answers but at the end.
    let asked = (0..4).map(|n| n * 1_500 + 6_000).find_map(|at| {
        let now = Instant::from_millis(at);
        let mut pairs: SmallVec<[u16; 4]> = SmallVec::new();
        while let Some(due) = room.paths.poll_request(now, CLAIM, &mut room.random, &mut room.tracer) {
            pairs.push(due.pair.generation());
        }
        (pairs.len() == 2).then_some(())
    });
    assert!(asked.is_some());
    room.paths.on_selected(Instant::from_millis(6_000), new);
    assert_eq!(room.carries(6_000), Some(new.pair.0));
    assert_eq!(room.paths.flows_len(), 1);
    assert_eq!(room.paths.source(flow(3).tuple), Some((FIRST, None)));
}

#[test]
fn an_old_flow_that_dies_before_the_new_one_is_selected_leaves_the_way_to_what_is_valid() {
    let mut room = Room::new();
    room.valid(0, 3);
    room.paths.on_selected(Instant::ZERO, flow(3));
    room.paths.on_restarted(1);
    let new = of_next_generation(9);
    room.paths.on_valid(Instant::from_millis(20_000), new, &mut room.random);
    room.wait(30_000);
    assert_eq!(room.carries(30_000), Some(new.pair.0));
}

#[test]
fn when_the_selected_flow_is_gone_before_the_restart_the_first_valid_one_carries() {
    let mut room = Room::new();
    room.valid(0, 3);
    room.paths.on_selected(Instant::ZERO, flow(3));
    room.wait(30_000);
    room.paths.on_restarted(1);
    room.effects();
    let new = of_next_generation(9);
    room.paths.on_valid(Instant::from_millis(31_000), new, &mut room.random);
    assert_eq!(room.carries(31_000), Some(new.pair.0));
    assert_eq!(room.effects().as_slice(), [Effect::Usable(new.pair)]);
}

/// A radio that rests is woken for all paths as rarely as for one.
#[test]
fn an_idle_profile_is_for_standby_paths_too() {
    let mut room = Room::new();
    room.paths.set_standby(true);
    room.valid(0, 3);
    room.valid(0, 5);
    room.paths.on_selected(Instant::ZERO, flow(5));
    room.paths.set_profile(Profile::Idle);
    let mut last = [Instant::ZERO; 2];
    for _ in 0..40 {
        let (at, asked) = room.next_checks();
        for pair in asked {
            let last = &mut last[usize::from(pair == 5)];
            let distance = core::mem::replace(last, at);
            let distance = at.since(distance).as_millis();
            assert!((10_000..=15_000).contains(&distance), "#{pair}: {distance} ms");
        }
    }
    assert!(last.iter().all(|at| *at > Instant::from_millis(200_000)), "{last:?}");
}

#[test]
fn a_change_of_profile_is_in_force_at_once() {
    let mut room = Room::new();
    room.valid(0, 3);
    let soon = room.paths.next_deadline().unwrap();
    room.paths.set_profile(Profile::Idle);
    let late = room.paths.next_deadline().unwrap();
    assert!(soon <= Instant::from_millis(6_000) && late >= Instant::from_millis(10_000), "{soon} {late}");
    let now = Instant::from_millis(8_000);
    assert!(room.checks_at(now).is_empty());
    room.paths.set_profile(Profile::Active);
    assert_eq!(room.checks_at(now).as_slice(), [3]);
    assert!(room.paths.next_deadline().unwrap() >= Instant::from_millis(12_000));
}

/// RFC 7675 §5.1: never under 4 s apart, however often the application changes its mind; nor does that put checks off.
#[test]
fn whatever_the_changes_of_profile_checks_are_four_to_fifteen_seconds_apart() {
    for step in [1, 130, 3_000, 7_000, 11_000] {
        let mut room = Room::new();
        room.valid(0, 3);
        let mut last = 0;
        for (round, at) in (0..400_000).step_by(step).enumerate() {
            room.paths.set_profile(if round % 2 == 0 { Profile::Idle } else { Profile::Active });
            let at = at as u64;
            if !room.checks_at(Instant::from_millis(at)).is_empty() {
                let distance = at - last;
                assert!(distance >= 4_000 && distance <= 15_000 + step as u64, "{step}: {distance} ms");
                last = at;
            }
        }
        assert!(last > 370_000, "{step}: {last}");
    }
}

#[test]
fn an_idle_path_that_falls_silent_is_degraded_while_there_is_time_to_do_something() {
    for seed in 0..50 {
        let mut room = Room::new();
        room.random = Random::new([seed; 32]);
        room.paths.set_profile(Profile::Idle);
        room.valid(0, 3);
        room.paths.on_selected(Instant::ZERO, flow(3));
        room.effects();
        room.wait(17_999);
        assert_eq!(room.effects().as_slice(), [], "seed {seed}");
        room.wait(27_000);
        assert_eq!(room.effects().as_slice(), [Effect::Degraded(PairId(3))], "seed {seed}");
        room.wait(29_999);
        assert_eq!(room.carries(29_999), Some(3));
        room.wait(30_000);
        assert_eq!(room.carries(30_000), None);
    }
}
