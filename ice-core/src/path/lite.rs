//! The paths of a lite agent. It asks for no consent (RFC 7675 §1): its gate is the valid list, and that opens for all
//! components of a data stream together (RFC 8445 §12.1.1).

use super::{ComponentPaths, Consent, Effect, Flow, Kept, Paths};
use crate::base::Instant;

/// What lets data out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Gate {
    /// RFC 7675.
    Consent,
    /// RFC 8445 §12.1.1.
    ValidList,
}

impl Paths {
    /// This flow is in the valid list of a lite agent.
    pub(super) fn on_listed(&mut self, flow: Flow) {
        let was_open = self.is_open(flow.component.stream);
        let Some(of) = self.components.iter_mut().find(|c| c.component == flow.component) else { return };
        of.flows.retain(|kept| kept.flow.pair != flow.pair);
        of.add(Kept { flow, consent: Consent::not_asked(), nominated: false });
        self.tell_opened(flow.component.stream, was_open);
    }

    /// Whether data of this stream may go out, if each flow has the consent that it needs.
    pub(super) fn is_open(&self, stream: u16) -> bool {
        let mut of_stream = self.components.iter().filter(|c| c.component.stream == stream);
        self.gate == Gate::Consent || of_stream.all(|c| !c.flows.is_empty())
    }

    /// News of the components of a stream whose gate has opened.
    pub(super) fn tell_opened(&mut self, stream: u16, was_open: bool) {
        if was_open || !self.is_open(stream) {
            return;
        }
        // What is not asked for does not run out.
        let news = |c: &ComponentPaths| c.carrier(Instant::ZERO).map(|flow| Effect::Usable(flow.pair));
        let of_stream = self.components.iter().filter(|c| c.component.stream == stream);
        self.effects.extend(of_stream.filter_map(news));
    }
}
