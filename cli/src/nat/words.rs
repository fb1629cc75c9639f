//! A cell in words: what was selected and why that, or why nothing was.

use floe_core::{CandidateType, PairReport, Path};
use floe_sim::grid::{Cell, NamedRouter, Setting, SideOutcome};
use floe_sim::{Filtering, Instant, Mapping};

/// Sentences, most important first.
pub(super) fn words(cell: &Cell) -> Vec<String> {
    match (&cell.left.selected, &cell.right.selected) {
        (Some((left_at, ours)), Some((right_at, theirs))) => {
            let mut words = vec![
                format!(
                    "They meet: the left's end is its {} address {}, the right's end its {} address {}.",
                    kind(ours.local_type),
                    ours.local,
                    kind(theirs.local_type),
                    theirs.local,
                ),
                format!(
                    "Data could flow after {} ms on the left and {} ms on the right; the path was selected after {} and {} ms, \
                     with {} and {} checks.",
                    time(cell.left.usable),
                    time(cell.right.usable),
                    ms(*left_at),
                    ms(*right_at),
                    cell.left.checks,
                    cell.right.checks,
                ),
            ];
            words.extend(choice(&cell.left, ours));
            words
        }
        _ => no_path(cell),
    }
}

/// Why the controlling side took this pair.
fn choice(left: &SideOutcome, selected: &Path) -> Vec<String> {
    let others = || left.report.pairs.iter().filter(|pair| !pair.selected);
    let works = |pair: &&PairReport| pair.responses_received > 0;
    let mut words = Vec::new();
    let better: Vec<String> =
        others().filter(|pair| pair.priority > selected.priority && !works(pair)).map(failed).collect();
    if better.is_empty() {
        words.push("No other pair would have been better.".to_owned());
    } else {
        words.push(format!("Better by priority, and without an answer: {}.", better.join("; ")));
    }
    let worse: Vec<String> = others().filter(works).map(name).collect();
    if !worse.is_empty() {
        words.push(format!("It works too, and was not taken: {}.", worse.join("; ")));
    }
    words
}

fn no_path(cell: &Cell) -> Vec<String> {
    let mut words = vec!["They do not meet.".to_owned()];
    for (side, seen) in [("left", &cell.left), ("right", &cell.right)] {
        for (at, cause) in &seen.troubles {
            words.push(format!("The {side} says after {:.1} s: {cause}.", ms(*at) as f64 / 1e3));
        }
    }
    words.extend(reasons(cell));
    words
}

/// What the boxes do that explains it: no agent can know this, but we have built them.
fn reasons(cell: &Cell) -> Vec<String> {
    let spec = &cell.spec;
    let same = matches!(spec.setting, Setting::SameBox { .. });
    let sides = [("left", &spec.left, &cell.left), ("right", &spec.right, &cell.right)];
    let mut words = Vec::new();
    for (side, home, seen) in sides {
        if !home.router.firewall.udp {
            let relay = if seen.candidates.contains(&CandidateType::Relayed) {
                "It has a relayed address, but the other side has no way to send to it"
            } else if spec.relay.is_some() {
                "Its firewall does not let it reach the relay either"
            } else {
                "Without a relay over TCP or TLS it can reach nobody"
            };
            words.push(format!("The {side}'s firewall lets no datagram out. {relay}."));
        }
    }
    if !words.is_empty() {
        return words;
    }
    if same {
        words.push(
            "They are kept apart in their own network, and the box does not bring what one sends to the other's external address \
             to where it would be answered."
                .to_owned(),
        );
    }
    for ((side, home, _), (other, its, _)) in [(sides[0], sides[1]), (sides[1], sides[0])] {
        if varies(home) && is_strict(its) && !same {
            words.push(format!(
                "The {side}'s NAT shows another address and port to each remote. The {other} sends to those that the STUN server saw, and its \
                 NAT lets only these answer."
            ));
        }
    }
    words
}

fn varies(home: &NamedRouter) -> bool {
    home.router.nat.as_ref().is_some_and(|nat| nat.mapping != Mapping::EndpointIndependent)
}

fn is_strict(home: &NamedRouter) -> bool {
    home.router.nat.as_ref().is_some_and(|nat| nat.filtering == Filtering::AddressAndPortDependent)
}

fn failed(pair: &PairReport) -> String {
    format!("{} ({} sent, {} heard)", name(pair), pair.requests_sent, pair.requests_received)
}

fn name(pair: &PairReport) -> String {
    format!("{} {} to {} {}", pair.local_type, pair.local, pair.remote_type, pair.remote)
}

fn kind(kind: CandidateType) -> &'static str {
    match kind {
        CandidateType::Host => "own",
        CandidateType::ServerReflexive => "server-reflexive",
        CandidateType::PeerReflexive => "peer-reflexive",
        CandidateType::Relayed => "relayed",
    }
}

fn time(at: Option<Instant>) -> u64 {
    at.map(ms).unwrap_or_default()
}

/// Whole milliseconds since the start.
pub(super) fn ms(at: Instant) -> u64 {
    at.as_nanos() / 1_000_000
}
