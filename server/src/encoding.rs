//! Which encoding a body travels in.

use std::io::Write;

use hyper::header::{ACCEPT_ENCODING, HeaderMap};

use crate::{problem::Result, work::Work};

/// Bodies up to this fit a packet or two anyway.
///
/// # Units
/// Bytes.
const WORTHWHILE_BYTES: usize = 1_500;

/// A content coding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 8878.
    Zstd,
}

impl Encoding {
    /// Returns the name of the content coding.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// Returns what tells the entity tags of encodings apart.
    pub(crate) fn etag_suffix(self) -> &'static str {
        match self {
            Self::Identity => "",
            Self::Gzip => "-gzip",
            Self::Zstd => "-zstd",
        }
    }

    /// Chooses the encoding that a client likes best.
    ///
    /// # Source
    /// RFC 9110, section 12.5.3.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let lines = headers.get_all(ACCEPT_ENCODING).iter();
        let lines: Vec<&str> = lines.filter_map(|line| line.to_str().ok()).collect();
        // Nobody who does not name it likes it better than what is named.
        let identity = weight_of(&lines, Self::Identity.name(), false);
        let (mut best, mut best_weight) = (Self::Identity, identity);
        // The later one wins where a client likes both equally.
        for encoding in [Self::Gzip, Self::Zstd] {
            let weight = weight_of(&lines, encoding.name(), true);
            if weight > 0.0 && weight >= best_weight {
                (best, best_weight) = (encoding, weight);
            }
        }
        best
    }

    /// Encodes a body, or leaves it as it is where that does not pay.
    ///
    /// # Errors
    /// [`crate::problem::Failure::Heavy`] if it takes too long here.
    pub(crate) fn encode(self, body: Vec<u8>, work: &mut Work) -> Result<(Vec<u8>, Self)> {
        if self == Self::Identity || body.len() < WORTHWHILE_BYTES {
            return Ok((body, Self::Identity));
        }
        work.spend(body.len() as u64 * self.byte_ns())?;
        Ok(match self.compress(&body) {
            Some(encoded) => (encoded, self),
            None => (body, Self::Identity),
        })
    }

    /// Compresses a body, or returns `None` where that does not make it shorter.
    pub(crate) fn compress(self, body: &[u8]) -> Option<Vec<u8>> {
        // Compressing memory into memory fails for want of memory only.
        let encoded = match self {
            Self::Identity => None,
            Self::Gzip => gzip(body).ok(),
            Self::Zstd => zstd::bulk::compress(body, 1).ok(),
        };
        encoded.filter(|encoded| encoded.len() < body.len())
    }

    /// Estimates the time to encode a byte, in nanoseconds.
    fn byte_ns(self) -> u64 {
        match self {
            Self::Identity => 0,
            Self::Gzip => 8,
            Self::Zstd => 4,
        }
    }
}

fn gzip(body: &[u8]) -> std::io::Result<Vec<u8>> {
    let room = Vec::with_capacity(body.len() / 4);
    let mut encoder = flate2::write::GzEncoder::new(room, flate2::Compression::fast());
    encoder.write_all(body)?;
    encoder.finish()
}

/// Returns the weight of a coding, 0 to 1; 0 if it is not acceptable, or neither named nor, where
/// that counts, meant by an asterisk.
fn weight_of(lines: &[&str], coding: &str, or_any: bool) -> f32 {
    let mut any = 0.0;
    for item in lines.iter().flat_map(|line| line.split(',')) {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.strip_prefix('='));
        let weight: f32 = weight.map_or(1.0, |text| text.parse().unwrap_or(0.0));
        let weight = if (0.0..=1.0).contains(&weight) {
            weight
        } else {
            0.0
        };
        if name.eq_ignore_ascii_case(coding) {
            return weight;
        }
        if name == "*" && or_any {
            any = weight;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_liked_known_coding_is_chosen() {
        for (header, expected) in [
            ("gzip", Encoding::Gzip),
            ("gzip, deflate, br, zstd", Encoding::Zstd),
            ("gzip;q=1.0, zstd;q=0.5", Encoding::Gzip),
            ("GZIP; q=0.001, zstd;q=0", Encoding::Gzip),
            ("br", Encoding::Identity),
            ("identity", Encoding::Identity),
            ("*", Encoding::Zstd),
            ("*;q=0", Encoding::Identity),
            ("zstd;q=0, *", Encoding::Gzip),
            ("", Encoding::Identity),
            ("gzip;q=0.5, identity", Encoding::Identity),
            ("gzip;q=0.5, identity;q=0.9", Encoding::Identity),
            ("gzip;q=0.5, identity;q=0.1, *;q=0", Encoding::Gzip),
            ("identity;q=0, gzip;q=0.1", Encoding::Gzip),
            ("gzip;q=inf, zstd;q=nan", Encoding::Identity),
            ("gzip|zstd;q=0.5", Encoding::Gzip),
            ("br|zstd|gzip;q=0.1", Encoding::Zstd),
        ] {
            let mut headers = HeaderMap::new();
            for line in header.split('|') {
                headers.append(ACCEPT_ENCODING, line.parse().unwrap());
            }
            assert_eq!(Encoding::accepted(&headers), expected, "{header}");
        }
        assert_eq!(Encoding::accepted(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn encoded_bodies_decode_to_themselves() {
        let body = br#"{"period":"2018-03","count":12},"#.repeat(100);
        for encoding in [Encoding::Gzip, Encoding::Zstd] {
            let (encoded, used) = encoding.encode(body.clone(), &mut Work::inline()).unwrap();
            assert_eq!(used, encoding);
            assert!(encoded.len() < body.len() / 10);
            let mut decoded = Vec::new();
            match encoding {
                Encoding::Gzip => {
                    let mut decoder = flate2::read::GzDecoder::new(&encoded[..]);
                    std::io::Read::read_to_end(&mut decoder, &mut decoded).unwrap();
                }
                _ => decoded = zstd::bulk::decompress(&encoded, body.len()).unwrap(),
            }
            assert_eq!(decoded, body);
        }
    }
}
