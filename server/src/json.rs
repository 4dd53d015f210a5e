//! A JSON writer into one buffer.
//!
//! Numbers are exact: integers of up to 128 bits as they are, doubles by their shortest
//! representation that reads back the same.

/// The largest integer up to which every integer is a double of its own.
const EXACT_DOUBLE_MAX: i128 = 1 << 53;

/// Writes JSON values one after the other, minding the commas.
#[derive(Debug, Default)]
pub(crate) struct Json {
    out: Vec<u8>,
    needs_comma: bool,
    /// Whether integers that a double cannot tell apart are written as strings.
    quote_large: bool,
}

impl Json {
    /// Makes a writer whose buffer begins with `capacity` bytes of room.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            out: Vec::with_capacity(capacity),
            ..Self::default()
        }
    }

    /// Chooses whether integers above 2^53 are written as strings.
    pub(crate) fn set_quote_large(&mut self, quote_large: bool) {
        self.quote_large = quote_large;
    }

    /// Returns what was written.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    /// Returns how many bytes were written.
    pub(crate) fn len(&self) -> usize {
        self.out.len()
    }

    /// Forgets a value begun when there were `len` bytes.
    pub(crate) fn rewind(&mut self, len: usize) {
        self.out.truncate(len);
        self.needs_comma = matches!(self.out.last(), Some(b'}' | b']' | b'"'));
    }

    /// Writes what is JSON already: whole members of the object begun, with commas between.
    pub(crate) fn members(&mut self, members: &[u8]) {
        self.comma();
        self.out.extend_from_slice(members);
        self.needs_comma = true;
    }

    /// Writes what is a JSON value already.
    pub(crate) fn raw(&mut self, value: &[u8]) {
        self.word(value);
    }

    /// Writes what begins a document, up to and with the colon of its last key.
    pub(crate) fn head(&mut self, head: &[u8]) {
        self.out.extend_from_slice(head);
        self.needs_comma = false;
    }

    pub(crate) fn begin_object(&mut self) {
        self.begin(b'{');
    }

    pub(crate) fn end_object(&mut self) {
        self.end(b'}');
    }

    pub(crate) fn begin_array(&mut self) {
        self.begin(b'[');
    }

    pub(crate) fn end_array(&mut self) {
        self.end(b']');
    }

    /// Writes a member's key, which needs no escapes.
    #[inline]
    pub(crate) fn key(&mut self, key: &str) -> &mut Self {
        self.comma();
        self.out.push(b'"');
        self.out.extend_from_slice(key.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.needs_comma = false;
        self
    }

    /// Writes what comes before a value: the comma, where one is due, is part of it.
    #[inline]
    pub(crate) fn before(&mut self, literal: &[u8]) -> &mut Self {
        self.out.extend_from_slice(literal);
        self.needs_comma = false;
        self
    }

    /// Writes text.
    pub(crate) fn string(&mut self, text: &str) {
        self.comma();
        if text.bytes().all(is_plain) {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            self.serialize(text);
        }
        self.needs_comma = true;
    }

    /// Writes text of bytes that should be UTF-8.
    pub(crate) fn bytes(&mut self, text: &[u8]) {
        self.string(&String::from_utf8_lossy(text));
    }

    /// Writes text or null.
    pub(crate) fn optional_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None => self.null(),
        }
    }

    /// Writes what prints without characters that need escapes.
    pub(crate) fn display(&mut self, value: impl std::fmt::Display) {
        self.comma();
        self.out.push(b'"');
        // Writing into a vector cannot fail.
        let _written = std::io::Write::write_fmt(&mut self.out, format_args!("{value}"));
        self.out.push(b'"');
        self.needs_comma = true;
    }

    /// Writes an integer.
    #[inline]
    pub(crate) fn integer(&mut self, value: impl itoa::Integer + Into<i128> + Copy) {
        self.comma();
        let quoted = self.quote_large && value.into().abs() > EXACT_DOUBLE_MAX;
        if quoted {
            self.out.push(b'"');
        }
        self.out
            .extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
        if quoted {
            self.out.push(b'"');
        }
        self.needs_comma = true;
    }

    /// Writes an integer or null.
    #[inline]
    pub(crate) fn optional_integer(
        &mut self,
        value: Option<impl itoa::Integer + Into<i128> + Copy>,
    ) {
        match value {
            Some(value) => self.integer(value),
            None => self.null(),
        }
    }

    /// Writes a finite number, or null.
    pub(crate) fn float(&mut self, value: Option<f64>) {
        self.comma();
        match value.filter(|value| value.is_finite()) {
            Some(value) => self
                .out
                .extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes()),
            None => self.out.extend_from_slice(b"null"),
        }
        self.needs_comma = true;
    }

    pub(crate) fn null(&mut self) {
        self.word(b"null");
    }

    pub(crate) fn boolean(&mut self, value: bool) {
        self.word(if value { b"true" } else { b"false" });
    }

    /// Writes whatever serde knows.
    pub(crate) fn value(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        self.comma();
        self.serialize(value);
        self.needs_comma = true;
    }

    fn serialize(&mut self, value: &(impl serde::Serialize + ?Sized)) {
        let start = self.out.len();
        if serde_json::to_writer(&mut self.out, value).is_err() {
            // Only keys that are no strings have no JSON form, and there are none.
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
        }
    }

    fn word(&mut self, word: &[u8]) {
        self.comma();
        self.out.extend_from_slice(word);
        self.needs_comma = true;
    }

    fn begin(&mut self, bracket: u8) {
        self.comma();
        self.out.push(bracket);
        self.needs_comma = false;
    }

    fn end(&mut self, bracket: u8) {
        self.out.push(bracket);
        self.needs_comma = true;
    }

    #[inline]
    fn comma(&mut self) {
        if self.needs_comma {
            self.out.push(b',');
        }
    }
}

