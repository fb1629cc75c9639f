use super::*;

const PLAIN: InterfacePolicy = InterfacePolicy {
    loopback: false,
    external: true,
    point_to_point: true,
    ipv4: true,
    ipv6: true,
    include: Vec::new(),
    exclude: Vec::new(),
};

/// An interface that is up. Each address is `ip/prefix`, then flags: `d`eprecated, `t`emporary, `?` tentative.
fn interface(index: u32, addresses: &[&str]) -> Interface {
    let address = |text: &&str| {
        let (network, flags) = text.split_once(' ').unwrap_or((text, ""));
        let (ip, prefix) = network.split_once('/').unwrap();
        Address {
            ip: ip.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
            deprecated: flags.contains('d'),
            temporary: flags.contains('t'),
            tentative: flags.contains('?'),
        }
    };
    let addresses = addresses.iter().map(address).collect();
    Interface { name: format!("if{index}"), index, up: true, addresses, ..Interface::default() }
}

fn usable(interfaces: &[Interface], policy: &InterfacePolicy) -> Vec<String> {
    select(interfaces, policy).usable.iter().map(|u| u.address.to_string()).collect()
}

#[test]
fn one_interface_by_the_rules_of_rfc_8445() {
    let table: &[(&str, &[&str], &[&str])] = &[
        ("all unicast addresses", &["192.0.2.1/24", "2001:db8::1/64"], &["192.0.2.1:0", "[2001:db8::1]:0"]),
        ("unique local ones too", &["10.0.0.1/8", "fd00::2/64"], &["10.0.0.1:0", "[fd00::2]:0"]),
        ("link-local with its zone", &["fe80::1/64"], &["[fe80::1%7]:0"]),
        ("no loopback", &["127.0.0.1/8", "::1/128"], &[]),
        ("no IPv4-compatible", &["::192.0.2.1/96"], &[]),
        ("no IPv4-mapped", &["::ffff:192.0.2.1/96"], &[]),
        ("no site-local, up to its last", &["fec0::1/64", "feff::1/64"], &[]),
        (
            "nothing that is not unicast",
            &["0.0.0.0/0", "255.255.255.255/32", "224.0.0.1/4", "::/0", "ff02::1/64"],
            &[],
        ),
        ("no deprecated", &["2001:db8::1/64 d", "2001:db8::2/64"], &["[2001:db8::2]:0"]),
        ("no tentative", &["2001:db8::1/64 ?"], &[]),
        ("temporary before permanent", &["2001:db8::1/64", "2001:db8::2/64 t"], &["[2001:db8::2]:0"]),
        (
            "but only of the same network",
            &["2001:db8:0:1::1/64", "2001:db8:0:2::2/64 t"],
            &["[2001:db8:0:1::1]:0", "[2001:db8:0:2::2]:0"],
        ),
        (
            "several temporary ones",
            &["2001:db8::2/64 t", "2001:db8::3/64 t"],
            &["[2001:db8::2]:0", "[2001:db8::3]:0"],
        ),
        ("a deprecated one replaces nothing", &["2001:db8::1/64", "2001:db8::2/64 td"], &["[2001:db8::1]:0"]),
        ("a tentative one replaces nothing", &["fe80::1/64", "2001:db8::2/64 t?"], &["[fe80::1%7]:0"]),
        ("temporary before link-local", &["fe80::1/64", "2001:db8::2/64 t"], &["[2001:db8::2]:0"]),
        (
            "permanent beside link-local",
            &["fe80::1/64", "2001:db8::2/64"],
            &["[fe80::1%7]:0", "[2001:db8::2]:0"],
        ),
        ("a prefix of no length", &["2001:db8::1/64", "2001:db9::2/0 t"], &["[2001:db9::2]:0"]),
        ("link-local IPv4 if need be", &["169.254.1.1/16"], &["169.254.1.1:0"]),
        (
            "also beside link-local IPv6",
            &["169.254.1.1/16", "fe80::1/64"],
            &["169.254.1.1:0", "[fe80::1%7]:0"],
        ),
        ("but not beside better ones", &["169.254.1.1/16", "192.0.2.1/24"], &["192.0.2.1:0"]),
        ("of either family", &["169.254.1.1/16", "2001:db8::1/64"], &["[2001:db8::1]:0"]),
        ("nothing twice", &["192.0.2.1/24", "192.0.2.1/32"], &["192.0.2.1:0"]),
    ];
    for (rule, addresses, expected) in table {
        assert_eq!(usable(&[interface(7, addresses)], &PLAIN), *expected, "{rule}");
    }
}

