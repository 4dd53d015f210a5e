//! Alerts to a webhook by https, with certificates of `tests/data/tls`.

use std::{net::TcpStream, path::PathBuf, sync::Arc};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::Nights;
use crate::listener::{listen, listen_through};
use crate::support::program::{self, Outcome};

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/tls")
        .join(name)
}

/// Returns what speaks TLS over a connection, as 127.0.0.1 by the word of `authority.pem`.
fn server() -> impl Fn(TcpStream) -> StreamOwned<ServerConnection, TcpStream> + Send + 'static {
    let certificate = CertificateDer::from_pem_file(data("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(data("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth();
    let config = Arc::new(config.with_single_cert(vec![certificate], key).unwrap());
    move |stream| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream)
}

/// Makes a night that fails, where `authority` is whom the controller trusts.
fn failed_night(host: &str, port: u16, authority: &str) -> Outcome {
    let nights = Nights::new(&format!("webhook = \"https://{host}:{port}/secret\""));
    std::fs::remove_file(&nights.input).unwrap();
    let config = nights.config.to_str().unwrap();
    let mut once = program::command(["controller", "--config", config, "--once"]);
    once.env("SSL_CERT_FILE", data(authority));
    once.env_remove("SSL_CERT_DIR");
    let night = Outcome::of(once);
    assert_eq!(night.code, Some(1), "{night:?}");
    night
}

#[test]
fn an_alert_goes_to_a_webhook_that_proves_who_it_is() {
    let (address, alerts) = listen_through(server(), |_path| "{}".into());
    for host in ["127.0.0.1", "localhost"] {
        let night = failed_night(host, address.port(), "authority.pem");
        assert!(!night.stderr.contains("controller.webhook"), "{night:?}");
        let alert: serde_json::Value = serde_json::from_str(&alerts.try_recv().unwrap()).unwrap();
        assert_eq!(alert["text"], "build failed too often");
    }
}

#[test]
fn who_cannot_prove_who_it_is_gets_no_alert_and_is_named_without_its_address() {
    let (address, alerts) = listen_through(server(), |_path| "{}".into());
    let night = failed_night("127.0.0.1", address.port(), "stranger.pem");
    let line = "controller.webhook: no TLS: invalid peer certificate: UnknownIssuer; \
        SSL_CERT_FILE can name the file of a private authority";
    assert!(night.stderr.lines().any(|said| said == line), "{night:?}");
    assert!(!night.stderr.contains("secret"), "{night:?}");
    assert!(alerts.try_recv().is_err());

    // No certificate authority, and no certificate.
    let night = failed_night("127.0.0.1", address.port(), "nothing.pem");
    let line = "controller.webhook: no TLS: no certificate authority is known";
    assert!(night.stderr.contains(line), "{night:?}");
    let (address, _) = listen(|_path| "{}".into());
    let night = failed_night("127.0.0.1", address.port(), "authority.pem");
    assert!(
        night.stderr.contains("controller.webhook: no TLS: "),
        "{night:?}"
    );
}
