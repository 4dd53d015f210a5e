//! Sizes of memory as people write them.

/// Parses `256MiB`, `4GiB`, `512 KiB` or a number of bytes.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let unit_at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let shift = match unit.trim() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        "TiB" => 40,
        _ => return Err("a size is a number and B, KiB, MiB, GiB or TiB".into()),
    };
    let number: u64 = number
        .parse()
        .map_err(|_bad| "a size begins with a number")?;
    number
        .checked_mul(1 << shift)
        .ok_or_else(|| "the size is too large".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_with_their_units() {
        assert_eq!(parse("256MiB"), Ok(256 << 20));
        assert_eq!(parse("4 GiB"), Ok(4 << 30));
        assert_eq!(parse("17"), Ok(17));
        for wrong in ["", "GiB", "4GB", "-1", "1.5GiB", "99999999999TiB"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
