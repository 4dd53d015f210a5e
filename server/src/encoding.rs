//! Which encoding a body travels in.

use std::io::Write;

use hyper::header::HeaderValue;

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
    pub(crate) fn accepted(header: Option<&HeaderValue>) -> Self {
        let Some(text) = header.and_then(|value| value.to_str().ok()) else {
            return Self::Identity;
        };
        let (mut best, mut best_weight) = (Self::Identity, 0.0);
        // The later one wins where a client likes both equally.
        for encoding in [Self::Gzip, Self::Zstd] {
            let weight = weight_of(text, encoding.name());
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
        let encoded = match self {
            Self::Gzip => gzip(&body),
            _ => zstd::bulk::compress(&body, 1),
        };
        // Compressing memory into memory fails for want of memory only.
        Ok(match encoded {
            Ok(encoded) if encoded.len() < body.len() => (encoded, self),
            _ => (body, Self::Identity),
        })
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

/// Returns the weight of a coding, 0 to 1; 0 if it is not acceptable.
fn weight_of(header: &str, coding: &str) -> f32 {
    let mut any = 0.0;
    for item in header.split(',') {
        let mut parts = item.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix(['q', 'Q'])?.strip_prefix('='));
        let weight = weight.map_or(1.0, |text| text.parse().unwrap_or(0.0));
        if name.eq_ignore_ascii_case(coding) {
            return weight;
        }
        if name == "*" {
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
        ] {
            let value = HeaderValue::from_static(header);
            assert_eq!(Encoding::accepted(Some(&value)), expected, "{header}");
        }
        assert_eq!(Encoding::accepted(None), Encoding::Identity);
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
