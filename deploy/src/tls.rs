//! TLS on a connection: ring beneath, and the certificate authorities of the system.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::ServerName};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::bounded;

/// Has the server at the other end prove that it is `host`.
///
/// # Errors
/// Why it could not, in one line.
pub(crate) async fn connect(host: &str, stream: TcpStream) -> Result<TlsStream<TcpStream>, String> {
    let name = ServerName::try_from(host.to_owned());
    let name = name.map_err(|_invalid| "no certificate can be for the address".to_owned())?;
    // Files are read, each time: authorities come and go while a controller runs.
    let connector = bounded::blocking(connector).await;
    let connector = connector.map_err(|error| error.to_string())??;
    let connected = connector.connect(name, stream).await;
    connected.map_err(|error| {
        format!("no TLS: {error}; SSL_CERT_FILE can name the file of a private authority")
    })
}

fn connector() -> Result<TlsConnector, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let why = found.errors.first().map(|error| format!(": {error}"));
        return Err(format!(
            "no TLS: no certificate authority is known{}",
            why.unwrap_or_default()
        ));
    }
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider);
    let config = config.with_safe_default_protocol_versions();
    let config = config.map_err(|error| format!("no TLS: {error}"))?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
