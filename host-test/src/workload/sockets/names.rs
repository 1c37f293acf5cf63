//! The reserved names of a workload: they are answered here and never reach a resolver.

use std::net::{IpAddr, Ipv4Addr};

/// What `host.wasmcloud.internal` resolves to: an address that nothing listens on and that never leaves the machine.
pub(super) const MACHINE: Ipv4Addr = Ipv4Addr::new(127, 255, 255, 254);

/// Where a reserved name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reserved {
    Address(IpAddr),
    /// In the zone, but nothing has that name.
    Unknown,
}

/// `None` if the name is outside the zone.
pub(super) fn reserved(name: &str) -> Option<Reserved> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let rest = name.strip_suffix("wasmcloud.internal")?;
    let label = match rest.strip_suffix('.') {
        Some(label) => label,
        None if rest.is_empty() => return Some(Reserved::Unknown),
        // Another zone whose name merely ends like this one.
        None => return None,
    };
    let named_service = label
        .strip_suffix(".svc")
        .is_some_and(|name| !name.is_empty() && !name.contains('.'));
    Some(match label {
        "host" => Reserved::Address(MACHINE.into()),
        "service" => Reserved::Address(Ipv4Addr::LOCALHOST.into()),
        _ if named_service => Reserved::Address(Ipv4Addr::LOCALHOST.into()),
        _ => Reserved::Unknown,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_zone_leads_to_the_service_and_the_machine() {
        let service = Some(Reserved::Address(Ipv4Addr::LOCALHOST.into()));
        assert_eq!(reserved("service.wasmcloud.internal"), service);
        assert_eq!(reserved("Service.WasmCloud.Internal."), service);
        assert_eq!(reserved("cron.svc.wasmcloud.internal"), service);
        assert_eq!(
            reserved("host.wasmcloud.internal"),
            Some(Reserved::Address(MACHINE.into()))
        );
    }

    #[test]
    fn an_unknown_name_in_the_zone_is_not_asked_outside() {
        for name in [
            "wasmcloud.internal",
            "x.wasmcloud.internal",
            ".svc.wasmcloud.internal",
            "a.b.svc.wasmcloud.internal",
        ] {
            assert_eq!(reserved(name), Some(Reserved::Unknown), "{name}");
        }
        assert_eq!(reserved("notwasmcloud.internal"), None);
        assert_eq!(reserved("example.com"), None);
    }
}
