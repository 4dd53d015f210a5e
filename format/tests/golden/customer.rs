//! A customer, read three times as the other records are.

use nightshard_format::{
    calendar::{Day, DayRange},
    record::{CustomerFigures, CustomerRecord, encode_customer},
};

use super::{
    in_place, open,
    plain::{signed, take, unsigned},
};

/// The key of the customer.
pub(crate) const KEY: &[u8] = b"00112233445566778899aabbccddeeff";

const ATTRIBUTES: [(&str, &str); 2] = [("registered_at", "2017-05-01"), ("ville", "Évry")];

fn figures() -> CustomerFigures {
    CustomerFigures {
        count: 300,
        sum: 100_000_000_001_000,
        min: -250,
        max: 100_000_000_000_000,
        days: DayRange {
            first: Day(17_590),
            last: Day(17_896),
        },
        foreign: None,
        flagged: Some(200),
    }
}

/// Returns the record.
pub(crate) fn record() -> Vec<u8> {
    let mut value = Vec::new();
    encode_customer(&figures(), &ATTRIBUTES, &mut value).unwrap();
    value
}

#[test]
fn a_customer_is_these_bytes() {
    let (shard, _) = open("customers-current.shard");
    let expected = [
        &[0xac, 0x02][..],                           // rows
        &[0xd0, 0x8f, 0xd2, 0x87, 0xe2, 0xbc, 0x2d], // twice the sum
        &[0xf3, 0x03],                               // 2 x 250 - 1
        &[0xfa, 0x81, 0xe9, 0x83, 0xb1, 0xde, 0x16], // 10^14 + 250
        &[0xec, 0x92, 0x02],                         // 2018-02-28: 2 x 17,590
        &[0xb2, 0x02],                               // 306 days later
        &[2, 0xc8, 0x01],                            // flagged rows alone are known
        &[2, 13],
        b"registered_at",
        &[10],
        b"2017-05-01",
        &[5],
        b"ville",
        &[5],
        "Évry".as_bytes(),
    ];
    assert_eq!(in_place(&shard, KEY), &expected.concat()[..]);
}

#[test]
fn a_customer_is_read_alike() {
    let (shard, plain) = open("customers-current.shard");
    let record = CustomerRecord::parse(in_place(&shard, KEY)).unwrap();
    assert_eq!(record.figures, figures());
    assert_eq!(record.attributes, ATTRIBUTES);
    let mut rest = plain.value(KEY);
    let rest = &mut rest;
    let [count, sum] = [unsigned(rest), signed(rest)];
    let min = signed(rest);
    let max = min + unsigned(rest);
    let first = signed(rest);
    let last = first + unsigned(rest);
    assert_eq!([count, sum], [300, 100_000_000_001_000]);
    assert_eq!([min, max], [-250, 100_000_000_000_000]);
    assert_eq!([first, last], [17_590, 17_896]);
    assert_eq!((take(rest, 1), unsigned(rest)), (&[2][..], 200));
    let texts = 2 * unsigned(rest);
    let read = (0..texts).map(|_| {
        let len = usize::try_from(unsigned(rest)).unwrap();
        std::str::from_utf8(take(rest, len)).unwrap()
    });
    let read: Vec<&str> = read.collect();
    let expected = ATTRIBUTES.iter().flat_map(|(name, value)| [*name, *value]);
    assert!(expected.eq(read));
    assert!(rest.is_empty());
}
