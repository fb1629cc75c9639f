//! Restarts, data streams, roaming: what each action of the later kinds does.

use core::net::SocketAddr;

use floe_core::candidate::MAX_NETWORK_COST;
use floe_core::{Candidate, ComponentId, Instant, Profile, Socket, SocketId};

use super::Stage;
use crate::forge::{CONFLICT, Variant};
use crate::places::{Place, address};
use crate::script::Action;

impl Stage {
    /// A check for one of our generations, which need not be the current one.
    pub(super) fn stray(&mut self, at: Instant, place: Place, shape: u8, [ours, theirs, number]: [u8; 3]) {
        let Some((keyed, is_alive)) = self.known.generation(ours) else { return };
        let keyed = keyed.clone();
        let variant = Variant {
            ours: Some(&keyed),
            theirs: Some(usize::from(theirs)),
            nomination: (number > 0).then(|| u32::from(number) * 0x0101_0101),
        };
        let claim = self.claim(shape & CONFLICT != 0, 0);
        let mut bytes = self.forge.request(shape, claim, 0x6E00_1EFF, variant);
        let outcome = self.receive(at, super::act::tuple(place), &mut bytes, true);
        assert!(is_alive || outcome.is_refused(), "a generation that is long over took it: {outcome:?}");
    }

    /// What the application does; whether it was taken.
    pub(super) fn signalling(&mut self, at: Instant, action: &Action) -> bool {
        match action {
            Action::Accept { theirs } => {
                let credentials = self.forge.peer((*theirs).into()).credentials.clone();
                let before = self.agent.local_credentials().clone();
                let answers = (theirs & 0x40 != 0).then_some(before.ufrag());
                let accepted = self.agent.accept_credentials(at, credentials.clone(), answers);
                if accepted.is_ok() {
                    assert_eq!(self.agent.remote_credentials(), Some(&credentials));
                }
                self.signalled |= accepted.is_ok();
                accepted.is_ok()
            }
            Action::SetCredentials { theirs } => {
                let credentials = self.forge.peer((*theirs).into()).credentials.clone();
                let taken = self.agent.set_remote_credentials(at, credentials).is_ok();
                self.signalled |= taken;
                taken
            }
            Action::Restart { how } => self.restart(at, *how),
            Action::Renomination { understood } => {
                self.agent.set_remote_renomination(at, understood & 1 != 0);
                false
            }
            Action::StreamSocket { socket, bound, of } => {
                self.socket_up(at, super::socket(*socket, *bound, component(*of)))
            }
            Action::SocketDown { socket } => {
                let socket = SocketId((*socket).into());
                let taken = self.agent.socket_down(at, socket).is_ok();
                if taken {
                    self.forget_sockets(|id, _| id == socket);
                }
                taken
            }
            Action::RemoveComponent { of } => {
                let of = component(*of);
                let taken = self.agent.remove_component(at, of).is_ok();
                if taken {
                    assert!(!self.agent.components().contains(&of));
                    self.forget_sockets(|_, component| component == of);
                }
                taken
            }
            Action::StreamCandidate { of, address: number, priority, ufrag } => {
                let of = component(*of);
                let candidate = self.candidate_line(of, address(*number), *priority, *ufrag);
                self.agent.add_stream_candidate(at, of.stream, &candidate).is_ok()
            }
            Action::CandidateGone { of, address: number, ufrag } => {
                let of = component(*of);
                let candidate = self.candidate_line(of, address(*number), 1, *ufrag);
                self.agent.remove_remote_candidate(at, of.stream, &candidate).is_ok()
            }
            Action::CostlySocket { socket, bound, cost } => {
                let socket = super::socket(*socket, *bound, ComponentId::FIRST);
                let taken = self.socket_up(at, socket.in_network(*cost).at_cost(*cost));
                assert!(!taken || *cost <= MAX_NETWORK_COST, "it took a network cost of {cost}");
                taken
            }
            Action::Profile { idle } => {
                self.agent.set_profile(at, if idle & 1 == 0 { Profile::Active } else { Profile::Idle });
                false
            }
            Action::Note { of, trouble } => {
                let of = component(*of);
                match trouble & 1 {
                    0 => self.agent.note_alive(at, of),
                    _ => self.agent.note_trouble(at, of),
                }
                false
            }
            Action::StreamSend { of } => self.send(at, component(*of), b"\x80 data"),
            _ => false,
        }
    }

    pub(super) fn socket_up(&mut self, at: Instant, socket: Socket) -> bool {
        let taken = self.agent.socket_up(at, socket).is_ok();
        if taken {
            let known = self.sockets.insert(socket.id(), (socket.local(), socket.for_component()));
            assert!(known.is_none(), "a name that was taken");
        }
        taken
    }

    fn restart(&mut self, at: Instant, how: u8) -> bool {
        let prepared = match how % 4 {
            0 => self.agent.prepare_restart(at),
            1 => return self.agent.apply_restart(at).is_ok(),
            2 => {
                let taken = self.agent.cancel_restart(at).is_ok();
                if taken {
                    self.known.on_cancelled();
                }
                // Harmless at any time.
                return false;
            }
            _ => return self.agent.restart(at).is_ok(),
        };
        let taken = prepared.is_ok();
        prepared.into_iter().for_each(|credentials| self.known.on_staged(credentials));
        taken
    }

    /// These are gone: nothing may be sent or taken there.
    fn forget_sockets(&mut self, is_gone: impl Fn(SocketId, ComponentId) -> bool) {
        self.sockets.retain(|id, (_, of)| !is_gone(*id, *of));
        let sockets = &self.sockets;
        self.proven.retain(|tuple| sockets.contains_key(&tuple.socket));
        self.answered.retain(|tuple, _| sockets.contains_key(&tuple.socket));
    }

    /// `ufrag`: 0 for none, else a generation of the peer, and one that it never has.
    fn candidate_line(&self, of: ComponentId, at: SocketAddr, priority: u8, ufrag: u8) -> Candidate {
        let ufrag = match ufrag % 8 {
            0 => String::new(),
            7 => " ufrag never".into(),
            n => format!(" ufrag {}", self.forge.peer(usize::from(n - 1)).credentials.ufrag()),
        };
        let priority = u32::from(priority.max(1)) * 0x0101_0101;
        let component = of.component.max(1);
        let line = format!(
            "candidate:{priority} {component} UDP {priority} {} {} typ host{ufrag}",
            at.ip(),
            at.port()
        );
        line.parse().expect("a good line")
    }
}

/// Four streams of three components, and one that cannot be.
fn component(number: u8) -> ComponentId {
    ComponentId { stream: (number / 4 % 4).into(), component: (number % 4).into() }
}
