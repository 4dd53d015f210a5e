//! What one client may ask of the server, and how it ends.

use std::{
    io::{BufRead, ErrorKind, Read, Write},
    net::Shutdown,
    sync::Arc,
    time::{Duration, Instant},
};

use nightshard_format::calendar::Day;
use nightshard_server::{Config, Cors, Limits};

use crate::{
    client::Client,
    fixture::{Fixture, Payment, Shop},
    harness::{Harness, config},
};

fn server(limits: Limits) -> Harness {
    server_with(Config { limits, ..config() })
}

fn server_with(config: Config) -> Harness {
    let fixture = Arc::new(Fixture::new());
    let days = 0..2_000;
    let payments: Vec<Payment> = days
        .map(|day| Payment {
            half_hour: None,
            paid: None,
            store: 0,
            day: Day(16_000 + day),
            card: 1,
            amount: 100,
        })
        .collect();
    let id = fixture.write(&[Shop::new("a", "", "", "")], &payments);
    fixture.select(1, &id);
    Harness::ready(config, fixture, 1)
}

fn short(timeout_ms: u64) -> Limits {
    let limit = timeout_ms.try_into().unwrap();
    Limits {
        header_timeout_ms: limit,
        request_timeout_ms: limit,
        idle_timeout_ms: limit,
        ..Limits::default()
    }
}

#[test]
fn a_head_that_never_ends_is_answered_with_408() {
    let harness = server(Limits {
        header_timeout_ms: 200.try_into().unwrap(),
        ..Limits::default()
    });
    let mut client = harness.connect();
    client.send(b"GET /healthz HT");
    let reply = client.read(false);
    assert_eq!(reply.problem(), (408, None));
    assert_eq!(reply.header("nightshard-selection"), Some("1"));
    assert!(client.is_closed());
}

#[test]
fn a_head_that_dribbles_in_gains_no_time_by_it() {
    let harness = server(Limits {
        header_timeout_ms: 100.try_into().unwrap(),
        ..Limits::default()
    });
    let mut client = harness.connect();
    client.send(b"GET /healthz HTTP/1.1\r\n");
    let started = Instant::now();
    client
        .stream
        .get_ref()
        .set_read_timeout(Some(Duration::from_millis(10)))
        .unwrap();
    let mut status = [0; 12];
    loop {
        // The server may close between the two: what it said before is still there.
        let _closed = client.stream.get_mut().write_all(b"x: y\r\n");
        match client.stream.read_exact(&mut status) {
            Ok(()) => break,
            Err(error) => assert!(
                matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
                "{error}"
            ),
        }
        assert!(started.elapsed() < Duration::from_secs(20));
    }
    assert_eq!(&status, b"HTTP/1.1 408");
}

#[test]
fn a_silent_connection_is_closed_without_a_word() {
    let harness = server(short(2_000));
    let mut silent = harness.connect();
    let mut client = harness.connect();
    assert_eq!(client.get("/healthz").status, 200);
    assert!(silent.is_closed());
    assert!(client.is_closed());
}

#[test]
fn long_request_lines_and_headers_are_refused_however_long() {
    let harness = server(Limits::default());
    let line = |len: usize| {
        let mut client = harness.connect();
        let path = "x".repeat(len - "GET / HTTP/1.1\r\n".len());
        // The server may stop reading before everything is sent.
        let _refused = write!(
            client.stream.get_mut(),
            "GET /{path} HTTP/1.1\r\nhost: localhost\r\n\r\n"
        );
        client.read(false)
    };
    assert_eq!(line(8 << 10).status, 404);
    for len in [(8 << 10) + 1, 9_000, 30_000, 100_000, 3 << 20] {
        assert_eq!(line(len).problem(), (414, None), "{len}");
    }
    let headers = |len: usize| {
        let mut client = harness.connect();
        let value = "x".repeat(len - "host: localhost\r\n".len() - "long: \r\n".len());
        let head = format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\nlong: {value}\r\n\r\n");
        let _refused = client.stream.get_mut().write_all(head.as_bytes());
        client.read(false)
    };
    assert_eq!(headers(16 << 10).status, 200);
    for len in [(16 << 10) + 1, 17_000, 30_000, 100_000, 3 << 20] {
        assert_eq!(headers(len).problem(), (431, None), "{len}");
    }
}

