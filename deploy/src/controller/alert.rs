//! Telling people that a night went wrong.

use hyper::Method;
use jiff::Timestamp;
use serde::Serialize;

use crate::http;

/// What is posted to the webhook, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// `night` for one that did not end well, `reclaim` where too much is left behind, `stale` for
    /// data that is too old, `series` for side series that are, `failing` where what is to be done
    /// cannot even be found out.
    pub alert: &'static str,
    /// The repository.
    pub repository: String,
    /// The business day.
    pub day: String,
    /// What happened, in one line.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

impl Alert {
    /// Posts the alert.
    ///
    /// # Errors
    /// Why it could not be posted, in one line without the address, which may hold a secret.
    pub async fn post(&self, webhook: &str) -> Result<(), String> {
        let body = serde_json::to_vec(self).map_err(|error| error.to_string())?;
        http::request(Method::POST, webhook, None, body)
            .await
            .map(drop)
    }
}