/// Returns whether a byte of UTF-8 stands for itself in a JSON string.
fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Json)) -> String {
        let mut json = Json::default();
        write(&mut json);
        String::from_utf8(json.into_bytes()).unwrap()
    }

    #[test]
    fn values_are_separated_by_commas_at_every_depth() {
        let text = written(|json| {
            json.begin_object();
            json.key("rows").begin_array();
            json.integer(1_u64);
            json.begin_object();
            json.key("a").null();
            json.key("b").float(Some(0.1));
            json.end_object();
            json.end_array();
            json.key("name").string("a\"\\\u{7}é");
            json.members(br#""x":1,"y":2"#);
            json.key("ok").boolean(true);
            json.end_object();
        });
        let expected =
            r#"{"rows":[1,{"a":null,"b":0.1}],"name":"a\"\\\u0007é","x":1,"y":2,"ok":true}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn integers_above_two_to_the_53_are_quoted_on_request_only() {
        for (value, plain, quoted) in [
            (1_i128 << 53, "9007199254740992", "9007199254740992"),
            ((1 << 53) + 1, "9007199254740993", "\"9007199254740993\""),
            (-(1 << 53) - 1, "-9007199254740993", "\"-9007199254740993\""),
        ] {
            assert_eq!(written(|json| json.integer(value)), plain);
            let text = written(|json| {
                json.set_quote_large(true);
                json.integer(value);
            });
            assert_eq!(text, quoted);
        }
    }

    #[test]
    fn doubles_read_back_the_same_and_are_always_json() {
        for value in [0.0, -0.5, 1e300, 5e-324, 123_456_789.123_456_79, 1.0 / 3.0] {
            let text = written(|json| json.float(Some(value)));
            assert!(serde_json::from_str::<f64>(&text).is_ok(), "{text}");
            assert_eq!(text.parse::<f64>(), Ok(value));
        }
        assert_eq!(written(|json| json.float(Some(f64::NAN))), "null");
    }

    #[test]
    fn a_rewound_value_leaves_no_trace() {
        let text = written(|json| {
            json.begin_array();
            json.begin_object();
            json.end_object();
            let len = json.len();
            json.begin_object();
            json.key("half").integer(1_u8);
            json.rewind(len);
            json.begin_object();
            json.end_object();
            json.end_array();
        });
        assert_eq!(text, "[{},{}]");
    }
}
