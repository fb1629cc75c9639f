//! What the agent wants, one thing at a time: answers first, since the peer waits for them; then events; then what time
//! has made due.

use super::carry::{Departure, Slots};
use super::generation::Generation;
use super::{Agent, Cause, Event, Life, MAX_TRANSMIT, Output, Path, Query};
use crate::base::{Instant, PairId};
use crate::check;
use crate::path::{self, Loss};
use crate::trace::CheckFailure;
use crate::transaction::BindingRequest;

impl Agent {
    /// The next thing to do at `now`. Call it until it says [`Output::Wait`]; whatever it returns borrows `scratch`
    /// only. Every call makes progress, so the loop ends.
    pub fn poll<'s>(&mut self, now: Instant, scratch: &'s mut [u8; MAX_TRANSMIT]) -> Output<'s> {
        self.advance(now);
        if self.life == Life::Closed {
            return self.poll_closed(scratch);
        }
        match self.next_departure(scratch) {
            Some(departure) => Output::Transmit(departure.transmit(scratch)),
            None => match self.events.pop_front() {
                Some(event) => Output::Event(event),
                None => match self.next_query() {
                    Some(query) => Output::Resolve(query),
                    None => match self.carriers.poll() {
                        Some(request) => Output::Socket(request),
                        None => Output::Wait(self.next_deadline()),
                    },
                },
            },
        }
    }

    /// What is left to do: allocations are deleted, and what the agent had asked for is closed.
    fn poll_closed<'s>(&mut self, scratch: &'s mut [u8; MAX_TRANSMIT]) -> Output<'s> {
        self.on_time_for_relays();
        if let Some(departure) = self.next_for_relays(scratch, Slots::Any) {
            return Output::Transmit(departure.transmit(scratch));
        }
        if self.gatherer.relays.is_empty() {
            self.carriers.close_all();
        }
        match self.carriers.poll() {
            Some(request) => Output::Socket(request),
            None if self.gatherer.relays.is_empty() => Output::Closed,
            None => Output::Wait(self.next_relay_deadline()),
        }
    }

    /// Writes the next thing to go out, if one is due and no event stands before it.
    fn next_departure(&mut self, scratch: &mut [u8; MAX_TRANSMIT]) -> Option<Departure> {
        while let Some(answer) = self.answers.pop() {
            if let Some(length) = self.write_answer(&answer, scratch)
                && let Some(departure) = self.carry(answer.tuple, length, scratch)
            {
                self.count_answer(&answer);
                return Some(departure);
            }
        }
        if self.life == Life::Failed {
            // What servers keep for us is given back, as far as there is a way and time.
            self.on_time_for_relays();
            return self.next_for_relays(scratch, Slots::Free);
        }
        self.on_time();
        if !self.events.is_empty() {
            return None;
        }
        let yields = self.gatherer.inquiries.yields();
        let slots = if yields { Slots::None } else { Slots::Free };
        if let Some(departure) = self.next_for_servers(scratch, slots) {
            return Some(departure);
        }
        while let Some(request) = self.next_request() {
            self.absorb();
            if let Some(length) = self.write_request(&request, scratch)
                && let Some(departure) = self.carry(request.tuple, length, scratch)
            {
                return Some(departure);
            }
        }
        self.absorb();
        if !self.events.is_empty() || !yields {
            return None;
        }
        self.next_for_servers(scratch, Slots::Free)
    }

    fn next_for_servers(&mut self, scratch: &mut [u8; MAX_TRANSMIT], slots: Slots) -> Option<Departure> {
        // An answer of a STUN server is the better candidate, and takes one question only.
        let yields = !self.gatherer.relays.had_last_slot() && self.gatherer.inquiries.wants_slot();
        let slots_of_relays = if yields { Slots::None } else { slots };
        if let Some(departure) = self.next_for_relays(scratch, slots_of_relays) {
            return Some(departure);
        }
        let inquiry = self.next_inquiry(slots)?;
        let length = Self::write_inquiry(&inquiry, scratch)?;
        self.carry(inquiry.tuple, length, scratch)
    }

    fn next_query(&mut self) -> Option<Query> {
        if self.life != Life::Running {
            return None;
        }
        self.names.poll(self.now).or_else(|| self.server_names.poll())
    }

    /// Lets time pass in every room.
    fn on_time(&mut self) {
        self.gather();
        self.settle_lite();
        self.on_time_for_servers();
        self.sweep_connections();
        self.on_time_for_relays();
        let (checks, mut cx) = self.checks_and_context();
        checks.on_time(&mut cx);
        self.paths.on_time(self.now, &mut self.tracer);
        self.absorb();
        self.consider_renominations();
        self.consider_moves();
        self.watch();
    }

    fn next_request(&mut self) -> Option<BindingRequest> {
        // RFC 8445 §7.3: what needs the peer's password waits for it.
        if self.generations.current.remote.is_some() {
            let slot = self.generations.current.checks.next_slot();
            let (checks, mut cx) = self.checks_and_context();
            let request = checks.poll_request(&mut cx);
            if checks.next_slot() != slot {
                self.gatherer.inquiries.on_slot_used();
            }
            if request.is_some() {
                return request;
            }
        }
        let claim = self.generations.current.checks.claim();
        let due = self.paths.poll_request(self.now, claim, &mut self.random, &mut self.tracer)?;
        self.count_consent_request(due.pair);
        if due.missed {
            self.doubt_relay(due.tuple);
        }
        let generation = self.generations.of(due.pair)?;
        let local = generation.checks.pair(due.pair).and_then(|p| generation.candidates.local(p.local))?;
        Some(BindingRequest {
            pair: due.pair,
            tuple: due.tuple,
            id: due.id,
            priority: local.check_priority(),
            claim,
            use_candidate: false,
            nomination: None,
        })
    }

    fn next_deadline(&self) -> Option<Instant> {
        if self.life != Life::Running {
            return self.next_relay_deadline();
        }
        let Generation { remote, checks, .. } = &self.generations.current;
        let checks = remote.as_ref().and_then(|_| checks.next_deadline(self.now));
        let rooms = checks.into_iter().chain(self.paths.next_deadline()).chain(self.next_server_deadline());
        let rooms = rooms.chain(self.next_relay_deadline()).chain(self.carriers.next_doom());
        let own = self.next_watch().into_iter().chain(self.next_inclination).chain(self.next_move());
        rooms.chain(own).min()
    }

    /// Takes the news from one room to the other and to the application, until there is none.
    pub(super) fn absorb(&mut self) {
        if self.life != Life::Running {
            // Who has ended has no more to tell.
            while self.paths.poll_effect().is_some() || self.generations.poll_effect().is_some() {}
            return;
        }
        loop {
            // What has come of the last news first: a path is told as usable before it is told as selected.
            if let Some(effect) = self.paths.poll_effect() {
                self.on_path_effect(effect);
            } else if let Some(effect) = self.generations.poll_effect() {
                self.on_check_effect(effect);
            } else {
                self.paths.on_settled();
                return;
            }
        }
    }

    fn on_check_effect(&mut self, effect: check::Effect) {
        match effect {
            check::Effect::Valid(pair) => {
                if let Some(flow) = self.flow_of(pair) {
                    self.paths.on_valid(self.now, flow, &mut self.random);
                }
            }
            check::Effect::Selected(pair) => {
                if let Some(flow) = self.flow_of(pair) {
                    self.watch.on_selected();
                    self.bind_channel(flow.tuple);
                    self.paths.on_selected(self.now, flow);
                    self.tell(pair, Event::PathSelected);
                }
            }
            check::Effect::Nominated(pair) => {
                if let Some(flow) = self.flow_of(pair) {
                    self.paths.on_nominated(self.now, flow);
                }
            }
            check::Effect::Unselected(why) => {
                if self.watch.asks_for_restart() {
                    self.events.push_back(Event::RestartNeeded(why.into()));
                }
                if self.restart_by_itself {
                    // It can only fail where nothing needs it.
                    let _ = self.restart(self.now);
                }
            }
            check::Effect::Connect(pair) => self.connect(pair),
            check::Effect::Silent(pair) => self.paths.on_silent(self.now, pair),
            check::Effect::Reopened(component) => {
                self.watch.on_lost(self.now);
                self.paths.on_reopened(self.now, component);
            }
            check::Effect::Revalued => {
                let checks = &self.generations.current.checks;
                self.paths.on_revalued(|pair| checks.pair(pair)?.valid().map(|v| v.priority));
            }
            check::Effect::Invalid(pair) => self.paths.on_invalid(self.now, pair),
            check::Effect::RoleSwitched(role) => self.events.push_back(Event::RoleSwitched(role)),
        }
    }

    pub(super) fn on_path_effect(&mut self, effect: path::Effect) {
        match effect {
            path::Effect::Usable(pair) => {
                self.watch.on_usable(self.now);
                self.tell(pair, Event::PathUsable);
            }
            path::Effect::Degraded(pair) => {
                if let Some(flow) = self.flow_of(pair) {
                    self.doubt_relay(flow.tuple);
                }
                self.tell(pair, Event::PathDegraded);
            }
            path::Effect::Recovered(pair) => self.tell(pair, Event::PathRecovered),
            path::Effect::Lost { pair, why } => {
                self.last_loss = Some(failure_of(why));
                let cause = Cause::from(failure_of(why));
                self.tell(pair, |path| Event::PathLost { path, cause });
            }
            path::Effect::ConsentEnded { pair, why } => {
                // Both may have had it from one server.
                if let Some(flow) = self.flow_of(pair) {
                    self.doubt_relay(flow.tuple);
                }
                // An old generation is past deciding.
                if pair.generation() == self.generations.current.number {
                    let (checks, mut cx) = self.checks_and_context();
                    checks.on_consent_lost(&mut cx, pair, failure_of(why));
                }
            }
        }
    }

    fn tell(&mut self, pair: PairId, event: impl Fn(Path) -> Event) {
        if let Some(path) = self.path_of(pair) {
            self.events.push_back(event(path));
        }
    }
}

fn failure_of(loss: Loss) -> CheckFailure {
    match loss {
        Loss::Expired => CheckFailure::ConsentLost,
        Loss::Revoked => CheckFailure::ConsentRevoked,
        Loss::Withdrawn => CheckFailure::NominationUnanswered,
        Loss::Removed => CheckFailure::Removed,
        Loss::Disconnected(end) => CheckFailure::Disconnected(end),
    }
}
