//! A server that fetches what it serves, is killed at it, and started again.

use std::{
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use crate::{
    litter::left_in,
    moment::{Course, Moment},
    observer::serve,
    scene::{Killer, PATIENCE, Victim},
    support::{proxy::Proxy, server::TestServer},
    world::{Desk, served_last},
};

/// The server, its cache, and the way to its repository.
pub(crate) struct Fed {
    server: TestServer,
    proxy: Proxy,
    cache: PathBuf,
    course: Course,
    restarts: usize,
}

impl Fed {
    pub(crate) fn start(desk: &Desk, proxy: Proxy) -> Self {
        let begun = Instant::now();
        let server = start(desk, &proxy);
        server.wait_for("serving generation ");
        let course = Course {
            duration: begun.elapsed(),
            steps: proxy.seen(),
        };
        Self {
            server,
            proxy,
            cache: desk.cache(),
            course,
            restarts: 0,
        }
    }

    pub(crate) fn course(&self) -> &Course {
        &self.course
    }

    /// Waits until it serves a generation, and knows that after its end, too.
    pub(crate) fn serves(&self, generation: &str) {
        let client = &mut self.server.connect();
        wait_until("it is served", || client.generation() == generation);
        wait_until("it is remembered", || self.remembers(generation));
    }

    /// Waits until it serves a generation and has nothing half done any more.
    pub(crate) fn settles(&self, generation: &str) {
        self.serves(generation);
        let tmp = self.cache.join("tmp");
        wait_until("tmp is empty", || left_in(&tmp).is_empty());
    }

    fn remembers(&self, generation: &str) -> bool {
        served_last(&self.cache).is_some_and(|served| served == generation)
    }

    /// Kills it on its way to a generation, which `select` makes current; returns where that was.
    pub(crate) fn kill(&mut self, moment: Moment, target: &str, select: impl FnOnce()) -> String {
        let killer = Killer::of_process(self.server.id(), Victim::Itself);
        let of_storage = match moment {
            Moment::Step { step, .. } => step.starts_with("GET "),
            Moment::Delay(_) => false,
        };
        self.proxy.set(of_storage.then(|| killer.trap(moment)));
        let mut client = self.server.connect();
        select();
        let begun = Instant::now();
        let cache = self.cache.clone();
        let remembers = || served_last(&cache).is_some_and(|served| served == target);
        let mut is_time = || match moment {
            Moment::Delay(delay) => begun.elapsed() >= delay,
            Moment::Step { step: "scrub", .. } => {
                remembers() && client.metric("nightshard_scrub_rounds_total") > 0
            }
            // One that asks for less than was expected is killed in the end.
            Moment::Step { .. } => remembers(),
        };
        while !self.server.has_ended() {
            assert!(begun.elapsed() < PATIENCE, "{target} is not fetched");
            if is_time() {
                killer.kill();
                self.server.wait();
            }
        }
        match moment {
            Moment::Step { step: "scrub", .. } => "scrub".to_owned(),
            _ if self.remembers(target) => "swap".to_owned(),
            _ => self.last_step(),
        }
    }

    /// Returns what it fetched last.
    fn last_step(&self) -> String {
        let seen = self.proxy.seen();
        let fetches = |step: &&String| matches!(step.as_str(), "GET manifest" | "GET blobs");
        let last = seen.iter().rfind(fetches);
        last.map_or("before any", String::as_str).to_owned()
    }

    /// Starts it again: every other time its repository hangs, and it serves what it served; then
    /// what is selected.
    pub(crate) fn restarts(&mut self, desk: &Desk, before: &str, target: &str) {
        self.restarts += 1;
        self.proxy.set(None);
        if self.restarts.is_multiple_of(2) {
            self.proxy.hang();
        }
        self.server = start(desk, &self.proxy);
        let served = self.server.wait_for("serving generation ");
        if self.proxy.hangs() {
            assert!([before, target].contains(&&*served), "{served}");
            assert_eq!(self.server.connect().generation(), served);
            self.proxy.release();
        }
        self.settles(target);
    }
}

fn start(desk: &Desk, proxy: &Proxy) -> TestServer {
    let program = desk.program(Some(&proxy.url()));
    serve(program, &desk.uri, &desk.cache(), &desk.config())
}

/// Waits until something is so.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "it never happens that {what}");
        thread::sleep(Duration::from_millis(1));
    }
}
