//! Networks in CIDR form.

use std::net::IpAddr;

/// A range of addresses such as `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: u128,
    mask: u128,
}

impl Network {
    /// Parses `address/bits` or an address; `None` where it is neither or has bits beyond the mask.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) if bits.bytes().all(|byte| byte.is_ascii_digit()) => (address, Some(bits)),
            Some(_) => return None,
            None => (text, None),
        };
        let address: IpAddr = address.parse().ok()?;
        let (width, skipped) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits = bits.map_or(Some(width), |bits| bits.parse().ok()).filter(|bits: &u32| *bits <= width)?;
        let mask = u128::MAX.checked_shl(128 - (skipped + bits)).unwrap_or(0);
        let base = number(address);
        (base & !mask == 0).then_some(Self { base, mask })
    }

    /// Whether every address of the other range lies in this one.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        other.base & self.mask == self.base && other.mask & self.mask == self.mask
    }

    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        number(address) & self.mask == self.base
    }
}

/// One space for both families: IPv4 as its mapped IPv6 address, as which it may arrive on a dual-stack socket.
fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_ipv6_mapped()),
        IpAddr::V6(address) => u128::from(address),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(network: &str, address: &str, expected: Option<bool>) {
        let found = Network::parse(network).map(|network| network.contains(address.parse().unwrap()));
        assert_eq!(found, expected, "{network} {address}");
    }

    #[test]
    fn covers_what_lies_inside() {
        for (outer, inner, expected) in [
            ("10.0.0.0/8", "10.1.0.0/16", true),
            ("10.0.0.0/8", "10.0.0.0/8", true),
            ("10.1.0.0/16", "10.0.0.0/8", false),
            ("10.0.0.0/8", "11.0.0.0/16", false),
            ("::/0", "10.0.0.0/8", true),
            ("0.0.0.0/0", "::/0", false),
        ] {
            let [wide, narrow] = [outer, inner].map(|text| Network::parse(text).unwrap());
            assert_eq!(wide.covers(narrow), expected, "{outer} {inner}");
        }
    }

    #[test]
    fn contains_what_it_says() {
        check("10.0.0.0/8", "10.255.0.1", Some(true));
        check("10.0.0.0/8", "11.0.0.1", Some(false));
        check("10.0.0.0/8", "::ffff:10.0.0.1", Some(true));
        check("0.0.0.0/0", "::1", Some(false));
        check("::/0", "10.0.0.1", Some(true));
        check("192.0.2.7", "192.0.2.7", Some(true));
        check("192.0.2.7", "192.0.2.8", Some(false));
        check("2001:db8::/32", "2001:db8:1::1", Some(true));
        for bad in ["10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "x", ""] {
            check(bad, "10.0.0.1", None);
        }
    }
}
