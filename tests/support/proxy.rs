//! A proxy before the object storage of the tests: it sees what a program asks for, and can end the
//! program, or hang, at any request.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// On which side of a request something happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// Storage never sees the request.
    Before,
    /// Storage has done what was asked, and its answer is lost.
    After,
}

/// What happens once, at a request.
pub(crate) struct Trap {
    /// The request, such as `PUT selections`.
    pub(crate) step: String,
    /// How many of its kind pass before.
    pub(crate) passing: usize,
    pub(crate) side: Side,
    pub(crate) effect: Effect,
}

/// What happens.
pub(crate) enum Effect {
    /// This is done, and the connection is closed.
    Act(Box<dyn FnOnce() + Send>),
    /// From then on nothing is answered, until that ends.
    Hang,
}

/// The proxy of one folder of a bucket; its threads end with the process.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    server: String,
    /// Bucket and prefix, as they stand in paths.
    folder: String,
    state: Mutex<State>,
    released: Condvar,
}

#[derive(Default)]
struct State {
    seen: Vec<String>,
    trap: Option<Trap>,
    hangs: bool,
}

/// What becomes of a request.
enum Fate {
    Forwarded,
    /// It is forwarded, and this happens in the place of its answer.
    Unanswered(Effect),
    Dropped,
}

impl Proxy {
    /// Begins to pass requests on to `server`, a URL, of which those below `folder`, a bucket and a
    /// prefix, are steps.
    pub(crate) fn start(server: &str, folder: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: server.trim_start_matches("http://").to_owned(),
            folder: folder.to_owned(),
            state: Mutex::default(),
            released: Condvar::new(),
        });
        let of_listener = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let shared = Arc::clone(&of_listener);
                thread::spawn(move || shared.pass(client));
            }
        });
        Self { address, shared }
    }

    /// Returns where clients find it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Forgets what was seen, and sets what is to happen next.
    pub(crate) fn set(&self, trap: Option<Trap>) {
        let mut state = self.shared.state();
        state.seen.clear();
        state.trap = trap;
    }

    /// Returns the requests that were seen, in their order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.shared.state().seen.clone()
    }

    /// Answers nothing from now on.
    pub(crate) fn hang(&self) {
        self.shared.state().hangs = true;
    }

    /// Returns whether it hangs.
    pub(crate) fn hangs(&self) -> bool {
        self.shared.state().hangs
    }

    /// Passes on again, what came meanwhile, too.
    pub(crate) fn release(&self) {
        self.shared.state().hangs = false;
        self.shared.released.notify_all();
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while it hangs.
    fn wait(&self) {
        let state = self.state();
        let hangs = |state: &mut State| state.hangs;
        drop(self.released.wait_while(state, hangs));
    }

    /// Passes one connection on; whoever breaks it off ends this.
    fn pass(self: &Arc<Self>, client: TcpStream) {
        self.wait();
        let Ok(server) = TcpStream::connect(&self.server) else {
            return;
        };
        let (to_client, from_server) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let lost: Arc<Mutex<Option<Effect>>> = Arc::default();
        let (shared, of_answers) = (Arc::clone(self), Arc::clone(&lost));
        let answers = thread::spawn(move || {
            let _broken = shared.pass_answers(from_server, &to_client, &of_answers);
            let _closed = to_client.shutdown(Shutdown::Both);
        });
        let _broken = self.pass_requests(client, &server, &lost);
        let _closed = server.shutdown(Shutdown::Both);
        let _ended = answers.join();
    }

    fn pass_requests(
        &self,
        client: TcpStream,
        mut server: &TcpStream,
        lost: &Mutex<Option<Effect>>,
    ) -> std::io::Result<()> {
        let mut client = BufReader::new(client);
        while let Some((head, len)) = read_head(&mut client)? {
            self.wait();
            let fate = self.fate(&self.step(&head));
            let mut request = head.into_bytes();
            match fate {
                Fate::Dropped => return Ok(()),
                Fate::Forwarded => {
                    server.write_all(&request)?;
                    std::io::copy(&mut (&mut client).take(len), &mut server)?;
                }
                Fate::Unanswered(effect) => {
                    // Before its last byte is there, it cannot be answered.
                    (&mut client).take(len).read_to_end(&mut request)?;
                    let last = request.split_off(request.len() - 1);
                    server.write_all(&request)?;
                    *lost.lock().unwrap() = Some(effect);
                    server.write_all(&last)?;
                }
            }
        }
        Ok(())
    }

    fn pass_answers(
        &self,
        mut server: TcpStream,
        mut client: &TcpStream,
        lost: &Mutex<Option<Effect>>,
    ) -> std::io::Result<()> {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let len = server.read(&mut bytes)?;
            if len == 0 {
                return Ok(());
            }
            match lost.lock().unwrap().take() {
                Some(Effect::Act(act)) => {
                    act();
                    return Ok(());
                }
                Some(Effect::Hang) => self.state().hangs = true,
                None => {}
            }
            self.wait();
            client.write_all(&bytes[..len])?;
        }
    }

    /// Says what becomes of a request, and does what is to happen before it.
    fn fate(&self, step: &str) -> Fate {
        let mut state = self.state();
        state.seen.push(step.to_owned());
        let Some(trap) = state.trap.as_mut().filter(|trap| trap.step == step) else {
            return Fate::Forwarded;
        };
        if trap.passing > 0 {
            trap.passing -= 1;
            return Fate::Forwarded;
        }
        let trap = state.trap.take().unwrap();
        match (trap.side, trap.effect) {
            (Side::After, effect) => Fate::Unanswered(effect),
            (Side::Before, Effect::Act(act)) => {
                act();
                Fate::Dropped
            }
            (Side::Before, Effect::Hang) => {
                state.hangs = true;
                drop(state);
                self.wait();
                Fate::Forwarded
            }
        }
    }

    /// Names what a request does: its method and the kind of object.
    fn step(&self, head: &str) -> String {
        let mut words = head.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Some(name) = path.trim_start_matches('/').strip_prefix(&self.folder) else {
            return format!("{method} bucket");
        };
        let name = name.trim_start_matches('/');
        let folder = name.split('/').next().unwrap();
        let kind = match folder {
            "generations" if name.ends_with("/manifest.json") => "manifest",
            "generations" => "beside",
            folder => folder,
        };
        let keys = ["uploads", "partNumber", "uploadId"];
        let of_upload = keys.iter().find(|key| query.contains(*key));
        of_upload.map_or_else(
            || format!("{method} {kind}"),
            |key| format!("{method} {kind} {key}"),
        )
    }
}

/// Reads a request's head, and returns it with the length of its body.
fn read_head(client: &mut impl BufRead) -> std::io::Result<Option<(String, u64)>> {
    let (mut head, mut len) = (String::new(), 0);
    loop {
        let begin = head.len();
        if client.read_line(&mut head)? == 0 {
            return Ok(None);
        }
        let line = head[begin..].to_ascii_lowercase();
        assert!(!line.starts_with("transfer-encoding:"), "{line}");
        if let Some(value) = line.strip_prefix("content-length:") {
            len = value.trim().parse().unwrap();
        }
        if line == "\r\n" {
            return Ok(Some((head, len)));
        }
    }
}
