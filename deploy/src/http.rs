//! The little of HTTP and HTTPS that a controller needs: ask for JSON, and post it.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use crate::tls;

/// How long a request may take in all.
const TIMEOUT: Duration = Duration::from_secs(10);

/// No answer is longer.
const ANSWER_LEN_MAX: usize = 1 << 20;

/// Sends one request over a connection of its own, and returns the body of a good answer.
///
/// # Errors
/// What went wrong, in one line without the address, which may hold a secret.
pub(crate) async fn request(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Vec<u8>,
) -> Result<Bytes, String> {
    let exchange = exchange(method, url, token, body);
    let done = tokio::time::timeout(TIMEOUT, exchange).await;
    done.map_err(|_elapsed| format!("no answer within {} s", TIMEOUT.as_secs()))?
}

async fn exchange(
    method: Method,
    url: &str,
    token: Option<&str>,
    body: Vec<u8>,
) -> Result<Bytes, String> {
    let uri: Uri = url.parse().map_err(|error| format!("{error}"))?;
    let is_secure = uri.scheme_str() == Some("https");
    let host = uri.host().ok_or("the address has no host")?;
    let name = host.trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
    let stream = TcpStream::connect((name, port)).await;
    let stream = stream.map_err(|error| error.to_string())?;
    let authority = uri.authority().map_or(host, |authority| authority.as_str());
    let mut builder = Request::builder()
        .method(method)
        .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority)
        .header(CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
    }
    let request = builder.body(Full::new(Bytes::from(body)));
    let request = request.map_err(|error| error.to_string())?;
    match is_secure {
        true => send(request, tls::connect(name, stream).await?).await,
        false => send(request, stream).await,
    }
}

/// Sends a request over a connection, and returns the body of a good answer.
async fn send(
    request: Request<Full<Bytes>>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
) -> Result<Bytes, String> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| error.to_string())?;
    // It ends with the answer, or with this task's timeout.
    let connection = tokio::spawn(connection);
    let answer = sender.send_request(request).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let status = answer.status();
    let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX)
        .collect()
        .await;
    connection.abort();
    match status {
        StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED | StatusCode::NO_CONTENT => {
            body.map(|body| body.to_bytes())
                .map_err(|error| error.to_string())
        }
        status => Err(format!("the answer is {status}")),
    }
}
