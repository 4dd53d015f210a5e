//! One keep-alive connection.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// A connection, on which one request follows the other.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        // Better to fail than to hang.
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Returns the status and the document of an answer.
    pub(crate) fn get(&mut self, target: &str) -> (u16, Value) {
        self.ask(&format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
    }

    /// Sends a request as it is, and returns the status and the document of its answer.
    pub(crate) fn ask(&mut self, request: &str) -> (u16, Value) {
        let (status, body) = self.exchange(request);
        (status, serde_json::from_slice(&body).unwrap())
    }

    /// Returns the status and the text of an answer.
    pub(crate) fn text(&mut self, target: &str) -> (u16, String) {
        let request = format!("GET {target} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        let (status, body) = self.exchange(&request);
        (status, String::from_utf8(body).unwrap())
    }

    fn exchange(&mut self, request: &str) -> (u16, Vec<u8>) {
        self.stream.get_mut().write_all(request.as_bytes()).unwrap();
        let status = self.read_line();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut length = 0;
        loop {
            let line = self.read_line().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).unwrap();
        (status, body)
    }

    /// Returns a metric that has no labels, 0 where there is none of its name yet.
    pub(crate) fn metric(&mut self, name: &str) -> u64 {
        let (_, text) = self.text("/metrics");
        let mut lines = text.lines().filter_map(|line| line.split_once(' '));
        let found = lines.find(|(found, _)| *found == name);
        found.map_or(0, |(_, value)| value.parse().unwrap())
    }

    /// Returns the member `data` of an answer, which has to be one.
    #[track_caller]
    pub(crate) fn data(&mut self, target: &str) -> Value {
        let (status, mut document) = self.get(target);
        assert_eq!(status, 200, "{target}: {document}");
        document["data"].take()
    }

    /// Returns the id of the generation that answers.
    pub(crate) fn generation(&mut self) -> String {
        let (status, document) = self.get("/v1/info/generation");
        assert_eq!(status, 200, "{document}");
        document["generation"].as_str().unwrap().to_owned()
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }
}
