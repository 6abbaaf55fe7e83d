//! Hosts: which of them a call may reach without asking.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::doc::NetworkRules;

/// Returns why `url` must be asked for; `None` when the rules allow it.
///
/// The parser is strict on purpose: what it does not understand is asked for, since the one that
/// fetches may understand it otherwise.
pub(super) fn objection(url: &str, rules: &NetworkRules) -> Option<String> {
    if !url.is_ascii() || url.bytes().any(|b| b.is_ascii_control() || b == b' ' || b == b'\\') {
        return Some("the address holds characters that can mislead".into());
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        return Some("the address has no scheme".into());
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Some("the address holds a user name".into());
    }
    let Some((host, port)) = host_and_port(authority) else {
        return Some("the host can't be read for sure".into());
    };
    let host = host.to_ascii_lowercase();
    if is_loopback(&host) {
        return loopback(scheme, port, rules);
    }
    if looks_like_an_ip(&host) {
        return Some(format!("{host} is an address, not the name of a host"));
    }
    if host.split('.').any(|label| label.starts_with("xn--")) {
        return Some(format!("{host} is not plain ASCII underneath"));
    }
    if !scheme.eq_ignore_ascii_case("https") {
        return Some(format!("{} is not https", scheme.to_ascii_lowercase()));
    }
    if rules.allow.iter().any(|rule| allows(rule, &host)) {
        return None;
    }
    Some(format!("{host} is not on the network allowlist"))
}

/// Returns the host of an address, in lower case; `None` when it can't be read for sure.
pub(super) fn host(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    Some(host_and_port(place)?.0.to_ascii_lowercase())
}

/// Says why a text is no entry of a list of hosts.
pub(super) fn no_host(entry: &str) -> Option<String> {
    let name = entry.strip_prefix("*.").unwrap_or(entry);
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.');
    let is_good = !name.is_empty() && name.bytes().all(is_plain) && !name.starts_with('.');
    (!is_good).then(|| format!("`{entry}` is no host: write `example.org` or `*.example.org`"))
}

/// Says whether an entry of the allowlist, a name or `*.suffix`, means `host`.
pub(super) fn allows(rule: &str, host: &str) -> bool {
    match rule.strip_prefix('*') {
        Some(suffix) => {
            let head = host.len().saturating_sub(suffix.len());
            head > 0 && host.get(head..).is_some_and(|tail| tail.eq_ignore_ascii_case(suffix))
        }
        None => rule.eq_ignore_ascii_case(host),
    }
}

fn loopback(scheme: &str, port: Option<u16>, rules: &NetworkRules) -> Option<String> {
    if let Some(port) = port.filter(|port| rules.control_ports.contains(port)) {
        return Some(format!("port {port} of this machine steers the runtime"));
    }
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let listed = rules.allow.iter().any(|rule| rule == "localhost");
    (!is_web || !listed).then(|| "this machine is not on the network allowlist".into())
}

/// Splits `host:port`; `None` when either is not what it should be.
fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port.parse().ok()?)),
        Some(_) | None => (authority, None),
    };
    if let Some(inner) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return inner.parse::<Ipv6Addr>().ok().map(|_| (inner, port));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let is_good = host.len() <= 253
        && host.bytes().all(is_plain)
        && host.split('.').all(|label| !label.is_empty() && label.len() <= 63);
    is_good.then_some((host, port))
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

/// Says whether some program could take `host` for a number: `10.0.0.1`, `0x7f.1`, `2130706433`.
fn looks_like_an_ip(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let is_hex = last.strip_prefix("0x").is_some_and(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
    host.contains(':') || is_hex || last.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_https_to_listed_hosts_goes_unasked() {
        let rules = NetworkRules::default();
        for url in [
            "https://github.com/a/b?x=1#y",
            "https://GitHub.com",
            "https://github.com.:443/",
            "https://raw.githubusercontent.com/x@y",
            "http://localhost:3000/x",
            "http://127.0.0.1/",
            "http://[::1]:8080/",
        ] {
            assert_eq!(objection(url, &rules), None, "{url}");
        }
        for url in [
            "http://github.com/",
            "https://evilgithub.com/",
            "https://github.com.evil.example/",
            "https://githubusercontent.com/",
            "https://github.com@evil.example/",
            "https://evil.example\\@github.com/",
            "https://github.com\\.evil.example/",
            "https://gіthub.com/",
            "https://xn--gthub-n4a.githubusercontent.com/",
            "https://10.0.0.1/",
            "https://0x7f.1/",
            "https://2130706433/",
            "https://[::ffff:10.0.0.1]/",
            "https://[2001:db8::1]/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "github.com",
            "https://github.com:x/",
            "https:///x",
            "https://github%2ecom/",
            "http://127.0.0.1:18789/",
            "ftp://localhost/",
            "https://git hub.com",
        ] {
            assert!(objection(url, &rules).is_some(), "{url}");
        }
    }
}
