//! What happens to a network by itself: at its time, whoever advances it.

use core::net::IpAddr;

use floe_core::base::Instant;

use crate::address::{HostId, RouterId};
use crate::host::Clock;
use crate::{BindError, Network};

/// Something that a scenario wants done at a time.
pub(crate) type Script = Box<dyn FnOnce(&mut Network) + Send>;

impl Network {
    /// Does this when it is `when`, before anything arrives at that time; if that is past, when the network is next advanced.
    ///
    /// ```
    /// # use core::time::Duration;
    /// # use floe_sim::{Instant, NatConfig, Network};
    /// let mut net = Network::seeded(1);
    /// let nat = net.add_nat(NatConfig::full_cone());
    /// net.at(Instant::ZERO + Duration::from_secs(5), move |net| net.reboot(nat));
    /// ```
    pub fn at(&mut self, when: Instant, what: impl FnOnce(&mut Self) + Send + 'static) {
        self.scripts.push(when, Box::new(what));
    }

    /// Makes a router move every mapping to another external address and port, in the middle of its flows. Its filters stay. The
    /// other end of a stream does not know it under its new address, and resets it when something comes.
    pub fn rebind(&mut self, router: RouterId) {
        let now = self.now();
        self.topology.rebind(now, router);
    }

    /// Puts a host to sleep; if `until` is not to come, wakes it. What comes for it meanwhile is lost
    /// ([`DropReason::Asleep`](crate::DropReason::Asleep)), what is sent from it too, and its streams wait, those with something under
    /// way for a minute at the most. Whoever runs it lets it do nothing until then.
    pub fn sleep(&mut self, host: HostId, until: Instant, clock: Clock) {
        let now = self.now();
        self.topology.hosts.sleep(now, host, until, clock);
    }

    /// Until when a host sleeps; none if it is awake.
    pub fn sleeps_until(&self, host: HostId) -> Option<Instant> {
        self.topology.hosts.get(host)?.wakes_at(self.now())
    }

    /// What a host's clock says: it is behind by the sleep in which it [paused](Clock::Pauses).
    pub fn clock(&self, host: HostId) -> Instant {
        self.topology.hosts.clock(self.now(), host)
    }

    /// When it will be that a host's clock says this and the host is awake, as far as is known.
    pub fn when(&self, host: HostId, clock: Instant) -> Instant {
        self.topology.hosts.when(self.now(), host, clock)
    }

    /// Lets a host die: from now on nothing gets to it or from it ([`DropReason::Dead`](crate::DropReason::Dead)).
    pub fn kill(&mut self, host: HostId) {
        self.topology.hosts.set_dead(host, true);
    }

    /// Brings a host back that was killed. It still has its sockets.
    pub fn revive(&mut self, host: HostId) {
        self.topology.hosts.set_dead(host, false);
    }

    /// Makes a host send by the interface with address `via` what it sends from sockets at `local`, with that source
    /// address. What is sent to `local` still comes by its own interface.
    ///
    /// # Errors
    /// The host does not have both.
    pub fn set_exit(&mut self, host: HostId, local: IpAddr, via: IpAddr) -> Result<(), BindError> {
        for address in [local, via] {
            self.topology.addresses.place_of(host, address).ok_or(BindError::NotAnAddress)?;
        }
        let exits = &mut self.topology.hosts.open(host).exits;
        exits.retain(|(of, _)| *of != local);
        if local != via {
            exits.push((local, via));
        }
        Ok(())
    }
}
