//! A peer that knows the passwords and means no good: checks, answers, refusals, restarts and data in any order, from
//! anywhere.

use crate::places::Place;
use crate::script::{Action, Script};
use crate::stage::Stage;

/// A [`Script`] whose steps are those of the peer and of time. The upper half of the setting says what has been before.
pub fn run(data: &[u8]) {
    let script = Script::read(data);
    crate::memory::weighed(|| {
        let mut stage = Stage::new(script.setting, 0);
        prelude(&mut stage, script.setting.limits >> 4);
        for step in script.steps.iter().filter(|step| !step.action.is_command()) {
            if !stage.play(step) {
                break;
            }
        }
        stage.finish()
    });
}

/// How far the agent has come: it knows the peer's credentials, or a candidate too, or many, or is connected.
fn prelude(stage: &mut Stage, how_far: u8) {
    if how_far & 3 == 3 {
        return stage.connect();
    }
    let mut actions = vec![
        Action::SocketUp { socket: 0, bound: 0, component: 1 },
        Action::SocketUp { socket: 1, bound: 1, component: 1 },
        Action::SocketUp { socket: 2, bound: 2, component: 1 },
    ];
    if how_far & 4 == 0 {
        actions.push(Action::Credentials { whose: 0 });
    }
    match how_far & 3 {
        0 => {}
        1 => actions.push(Action::Candidate { address: 0, kind: 0, priority: 200, foundation: 1 }),
        _ => actions.push(Action::Candidates { address: 0, count: 120 }),
    }
    if how_far & 8 != 0 {
        actions.push(Action::EndOfCandidates {});
        actions.push(Action::Indication { place: Place::default() });
    }
    for action in actions {
        stage.play(&action.into());
    }
}
