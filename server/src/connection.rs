//! One connection: its stream under limits of time and length, from accept to farewell.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use hyper::{Request, StatusCode, body::Incoming, server::conn::http1, service::Service};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::watch,
    time::Sleep,
};

use crate::{
    config::Limits,
    exchange::{long_body, long_headers, long_request_line},
    metrics::{Counted, Metrics},
    problem::Problem,
    resource::Resource,
    respond,
    service::{Reply, Shared},
};

/// How long a client may take to read a last answer and close.
const LINGER: Duration = Duration::from_secs(1);

/// How far the requests of a connection are, told by its service to its stream.
#[derive(Debug)]
pub(crate) struct Progress {
    stream: Arc<TcpStream>,
    metrics: Arc<Metrics>,
    is_local: bool,
    is_busy: AtomicBool,
    answers: AtomicU32,
    /// Answers that hyper has, but that are not written yet.
    unwritten: Mutex<Vec<Counted>>,
}

impl Progress {
    fn new(stream: Arc<TcpStream>, metrics: Arc<Metrics>) -> Self {
        let peer = stream.peer_addr();
        Self {
            stream,
            metrics,
            is_local: peer.is_ok_and(|peer| peer.ip().to_canonical().is_loopback()),
            is_busy: AtomicBool::new(false),
            answers: AtomicU32::new(0),
            unwritten: Mutex::new(Vec::with_capacity(1)),
        }
    }

    /// Returns whether the client is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    /// Takes note that a request was answered.
    pub(crate) fn answered(&self, counted: Counted) {
        self.answers.fetch_add(1, Relaxed);
        self.unwritten().push(counted);
    }

    /// Takes note that a request is being answered, until what is returned is dropped.
    pub(crate) fn begin(progress: &Arc<Self>) -> Busy {
        progress.is_busy.store(true, Relaxed);
        Busy(Arc::clone(progress))
    }

    /// Waits until the client closes its side, as far as what it sent before lets that be seen.
    pub(crate) async fn hung_up(&self) {
        if let Ok(1..) = self.stream.peek(&mut [0]).await {
            std::future::pending().await
        }
    }

    /// Counts the answers that are now written.
    fn written(&self) {
        for counted in self.unwritten().drain(..) {
            self.metrics.answered(counted);
        }
    }

    fn unwritten(&self) -> MutexGuard<'_, Vec<Counted>> {
        let unwritten = self.unwritten.lock();
        unwritten.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let left = self.unwritten().len();
        self.metrics.unwritten(left as u64);
    }
}

/// A request being answered.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Progress>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Relaxed);
    }
}

/// Serves a connection by a service that `make` returns, until it ends.
pub(crate) async fn serve<S>(
    stream: TcpStream,
    shared: Arc<Shared>,
    mut stopping: watch::Receiver<bool>,
    make: impl FnOnce(Arc<Shared>, Arc<Progress>) -> S,
) where
    S: Service<Request<Incoming>, Response = Reply, Error = Infallible>,
{
    let limits = &shared.config.limits;
    let header_bytes = limits.header_bytes;
    let head_bytes = limits.request_line_bytes + header_bytes;
    let stream = Arc::new(stream);
    let progress = Progress::new(Arc::clone(&stream), Arc::clone(&shared.metrics));
    let progress = Arc::new(progress);
    let limited = LimitedStream::new(stream, Arc::clone(&shared), Arc::clone(&progress));
    // Each answer is written before the next request is read: so none is lost to what follows it,
    // and no more than one waits for a client that reads none.
    let mut connection = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        // The stream refuses heads that are too long; reads may overshoot by as much again.
        .max_buf_size(2 * head_bytes + (16 << 10))
        .serve_connection(TokioIo::new(limited), make(shared, progress));
    let ended = tokio::select! {
        // Whoever is answered after the server was told to stop is told so.
        biased;
        _ = stopping.wait_for(|stopping| *stopping) => None,
        ended = &mut connection => Some(ended),
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            Pin::new(&mut connection).graceful_shutdown();
            (&mut connection).await
        }
    };
    let parts = connection.into_parts();
    drop(parts.service);
    let limited = parts.io.into_inner();
    if let Err(error) = ended {
        tracing::debug!(%error, "connection broke off");
        if error.is_parse() {
            limited.refuse(&unreadable(&error, &parts.read_buf, limited.limits()));
        }
    }
    if let Some(stream) = limited.into_stream() {
        linger(stream).await;
    }
}

