//! The minor units of currencies.

/// Returns how many decimal digits the minor unit of a currency has.
///
/// # Source
/// ISO 4217, list one: two digits but for the currencies named here.
#[must_use]
pub(crate) fn exponent(code: impl AsRef<[u8]>) -> u8 {
    match code.as_ref() {
        b"BIF" | b"CLP" | b"DJF" | b"GNF" | b"ISK" | b"JPY" | b"KMF" | b"KRW" | b"PYG" | b"RWF"
        | b"UGX" | b"UYI" | b"VND" | b"VUV" | b"XAF" | b"XOF" | b"XPF" => 0,
        b"BHD" | b"IQD" | b"JOD" | b"KWD" | b"LYD" | b"OMR" | b"TND" => 3,
        b"CLF" | b"UYW" => 4,
        _ => 2,
    }
}
