//! Which host a request may be meant for.
//!
//! Without keys, being on the same machine is all that access asks for. But a web page may have
//! its own name resolve to a loopback address, and then its scripts are of the same origin as the
//! server's answers: only the name that the browser sends tells.

use std::net::{Ipv4Addr, Ipv6Addr};

use hyper::{
    StatusCode, Version,
    header::{FORWARDED, HOST, VIA},
    http::request::Parts,
};

use crate::problem::{Problem, Result};

/// Checks that a request names a loopback host, in its target or in its header.
///
/// # Errors
/// 400 for a header that is missing or repeated, 421 for another host.
pub(crate) fn check(parts: &Parts) -> Result<(), Problem> {
    if names_loopback(parts)? {
        Ok(())
    } else {
        Err(misdirected())
    }
}

/// Returns the problem of a request for another host.
///
/// # Source
/// RFC 9110, section 15.5.20.
pub(crate) fn misdirected() -> Problem {
    let detail = "this server answers for localhost and loopback addresses only";
    Problem::new(StatusCode::MISDIRECTED_REQUEST, detail)
}

/// Returns whether a request names loopback hosts only, in its target and in its header.
///
/// # Errors
/// 400 for a header that is missing or repeated.
///
/// # Source
/// RFC 9112, section 3.2.
pub(crate) fn names_loopback(parts: &Parts) -> Result<bool, Problem> {
    let wrong = |detail| Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    let mut headers = parts.headers.get_all(HOST).iter();
    let header = headers.next();
    if headers.next().is_some() {
        return wrong("the header Host is repeated");
    }
    if header.is_none() && parts.version == Version::HTTP_11 {
        return wrong("the header Host is missing");
    }
    let header = header.map(|value| value.to_str().unwrap_or_default());
    let target = parts.uri.authority().map(|authority| authority.as_str());
    Ok(header.into_iter().chain(target).all(is_loopback))
}

/// Returns whether a request says that it came without a proxy, many of which name the server by its loopback
/// address: it names a host, and nobody added for whom it was sent on.
pub(crate) fn is_direct(parts: &Parts) -> bool {
    let added = [FORWARDED.as_str(), VIA.as_str(), "x-forwarded-for"];
    let is_added = |name: &str| parts.headers.contains_key(name);
    parts.headers.contains_key(HOST) && !added.into_iter().any(is_added)
}

/// Returns whether a host, with a port or without, is this machine by any reading.
fn is_loopback(authority: &str) -> bool {
    if let Some(bracketed) = authority.strip_prefix('[') {
        return bracketed.split_once(']').is_some_and(|(host, port)| {
            is_port(port) && host.parse().is_ok_and(|host: Ipv6Addr| host.is_loopback())
        });
    }
    let (host, port) = authority.split_at(authority.find(':').unwrap_or(authority.len()));
    let is_address = || host.parse().is_ok_and(|host: Ipv4Addr| host.is_loopback());
    is_port(port) && (host.eq_ignore_ascii_case("localhost") || is_address())
}

/// Returns whether a text is nothing, or a colon and digits.
fn is_port(text: &str) -> bool {
    let digits = text.strip_prefix(':');
    text.is_empty() || digits.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_hosts_are_this_machine() {
        for host in [
            "localhost",
            "LOCALHOST:8080",
            "127.0.0.1",
            "127.1.2.3:65535",
            "[::1]",
            "[::1]:8080",
            "localhost:",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8080",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.1@evil.example",
            "evil.example:80@localhost",
            "localhost:80:80",
            "localhost:8o",
            "localhost80",
            "10.0.0.1",
            "0.0.0.0",
            "[::2]",
            "[::1",
            "[::1]80",
            "::1",
            "127.1",
            "2130706433",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
