//! The address of the server, and the values of `Host` that it accepts.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use vae_cli::{Error, Result};

/// The address of --host and --port.
pub struct Address {
    host: String,
    pub sockets: Vec<SocketAddr>,
}

impl Address {
    pub fn new(host: &str, port: u16) -> Result<Address> {
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        match (host.as_str(), port).to_socket_addrs().map(Vec::from_iter) {
            Ok(sockets) if !sockets.is_empty() => Ok(Address { host, sockets }),
            _ => Err(Error::Usage(format!("--host: expected an address or a name of this machine, got {host}"))),
        }
    }

    /// Whether a request with this `Host` is answered.
    ///
    /// Against DNS rebinding, where a foreign name resolves to this machine, the names localhost and that of --host are
    /// accepted alone. A numeric address cannot be rebound.
    pub fn allows(&self, host: &str) -> bool {
        let Some(name) = without_port(host) else { return false };
        let open = self.sockets.iter().any(|socket| !socket.ip().is_loopback());
        match name.parse::<IpAddr>() {
            Ok(ip) => ip.is_loopback() || open,
            Err(_) => name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case(&self.host),
        }
    }
}

/// `127.0.0.1` of `127.0.0.1:8097`, `::1` of `[::1]:8097`.
fn without_port(host: &str) -> Option<&str> {
    let (name, rest) = match host.strip_prefix('[') {
        Some(bracketed) => bracketed.split_once(']')?,
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    (port && !name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_this_machine_are_accepted_with_or_without_a_port() {
        let address = Address::new("127.0.0.1", 8097).unwrap();
        for host in ["localhost", "LocalHost:8097", "127.0.0.1", "127.0.0.1:9", "[::1]", "[::1]:8097"] {
            assert!(address.allows(host), "{host}");
        }
    }

    #[test]
    fn other_names_are_refused() {
        let address = Address::new("127.0.0.1", 8097).unwrap();
        for host in [
            "example.org",
            "example.org:8097",
            "localhost.example.org",
            "127.0.0.1.example.org",
            "10.0.0.1",
            "[fe80::1]",
            "",
            ":8097",
            "[::1",
            "[::1]8097",
            "localhost:",
            "localhost:port",
            "localhost:8097:8097",
            "user@localhost",
        ] {
            assert!(!address.allows(host), "{host}");
        }
    }

    #[test]
    fn a_server_on_all_interfaces_accepts_addresses_but_no_foreign_name() {
        let address = Address::new("0.0.0.0", 8097).unwrap();
        assert!(address.allows("10.0.0.1:8097") && address.allows("[fe80::1]") && address.allows("localhost"));
        assert!(!address.allows("example.org"));
    }
}
