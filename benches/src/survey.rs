//! One session under the judge's eyes: every datagram is checked, and the network itself tells when the two sides have
//! agreed. Simulated time makes a session repeat itself, so what is found here holds for the measured runs too.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::contender::{Agent, News};
use crate::judge;
use crate::network::{CREDENTIALS, CUT_OFF, Packet, Scenario, Session, Spectator};

/// What came of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Survey {
    /// Datagrams that were sent by both sides until the end.
    pub packets: u64,
    /// `None`: not connected at the cut-off.
    pub connected: Option<Connected>,
}

/// When what was reached, in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Connected {
    /// Both sides may send.
    pub usable: u64,
    /// Both sides are on the same pair, and its nomination was received and answered. The session's end.
    pub selected: u64,
}

/// Runs `scenario`.
pub(crate) fn survey<A: Agent>(scenario: &Scenario) -> Result<Survey, String> {
    let mut witness = Witness::default();
    let outcome = Session::<A>::new(*scenario).watch(CUT_OFF, &mut witness);
    if let Some(fault) = witness.fault {
        return Err(fault);
    }
    let [a, b] = witness.usable;
    let usable = a.zip(b).map(|(a, b)| a.max(b));
    let is_selected = witness.agreed;
    let connected = usable.filter(|_| is_selected).map(|usable| Connected { usable, selected: outcome.now });
    Ok(Survey { packets: witness.packets, connected })
}

type Pair = (SocketAddr, SocketAddr);

#[derive(Default)]
struct Witness {
    packets: u64,
    usable: [Option<u64>; 2],
    /// What each side said last, as the controlling side sees the pair.
    selected: [Option<Pair>; 2],
    /// Requests with USE-CANDIDATE, by transaction.
    nominating: HashMap<[u8; 12], Pair>,
    /// Pairs whose nomination was answered, and the answer has arrived.
    nominated: Vec<Pair>,
    agreed: bool,
    fault: Option<String>,
}

impl Witness {
    fn read(&self, packet: &Packet) -> Result<judge::Seen, String> {
        // A request is signed with its receiver's password, and its response too.
        let is_request = packet.bytes().starts_with(&[0, 1]);
        let signer = if is_request { packet.side } else { 1 - packet.side };
        let password = CREDENTIALS.get(signer).map_or("", |credentials| credentials.password);
        judge::read(packet.bytes(), password)
    }

    fn look(&mut self) {
        let [Some(one), Some(other)] = self.selected else { return };
        self.agreed = one == other && self.nominated.contains(&one);
    }
}

impl Spectator for Witness {
    fn sent(&mut self, now: u64, packet: &Packet) {
        self.packets += 1;
        match self.read(packet) {
            Err(fault) => self.fault = Some(format!("at {now} ns: {fault}")),
            Ok(seen) if seen.is_request => {
                let [sender, receiver] =
                    if packet.side == 1 { CREDENTIALS } else { [CREDENTIALS[1], CREDENTIALS[0]] };
                let is_right = seen.username == Some(format!("{}:{}", receiver.ufrag, sender.ufrag))
                    && seen.priority.is_some()
                    && seen.controlling.is_some() == (packet.side == 1)
                    && seen.controlled.is_some() == (packet.side == 0);
                if !is_right {
                    self.fault = Some(format!("at {now} ns: a check says {seen:?}"));
                }
                if seen.use_candidate {
                    self.nominating.insert(seen.id, (packet.from, packet.to));
                }
            }
            Ok(seen) => {
                if seen.mapped != Some(packet.to) {
                    self.fault = Some(format!("at {now} ns: an answer says {seen:?}"));
                }
            }
        }
    }

    fn arrived(&mut self, _now: u64, packet: &Packet) {
        if let Ok(seen) = self.read(packet)
            && !seen.is_request
            && let Some(&pair) = self.nominating.get(&seen.id)
        {
            self.nominated.push(pair);
        }
        self.look();
    }

    fn told(&mut self, now: u64, side: usize, news: News) {
        match news {
            News::Usable => {
                if let Some(usable) = self.usable.get_mut(side) {
                    usable.get_or_insert(now);
                }
            }
            News::Selected { local, remote } => {
                if let Some(selected) = self.selected.get_mut(side) {
                    *selected = Some(if side == 0 { (local, remote) } else { (remote, local) });
                }
            }
        }
        self.look();
    }

    fn has_seen_enough(&self) -> bool {
        self.agreed || self.fault.is_some()
    }
}