/// Returns the problem of a head that cannot be read, of which `unread` may still be there.
fn unreadable(error: &hyper::Error, unread: &[u8], limits: &Limits) -> Problem {
    if !error.is_parse_too_large() {
        let detail = "this is not a request of HTTP/1.1";
        return Problem::new(StatusCode::BAD_REQUEST, detail);
    }
    // Hyper says the same of too many headers and of a body too long for any integer, but only
    // then has taken the head from what is unread.
    let line = unread.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default().trim_ascii_end();
    if line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0") {
        long_headers(limits.header_bytes)
    } else {
        long_body(limits.body_bytes)
    }
}

/// Turns a connection away with a problem.
pub(crate) async fn turn_away(mut stream: TcpStream, farewell: Vec<u8>) {
    let written = tokio::time::timeout(LINGER, stream.write_all(&farewell)).await;
    if matches!(written, Ok(Ok(()))) {
        linger(stream).await;
    }
}

/// Closes in a way that lets the client read what it was told: bytes that arrive at a closed
/// socket would have it discard the answer.
async fn linger(mut stream: TcpStream) {
    let drain = async {
        stream.shutdown().await?;
        let mut discarded = [0; 4_096];
        while stream.read(&mut discarded).await? > 0 {}
        io::Result::Ok(())
    };
    // Neither a late nor a broken end is worth a word: the connection is over.
    let _ended = tokio::time::timeout(LINGER, drain).await;
}

/// A stream that keeps its client to the limits.
///
/// The service says which requests were answered; what is read after that belongs to the head of
/// the next one. Waiting is timed from when it begins, at the granularity of one timer.
struct LimitedStream {
    stream: Arc<TcpStream>,
    shared: Arc<Shared>,
    progress: Arc<Progress>,
    timer: Pin<Box<Sleep>>,
    /// Answers when the head now being read began.
    answers_seen: u32,
    /// Answers that were written whole.
    answers_written: u32,
    head_bytes: usize,
    has_line: bool,
    reading_since: Option<Instant>,
    writing_since: Option<Instant>,
}

impl LimitedStream {
    fn new(stream: Arc<TcpStream>, shared: Arc<Shared>, progress: Arc<Progress>) -> Self {
        let timer = tokio::time::sleep(shared.config.limits.header_timeout());
        Self {
            stream,
            shared,
            progress,
            timer: Box::pin(timer),
            answers_seen: 0,
            answers_written: 0,
            head_bytes: 0,
            has_line: false,
            reading_since: None,
            writing_since: None,
        }
    }

    fn limits(&self) -> &Limits {
        &self.shared.config.limits
    }

    /// Returns the stream once nobody else has it.
    fn into_stream(self) -> Option<TcpStream> {
        drop(self.progress);
        Arc::into_inner(self.stream)
    }

    /// Starts a new head if the one before was answered, and checks the length of this one.
    fn check_head(&mut self) -> io::Result<()> {
        let answers = self.progress.answers.load(Relaxed);
        if answers != self.answers_seen {
            self.answers_seen = answers;
            self.head_bytes = 0;
            self.has_line = false;
            self.reading_since = None;
        }
        let limits = &self.shared.config.limits;
        let problem = if !self.has_line && self.head_bytes > limits.request_line_bytes {
            long_request_line(limits.request_line_bytes)
        } else if self.head_bytes >= limits.request_line_bytes + limits.header_bytes {
            long_headers(limits.header_bytes)
        } else {
            return Ok(());
        };
        self.refuse(&problem);
        Err(io::Error::other(problem.detail))
    }

