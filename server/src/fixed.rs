//! Bodies that are the same for everybody for as long as a server runs.

use hyper::header::HeaderMap;
use xxhash_rust::xxh3::xxh3_64;

use crate::{
    encoding::Encoding,
    respond::{Answer, matches_any, matching_etag},
};

/// Such a body, encoded once.
#[derive(Debug)]
pub(crate) struct Fixed {
    etag: u64,
    plain: Vec<u8>,
    encoded: Vec<(Encoding, Vec<u8>)>,
}

impl Fixed {
    /// Encodes a body.
    pub(crate) fn new(plain: Vec<u8>) -> Self {
        let encode = |encoding: Encoding| Some((encoding, encoding.compress(&plain)?));
        let encoded = [Encoding::Gzip, Encoding::Zstd]
            .into_iter()
            .filter_map(encode)
            .collect();
        Self {
            etag: xxh3_64(&plain),
            encoded,
            plain,
        }
    }

    /// Answers a request that has these headers; `make` says what the body is.
    pub(crate) fn answer(
        &self,
        headers: &HeaderMap,
        make: impl FnOnce(Vec<u8>, Encoding, u64) -> Answer,
    ) -> Answer {
        if let Some(encoding) = matching_etag(headers, self.etag) {
            return Answer::not_modified(self.etag, encoding);
        }
        if matches_any(headers) {
            return Answer::not_modified(self.etag, Encoding::Identity);
        }
        let accepted = Encoding::accepted(headers);
        let encoded = self.encoded.iter().find(|(known, _)| *known == accepted);
        match encoded {
            Some((encoding, body)) => make(body.clone(), *encoding, self.etag),
            None => make(self.plain.clone(), Encoding::Identity, self.etag),
        }
    }
}