#[test]
fn long_and_slow_bodies_are_refused() {
    let harness = server(Limits::default());
    let mut client = harness.connect();
    let head = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\n";
    client.send(format!("{head}content-length: {}\r\n\r\n", (1 << 20) + 1).as_bytes());
    assert_eq!(client.read(false).problem(), (413, None));

    let mut client = harness.connect();
    client.send(format!("{head}transfer-encoding: chunked\r\n\r\n").as_bytes());
    let chunk = [
        format!("{:x}\r\n", 1 << 16).into_bytes(),
        vec![b' '; 1 << 16],
        b"\r\n".to_vec(),
    ];
    for _ in 0..17 {
        let _refused = client.stream.get_mut().write_all(&chunk.concat());
    }
    assert_eq!(client.read(false).problem(), (413, None));

    let harness = server(short(300));
    let mut client = harness.connect();
    client.send(format!("{head}content-length: 10\r\n\r\n{{").as_bytes());
    assert_eq!(client.read(false).problem(), (408, None));
}

#[test]
fn a_body_of_exactly_the_limit_is_read() {
    let harness = server(Limits::default());
    let mut body = br#"{"lookups": [{"path": "/v1/stores/a"}]}"#.to_vec();
    body.resize(1 << 20, b' ');
    let reply = harness.connect().request("POST", "/v1/batch", &[], &body);
    assert_eq!(reply.data()["rows"][0]["status"], 200);
}

