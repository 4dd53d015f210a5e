//! Somebody else's server, as far as a client can tell.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::mpsc::{Receiver, Sender, channel},
};

/// Answers every request with what `answer` says to its path, and shows their bodies.
pub(crate) fn listen(
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (SocketAddr, Receiver<String>) {
    listen_through(|stream| stream, answer)
}

/// Listens as [`listen`] does, through what `wrap` makes of a connection.
pub(crate) fn listen_through<S: Read + Write>(
    wrap: impl Fn(TcpStream) -> S + Send + 'static,
    answer: impl Fn(&str) -> String + Send + 'static,
) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (shown, bodies) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever hangs up is nobody's problem.
            let _hung_up = answer_one(wrap(stream.unwrap()), &answer, &shown);
        }
    });
    (address, bodies)
}

fn answer_one(
    stream: impl Read + Write,
    answer: &impl Fn(&str) -> String,
    shown: &Sender<String>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut length = 0;
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    // Whoever does not look drops the receiver.
    let _unseen = shown.send(String::from_utf8(body).unwrap());
    let json = answer(&path);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", json.len());
    reader.get_mut().write_all((head + &json).as_bytes())?;
    reader.get_mut().flush()
}
