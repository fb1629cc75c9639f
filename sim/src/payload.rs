//! Gateways that meddle with payloads: wherever they find the bytes of an address that they translate, they translate that too
//! (RFC 4787 §7). It breaks naive protocols and those that sign what they send, and is why XOR-MAPPED-ADDRESS is not written plainly
//! (RFC 8489 §14.2).

use core::net::SocketAddrV4;

/// An address that a router has translated, as it was and as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Rewrite {
    pub(crate) from: SocketAddrV4,
    pub(crate) to: SocketAddrV4,
}

impl Rewrite {
    /// Replaces the address wherever its four bytes are, and the port that is next to it, in front as in MAPPED-ADDRESS or behind.
    pub(crate) fn apply(self, bytes: &mut [u8]) {
        let (old, new) = (self.from.ip().octets(), self.to.ip().octets());
        let [old_port, new_port] = [self.from, self.to].map(|at| at.port().to_be_bytes());
        let mut at = 0;
        while let Some(found) = bytes.get(at..at + 4) {
            if found != old {
                at += 1;
                continue;
            }
            replace(bytes, at, &old, &new);
            let in_front = at.checked_sub(2).is_some_and(|port| replace(bytes, port, &old_port, &new_port));
            if !in_front {
                replace(bytes, at + 4, &old_port, &new_port);
            }
            at += 4;
        }
    }
}

fn replace(bytes: &mut [u8], at: usize, old: &[u8], new: &[u8]) -> bool {
    let Some(place) = bytes.get_mut(at..at + old.len()).filter(|place| *place == old) else { return false };
    place.copy_from_slice(new);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_replaced_with_the_port_next_to_it_and_nothing_else() {
        let rewrite =
            Rewrite { from: "10.0.0.2:258".parse().unwrap(), to: "203.0.113.1:772".parse().unwrap() };
        for (before, after) in [
            (&[9, 1, 2, 10, 0, 0, 2, 1, 2][..], &[9, 3, 4, 203, 0, 113, 1, 1, 2][..]),
            (&[10, 0, 0, 2, 1, 2], &[203, 0, 113, 1, 3, 4]),
            (&[10, 0, 0, 2, 10, 0, 0, 2], &[203, 0, 113, 1, 203, 0, 113, 1]),
            (&[1, 2, 10, 0, 0, 3], &[1, 2, 10, 0, 0, 3]),
            (&[10, 0, 0], &[10, 0, 0]),
            (&[], &[]),
        ] {
            let mut bytes = before.to_vec();
            rewrite.apply(&mut bytes);
            assert_eq!(bytes, after);
        }
    }
}