#[test]
fn connections_beyond_the_limit_are_turned_away_until_one_ends() {
    let harness = server(Limits {
        connections: 2.try_into().unwrap(),
        ..Limits::default()
    });
    let mut first = harness.connect();
    let mut second = harness.connect();
    assert_eq!(
        (first.get("/healthz").status, second.get("/healthz").status),
        (200, 200)
    );
    let mut third = harness.connect();
    let reply = third.read(false);
    assert_eq!(reply.problem(), (503, None));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert!(third.is_closed());
    drop(second);
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let mut client = harness.connect();
        // What is sent to a connection turned away may come back as a reset.
        let _reset = client
            .stream
            .get_mut()
            .write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let mut status = [0; 12];
        if client.stream.read_exact(&mut status).is_ok() && &status == b"HTTP/1.1 200" {
            break;
        }
        assert!(Instant::now() < deadline);
    }
    assert_eq!(first.get("/healthz").status, 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let harness = server(Limits::default());
    let mut client = harness.connect();
    let targets: Vec<String> = (0..500)
        .map(|index| match index % 3 {
            0 => format!(
                "/v1/stores/a/statistics?group_by=all&min_date={}",
                Day(16_000 + index)
            ),
            1 => format!("/v1/stores/none{index}"),
            _ => "/v1/stores/a/statistics?group_by=day".to_owned(),
        })
        .collect();
    let mut sender = client.stream.get_ref().try_clone().unwrap();
    let sent = targets.clone();
    let sending = std::thread::spawn(move || {
        for target in sent {
            write!(sender, "GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
        }
    });
    for (index, target) in targets.iter().enumerate() {
        let reply = client.read(false);
        match index % 3 {
            0 => assert_eq!(reply.data()["rows"][0]["count"], 2_000 - index, "{target}"),
            1 => assert_eq!(reply.status, 404),
            _ => assert_eq!(reply.data()["rows"].as_array().unwrap().len(), 2_000),
        }
    }
    sending.join().unwrap();
}

#[test]
fn a_client_that_closes_its_side_still_gets_its_answer() {
    let harness = server(Limits::default());
    let mut client = harness.connect();
    client.send(b"GET /v1/stores/a/statistics?group_by=day HTTP/1.1\r\nhost: localhost\r\n\r\n");
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert_eq!(client.read(false).status, 200);
    assert!(client.is_closed());
}

#[test]
fn what_is_not_http_is_refused() {
    let harness = server(Limits::default());
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(200));
    for (bytes, status) in [
        (&b"\x16\x03\x01 hello\r\n\r\n"[..], 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nbad header\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", 400),
        (many.as_bytes(), 431),
    ] {
        let mut client = harness.connect();
        client.send(bytes);
        let reply = client.read(false);
        assert_eq!(
            reply.problem(),
            (status, None),
            "{}",
            String::from_utf8_lossy(bytes)
        );
        assert_eq!(reply.header("nightshard-selection"), Some("1"));
        assert!(client.is_closed());
    }
}

#[test]
fn answers_come_before_the_refusal_of_what_follows_them() {
    let harness = server_with(Config {
        cors: Cors {
            origins: vec!["https://shop.example".to_owned()],
        },
        ..config()
    });
    let get = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let chunked =
        "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
    let length = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: ";
    let long = "x".repeat(20_000);
    for (what, status) in [
        ("GARBAGE\r\n\r\n".to_owned(), 400),
        (format!("GET /{long} HTTP/1.1\r\n\r\n"), 414),
        (
            format!("{length}18446744073709551615\r\n\r\nsome\nbody\n"),
            413,
        ),
        (format!("{length}99999999999999999999\r\n\r\n"), 400),
        (format!("{chunked}z\r\n{{}}\r\n"), 400),
        (format!("{chunked}2;{long}\r\n{{}}\r\n0\r\n\r\n"), 400),
        (
            format!("{chunked}0\r\n{}\r\n", "x: y\r\n".repeat(5_000)),
            400,
        ),
    ] {
        let mut client = harness.connect();
        // The server may stop reading before everything is sent.
        let bytes = format!("{get}{get}{get}{what}");
        let _refused = client.stream.get_mut().write_all(bytes.as_bytes());
        for _ in 0..3 {
            assert_eq!(client.read(false).body, b"ok\n", "{what:.60}");
        }
        let refusal = client.read(false);
        assert_eq!(refusal.problem(), (status, None), "{what:.60}");
        // Where the next request begins is known after a long line, but not after all else.
        assert!(status == 414 || client.is_closed(), "{what:.60}");
    }
    let mut client = harness.connect();
    client.send(b"GARBAGE\r\n\r\n");
    assert_eq!(
        client.read(false).header("access-control-allow-origin"),
        Some("https://shop.example")
    );
    for (status, count) in [("400", 2), ("413", 1), ("414", 1)] {
        let name = format!("nightshard_requests_total{{resource=\"unknown\",status=\"{status}\"}}");
        assert!(metric(&mut harness.connect(), &name) >= count, "{name}");
    }
}

#[test]
fn answers_that_nobody_takes_are_counted_as_such() {
    // The batch itself has all the time that it needs.
    let harness = server(Limits {
        request_timeout_ms: Limits::default().request_timeout_ms,
        ..short(2_000)
    });
    let mut greedy = harness.connect();
    greedy.send(&long_batch());
    let deadline = Instant::now() + Duration::from_secs(20);
    while metric(&mut harness.connect(), "nightshard_answers_unwritten_total") == 0 {
        assert!(Instant::now() < deadline);
    }
    let text = String::from_utf8(harness.connect().get("/metrics").body).unwrap();
    assert!(
        !text.contains("resource=\"/v1/batch\",status=\"200\""),
        "{text}"
    );
}

/// Returns the request of a batch whose answer has some 25 MiB.
fn long_batch() -> Vec<u8> {
    let lookups = vec![r#"{"path": "/v1/stores/a/statistics?group_by=day"}"#; 90].join(",");
    let body = format!("{{\"lookups\": [{lookups}]}}");
    let head = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: ";
    format!("{head}{}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn answers_that_wait_to_be_read_have_a_bound_together() {
    let harness = server(Limits {
        waiting_answers_bytes: 40 << 20,
        ..Limits::default()
    });
    let mut slow = harness.connect();
    slow.send(&long_batch());
    // It has begun: so all of it is there, and far more than sockets hold waits.
    assert_eq!(slow.stream.fill_buf().unwrap()[0], b'H');
    let mut other = harness.connect();
    other.send(&long_batch());
    let reply = other.read(false);
    assert_eq!(reply.problem(), (503, None));
    assert_eq!(reply.header("retry-after"), Some("1"));
    assert_eq!(other.get("/v1/stores/a").status, 200);
    assert_eq!(slow.read(false).status, 200);
    other.send(&long_batch());
    assert_eq!(other.read(false).status, 200);
}

#[test]
fn one_answer_is_bounded_like_those_of_a_batch() {
    let fixture = Arc::new(Fixture::new());
    let payment = Payment {
        half_hour: None,
        paid: None,
        store: 0,
        day: "0001-01-01".parse().unwrap(),
        card: 1,
        amount: 100,
    };
    let as_of = "9999-12-31".parse().unwrap();
    let id = fixture.write_as_of(as_of, &[Shop::new("a", "", "", "")], &[payment]);
    fixture.select(1, &id);
    let harness = Harness::ready(config(), fixture, 1);
    let mut client = harness.connect();
    let target = |kind| format!("/v1/stores/a/statistics?fill=zero&group_by={kind}");
    for kind in ["day", "week"] {
        assert_eq!(client.get(&target(kind)).problem(), (400, None), "{kind}");
    }
    let rows = client.get(&target("quarter")).data();
    assert_eq!(rows["rows"].as_array().unwrap().len(), 9_999 * 4);
}

#[test]
fn a_batch_whose_client_closes_its_side_is_given_up() {
    let harness = server(Limits::default());
    let mut client = harness.connect();
    let lookups = vec![r#"{"path": "/v1/stores/a/histogram?bins=64&of=all"}"#; 1_000].join(",");
    let body = format!("{{\"lookups\": [{lookups}]}}");
    let head = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: ";
    client.send(format!("{head}{}\r\n\r\n{body}", body.len()).as_bytes());
    client.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    let reply = client.read(false);
    assert_eq!(reply.problem(), (400, None));
    let detail = reply.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("closed its side"), "{detail}");
}

/// Returns a figure that the server gives of itself.
fn metric(client: &mut Client, name: &str) -> u64 {
    let text = String::from_utf8(client.get("/metrics").body).unwrap();
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map_or(0, |value| value.parse().unwrap())
}

/// Returns how many connections are open, the asking one included.
fn open_connections(client: &mut Client) -> u64 {
    metric(client, "nightshard_connections_open")
}

#[test]
fn a_client_that_takes_no_answers_is_disconnected() {
    let harness = server(short(2_000));
    let mut greedy = harness.connect();
    let request = b"GET /v1/stores/a/statistics?group_by=day HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let _refused = greedy.stream.get_mut().write_all(&request.repeat(200));
    let deadline = Instant::now() + Duration::from_secs(20);
    while open_connections(&mut harness.connect()) > 1 {
        assert!(Instant::now() < deadline);
    }
}

/// Sends the head of a batch, which has been read when this returns: what was sent with it, before
/// it, is answered.
fn begin_batch(client: &mut Client, len: usize) {
    let first = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let head = "POST /v1/batch HTTP/1.1\r\nhost: localhost\r\ncontent-length: ";
    client.send(format!("{first}{head}{len}\r\n\r\n").as_bytes());
    assert_eq!(client.read(false).status, 200);
}

#[test]
fn stopping_lets_requests_finish_and_closes_idle_connections() {
    let mut harness = server(Limits::default());
    let mut idle = harness.connect();
    assert_eq!(idle.get("/healthz").status, 200);
    let mut busy = harness.connect();
    let body = br#"{"lookups": []}"#;
    begin_batch(&mut busy, body.len());
    busy.send(&body[..5]);
    harness.stop();
    assert!(idle.is_closed());
    busy.send(&body[5..]);
    let reply = busy.read(false);
    assert_eq!(
        (reply.status, reply.header("connection")),
        (200, Some("close"))
    );
    assert!(harness.join());
}

#[test]
fn stopping_does_not_wait_for_ever() {
    let mut harness = server_with(Config {
        drain_ms: 50,
        ..config()
    });
    let mut stuck = harness.connect();
    begin_batch(&mut stuck, 10);
    harness.stop();
    assert!(!harness.join());
}
