//! A whole life of an agent: what the application, the peer, strangers and time do, in any order.

use crate::script::Script;
use crate::stage::Stage;

/// A [`Script`] with all its steps.
pub fn run(data: &[u8]) {
    let script = Script::read(data);
    crate::memory::weighed(|| {
        let mut stage = Stage::new(script.setting, script.setting.limits >> 4);
        for step in &script.steps {
            if !stage.play(step) {
                break;
            }
        }
        stage.finish()
    });
}
