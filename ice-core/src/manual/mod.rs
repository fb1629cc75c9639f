//! The manual, for authors of stacks and applications: what the engine does, why, and what to do with it. It
//! is text only; each example is compiled and run in simulated time by `cargo test --doc`.
//!
//! 1. [Concepts](concepts): from candidates to a selected pair, and the words for it.
//! 2. [The loop](the_loop): in which order to call what, and what never happens.
//! 3. [Choosing a policy](policy): when to nominate, how many pairs to try, how fast, how long.
//! 4. [Restart and roaming](restart): new credentials, sockets that come and go, and what to signal.
//! 5. [Defaults](defaults): each timer and each limit, and why it is what it is.
//! 6. [What consent costs under loss](consent): how often a good path is given up, and what helps.
//! 7. [Threats](threats): what an attacker may try, what answers it, and which test shows that.
//! 8. [When it does not connect](trouble): causes, reports and traces.
//! 9. [STUN and TURN servers](servers): naming them, what a driver does for them, faults, relay first.
//! 10. [Our own NAT](nat): measuring it, and what an agent does with the result.
//!
//! Sections (§) are of RFC 8445 where no other is named. Whether a single requirement of an RFC is met, where and why not, is in
//! `docs/conformance.md` of the repository.

pub mod concepts {
    #![doc = include_str!("concepts.md")]
}

pub mod the_loop {
    #![doc = include_str!("the_loop.md")]
    //! ```
    #![doc = include_str!("pair.rs")]
    //! let mut pair = Pair::new(AgentConfig::default());
    //! pair.socket_up(0, 1);
    //! pair.socket_up(1, 1);
    //! pair.run_for(1_000);
    //! assert!(pair.agents.iter().all(|agent| agent.selected_path(ComponentId::FIRST).is_some()));
    //!
    //! pair.send(0, b"hello").unwrap();
    //! pair.run_for(20);
    //! assert_eq!(pair.received[1], [b"hello"]);
    //! ```
}

pub mod policy {
    #![doc = include_str!("policy.md")]
}

pub mod restart {
    #![doc = include_str!("restart.md")]
}

pub mod defaults {
    #![doc = include_str!("defaults.md")]
}

pub mod consent {
    #![doc = include_str!("consent.md")]
}

pub mod threats {
    #![doc = include_str!("threats.md")]
}

pub mod trouble {
    #![doc = include_str!("trouble.md")]
}

pub mod servers {
    #![doc = include_str!("servers.md")]
}

pub mod nat {
    #![doc = include_str!("nat.md")]
}