#[test]
fn several_interfaces() {
    let two = |a: &[&str], b: &[&str]| [interface(1, a), interface(2, b)];
    // The network is compared on one interface only; link-local gives way to temporary addresses anywhere.
    assert_eq!(
        usable(&two(&["2001:db8::1/64"], &["2001:db8::2/64 t"]), &PLAIN),
        ["[2001:db8::1]:0", "[2001:db8::2]:0"]
    );
    assert_eq!(usable(&two(&["fe80::1/64"], &["2001:db8::2/64 t"]), &PLAIN), ["[2001:db8::2]:0"]);
    assert_eq!(usable(&two(&["169.254.1.1/16"], &["192.0.2.1/24"]), &PLAIN), ["192.0.2.1:0"]);
    // The same link-local address on two links is two addresses; any other is one.
    assert_eq!(usable(&two(&["fe80::1/64"], &["fe80::1/64"]), &PLAIN), ["[fe80::1%1]:0", "[fe80::1%2]:0"]);
    assert_eq!(usable(&two(&["192.0.2.1/24"], &["192.0.2.1/24"]), &PLAIN), ["192.0.2.1:0"]);
}

#[test]
fn the_policy_rules_out_by_name_kind_and_family() {
    let mut lo = interface(1, &["127.0.0.1/8", "10.9.9.9/32", "::1/128"]);
    lo.loopback = true;
    let lan = interface(2, &["192.0.2.1/24", "2001:db8::1/64"]);
    let mut vpn = interface(3, &["10.8.0.2/32"]);
    vpn.point_to_point = true;
    let mut off = interface(4, &["198.51.100.1/24"]);
    off.up = false;
    let host = [lo, lan, vpn, off];
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();

    let lan_and_vpn = ["192.0.2.1:0", "[2001:db8::1]:0", "10.8.0.2:0"];
    let table: &[(InterfacePolicy, &[&str])] = &[
        (PLAIN, &lan_and_vpn),
        (InterfacePolicy::default(), &lan_and_vpn),
        (InterfacePolicy { ipv6: false, ..PLAIN }, &["192.0.2.1:0", "10.8.0.2:0"]),
        (InterfacePolicy { ipv4: false, ..PLAIN }, &["[2001:db8::1]:0"]),
        (InterfacePolicy { point_to_point: false, ..PLAIN }, &["192.0.2.1:0", "[2001:db8::1]:0"]),
        (InterfacePolicy { include: names(&["if3", "if4"]), ..PLAIN }, &["10.8.0.2:0"]),
        (InterfacePolicy { exclude: names(&["if2"]), ..PLAIN }, &["10.8.0.2:0"]),
        (InterfacePolicy { include: names(&["if2"]), exclude: names(&["if2"]), ..PLAIN }, &[]),
        (InterfacePolicy::loopback_only(), &["127.0.0.1:0", "10.9.9.9:0", "[::1]:0"]),
    ];
    for (policy, expected) in table {
        assert_eq!(usable(&host, policy), *expected, "{policy:?}");
    }
    assert_eq!(usable(&host, &InterfacePolicy { loopback: true, ..PLAIN }).len(), 6);
}

#[test]
fn what_is_ruled_out_by_the_policy_replaces_nothing() {
    let host = [interface(1, &["fe80::1/64", "169.254.1.1/16"]), interface(2, &["2001:db8::2/64 t"])];
    let policy = InterfacePolicy { exclude: vec!["if2".into()], ..PLAIN };
    assert_eq!(usable(&host, &policy), ["[fe80::1%1]:0", "169.254.1.1:0"]);
}

#[test]
fn each_address_that_is_skipped_says_why() {
    let addresses = [
        "127.0.0.1/8",
        "0.0.0.0/0",
        "::192.0.2.1/96",
        "::ffff:192.0.2.1/96",
        "fec0::1/64",
        "2001:db8::1/64 ?",
        "2001:db8::2/64 d",
        "2001:db8::3/64",
        "fe80::1/64",
        "169.254.1.1/16",
        "2001:db8::4/64 t",
        "2001:db8::4/64 t",
    ];
    let expected = [
        Skip::Loopback,
        Skip::NotUnicast,
        Skip::Ipv4Compatible,
        Skip::Ipv4Mapped,
        Skip::SiteLocal,
        Skip::Tentative,
        Skip::Deprecated,
        Skip::Traceable,
        Skip::TraceableLinkLocal,
        Skip::LinkLocal,
        Skip::Duplicate,
    ];
    let selection = select(&[interface(1, &addresses)], &PLAIN);
    assert_eq!(selection.skipped.iter().map(|s| s.reason).collect::<Vec<_>>(), expected);
    assert_eq!(selection.usable.len() + selection.skipped.len(), addresses.len());
}

#[test]
fn this_host_has_a_loopback_address() {
    let here = of_this_host();
    assert!(
        select(&here, &InterfacePolicy::loopback_only()).usable.iter().all(|u| u.address.ip().is_loopback())
    );
    assert!(here.iter().any(|i| i.loopback && i.addresses.iter().any(|a| a.ip.is_loopback())), "{here:?}");
}
