//! What the system says about its interfaces.

use std::net::IpAddr;

use super::{Address, Interface};

/// The interfaces of this host at this moment. Empty if the system does not tell.
pub fn of_this_host() -> Vec<Interface> {
    netdev::get_interfaces().into_iter().map(Interface::from).collect()
}

impl From<netdev::Interface> for Interface {
    fn from(from: netdev::Interface) -> Self {
        let (up, loopback, point_to_point) = (from.is_up(), from.is_loopback(), from.is_point_to_point());
        let v4 = from.ipv4.iter().map(|net| Address {
            ip: IpAddr::V4(net.addr()),
            prefix: net.prefix_len(),
            deprecated: false,
            temporary: false,
            tentative: false,
        });
        let flags = from.ipv6_addr_flags.iter().copied().map(Some).chain(std::iter::repeat(None));
        let v6 = from.ipv6.iter().zip(flags).map(|(net, flags)| {
            let flags = flags.unwrap_or_default();
            Address {
                ip: IpAddr::V6(net.addr()),
                prefix: net.prefix_len(),
                deprecated: flags.deprecated,
                temporary: flags.temporary,
                tentative: flags.tentative || flags.duplicated,
            }
        });
        let addresses = v4.chain(v6).collect();
        Self { name: from.name, index: from.index, up, loopback, point_to_point, addresses }
    }
}