    /// Takes note of bytes that belong to a head.
    fn note_head(&mut self, bytes: &[u8]) {
        if self.head_bytes == 0 {
            // The client is no longer idle: from here on it has the time of a head.
            self.reading_since = None;
        }
        self.head_bytes += bytes.len();
        self.has_line = self.has_line || bytes.contains(&b'\n');
    }

    /// Waits for a client that sends nothing, up to its limit.
    fn poll_silence(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let limits = &self.shared.config.limits;
        let begun = self.head_bytes > 0;
        let limit = if begun {
            limits.header_timeout()
        } else {
            limits.idle_timeout()
        };
        let since = *self.reading_since.get_or_insert_with(Instant::now);
        ready!(self.poll_until(since + limit, context));
        if begun {
            let detail = "the head of the request took too long";
            self.refuse(&Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        }
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }

    /// Waits until `deadline`, looking again at least as often as heads time out, since the one
    /// timer serves several deadlines.
    fn poll_until(&mut self, deadline: Instant, context: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(context));
            let now = Instant::now();
            if now >= deadline {
                return Poll::Ready(());
            }
            let next = deadline.min(now + self.shared.config.limits.header_timeout());
            self.timer.as_mut().reset(next.into());
        }
    }

    /// Says what is wrong before the connection ends, unless earlier answers were not written.
    fn refuse(&self, problem: &Problem) {
        if self.progress.answers.load(Relaxed) == self.answers_written {
            let farewell = respond::farewell(problem, &self.shared);
            // A client that does not even take these few bytes misses them.
            match self.stream.try_write(&farewell) {
                Ok(written) if written == farewell.len() => {
                    self.shared.metrics.answered(Counted {
                        resource: Resource::Unknown,
                        scope: None,
                        status: problem.status,
                        latency: self.reading_since.map_or(Duration::ZERO, |at| at.elapsed()),
                    });
                }
                _ => self.shared.metrics.unwritten(1),
            }
        }
    }

    fn poll_read_stream(
        &self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            ready!(self.stream.poll_read_ready(context))?;
            match self.stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }

    fn poll_write_stream(
        &self,
        context: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.stream.poll_write_ready(context))?;
            match write(&self.stream) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                written => return Poll::Ready(written),
            }
        }
    }
}

impl AsyncRead for LimitedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let is_busy = this.progress.is_busy.load(Relaxed);
        if !is_busy {
            this.check_head()?;
        }
        let before = buffer.filled().len();
        match this.poll_read_stream(context, buffer) {
            Poll::Pending if is_busy => Poll::Pending,
            Poll::Pending => this.poll_silence(context).map(Err),
            Poll::Ready(Ok(())) if !is_busy => {
                this.note_head(&buffer.filled()[before..]);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl LimitedStream {
    /// Returns whether what is about to be written is no answer of the service: hyper tells who
    /// sends what it cannot read so, in fewer words than [`LimitedStream::refuse`].
    fn is_unasked(&self) -> bool {
        !self.progress.is_busy.load(Relaxed)
            && self.progress.answers.load(Relaxed) == self.answers_written
    }

    /// Takes note of what writing came to, and waits for a client that takes nothing.
    fn poll_written<T>(
        &mut self,
        written: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.writing_since = None;
            return written;
        }
        let since = *self.writing_since.get_or_insert_with(Instant::now);
        let deadline = since + self.shared.config.limits.idle_timeout();
        self.poll_until(deadline, context)
            .map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for LimitedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_unasked() {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = this.poll_write_stream(context, |stream| stream.try_write(bytes));
        this.poll_written(written, context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_unasked() {
            return Poll::Ready(Ok(parts.iter().map(|part| part.len()).sum()));
        }
        let written = this.poll_write_stream(context, |stream| stream.try_write_vectored(parts));
        this.poll_written(written, context)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // Hyper flushes once it has nothing left to write, and sockets hold nothing back.
        this.answers_written = this.progress.answers.load(Relaxed);
        this.progress.written();
        Poll::Ready(Ok(()))
    }

    /// Does nothing: whoever serves the connection may have a last word, and shuts down after it.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
