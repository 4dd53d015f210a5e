//! A region of a tree of regions (docs/format.md, "Region").

use crate::{
    Error, Result,
    bytes::{Bytes, put_signed, put_varint},
};

const STRUCTURE: &str = "region";

/// So many levels a tree of regions has at most.
pub const REGION_LEVELS_MAX: usize = 16;

/// What the file of regions says of one of them, and what lies in it.
///
/// # Units
/// `location` in 10^-7 degrees of latitude and longitude.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegionRecord {
    /// How many stores say that they are in it, and not in one below.
    pub stores: u64,
    /// The region that it is a part of; none of a root.
    pub parent: Option<String>,
    /// The name that people know it by.
    pub name: Option<String>,
    /// Where it is.
    pub location: Option<(i32, i32)>,
    /// Its parts, ascending.
    pub children: Vec<String>,
}

impl RegionRecord {
    /// Appends the record.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an id or name that is empty or holds a NUL, a place that is none of the map, and parts
    /// that do not ascend.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<()> {
        self.check()
            .map_err(|problem| Error::invalid(STRUCTURE, problem))?;
        put_varint(out, self.stores);
        put_text(out, self.parent.as_deref().unwrap_or_default());
        put_text(out, self.name.as_deref().unwrap_or_default());
        out.push(self.location.is_some().into());
        if let Some((lat, lon)) = self.location {
            put_signed(out, lat.into());
            put_signed(out, lon.into());
        }
        put_varint(out, self.children.len() as u64);
        self.children.iter().for_each(|id| put_text(out, id));
        Ok(())
    }

    /// Reads the record.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if it ends early, something is left over or it is none that [`RegionRecord::encode`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        let mut bytes = Bytes::new(bytes, STRUCTURE);
        let read = Self {
            stores: bytes.varint()?,
            parent: optional(text(&mut bytes)?),
            name: optional(text(&mut bytes)?),
            location: location(&mut bytes)?,
            children: children(&mut bytes)?,
        };
        if !bytes.is_empty() {
            return Err(Error::corrupt(STRUCTURE, "bytes are left over"));
        }
        read.check()
            .map_err(|problem| Error::corrupt(STRUCTURE, problem))?;
        Ok(read)
    }

    fn check(&self) -> std::result::Result<(), &'static str> {
        let is_text = |text: &String| !text.is_empty() && !text.contains('\0');
        let named = self.parent.iter().chain(&self.name);
        if !named.chain(&self.children).all(is_text) {
            return Err("an id or name is empty, or holds a NUL");
        }
        if !self.children.is_sorted_by(|before, id| before < id) {
            return Err("its parts do not ascend");
        }
        let is_on = |(lat, lon): (i32, i32)| {
            (-LAT_MAX..=LAT_MAX).contains(&lat) && (-LON_MAX..=LON_MAX).contains(&lon)
        };
        if !self.location.is_none_or(is_on) {
            return Err("it is nowhere on the map");
        }
        Ok(())
    }
}

/// The largest latitude and longitude.
const LAT_MAX: i32 = 900_000_000;
const LON_MAX: i32 = 1_800_000_000;

fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn text(bytes: &mut Bytes<'_>) -> Result<String> {
    let text = std::str::from_utf8(bytes.take_prefixed()?);
    let text = text.map_err(|_bad| Error::corrupt(STRUCTURE, "a text is not UTF-8"))?;
    Ok(text.to_owned())
}

fn optional(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn location(bytes: &mut Bytes<'_>) -> Result<Option<(i32, i32)>> {
    let bad = |_| Error::corrupt(STRUCTURE, "it is nowhere on the map");
    match bytes.u8()? {
        0 => Ok(None),
        1 => {
            let lat = i32::try_from(bytes.signed()?).map_err(bad)?;
            let lon = i32::try_from(bytes.signed()?).map_err(bad)?;
            Ok(Some((lat, lon)))
        }
        _ => Err(Error::corrupt(STRUCTURE, "a mark is neither 0 nor 1")),
    }
}

fn children(bytes: &mut Bytes<'_>) -> Result<Vec<String>> {
    let len = bytes.length()?;
    (0..len).map(|_| text(bytes)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> RegionRecord {
        RegionRecord {
            stores: 300,
            parent: Some("한국".into()),
            name: Some("서울특별시".into()),
            location: Some((375_665_000, -1_269_780_000)),
            children: vec!["강남구".into(), "중구".into()],
        }
    }

    fn encoded(region: &RegionRecord) -> Vec<u8> {
        let mut out = Vec::new();
        region.encode(&mut out).unwrap();
        out
    }

    #[test]
    fn a_region_is_read_as_it_was_written() {
        for region in [sample(), RegionRecord::default()] {
            assert_eq!(RegionRecord::parse(&encoded(&region)).unwrap(), region);
        }
    }

    #[test]
    fn what_is_no_region_is_not_written() {
        let changes: [fn(&mut RegionRecord); 6] = [
            |it| it.parent = Some(String::new()),
            |it| it.name = Some("a\0".into()),
            |it| it.children[0].clear(),
            |it| it.children.reverse(),
            |it| it.children[1] = it.children[0].clone(),
            |it| it.location = Some((900_000_001, 0)),
        ];
        for change in changes {
            let mut region = sample();
            change(&mut region);
            let written = region.encode(&mut Vec::new());
            assert!(matches!(written, Err(Error::Invalid { .. })), "{region:?}");
        }
    }

    #[test]
    fn damage_is_an_error_or_another_region_and_never_a_panic() {
        let bytes = encoded(&sample());
        for at in 0..bytes.len() {
            assert!(RegionRecord::parse(&bytes[..at]).is_err());
            for value in 0..=u8::MAX {
                let mut damaged = bytes.clone();
                damaged[at] = value;
                if let Ok(read) = RegionRecord::parse(&damaged) {
                    assert!(value == bytes[at] || read != sample());
                }
            }
        }
    }
}
