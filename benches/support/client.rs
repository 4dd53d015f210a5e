//! A client that asks one thing after the other.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
};

/// A keep-alive connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Returns the generation that an answer's header names, and its body.
    pub(crate) fn ask(&mut self, target: &str) -> (String, Vec<u8>) {
        let request = format!("GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
        self.send(&request, target)
    }

    /// Posts a body of JSON, and returns what [`Client::ask`] does.
    pub(crate) fn post(&mut self, target: &str, body: &str) -> (String, Vec<u8>) {
        let head = "host: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: ";
        let request = format!(
            "POST {target} HTTP/1.1\r\n{head}{}\r\n\r\n{body}",
            body.len()
        );
        self.send(&request, target)
    }

    fn send(&mut self, request: &str, target: &str) -> (String, Vec<u8>) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
        let mut head = String::new();
        while self.0.read_line(&mut head).unwrap() > 2 {}
        assert!(head.starts_with("HTTP/1.1 200 "), "{target}: {head}");
        let header = |name: &str| {
            let mut lines = head.lines();
            lines
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .unwrap()
                .to_owned()
        };
        let mut body = vec![0; header("content-length").parse().unwrap()];
        self.0.read_exact(&mut body).unwrap();
        (header("nightshard-generation"), body)
    }
}
