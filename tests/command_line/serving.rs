//! A repository that a server serves, and rows to build into it.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};

use crate::support::{
    program::{self, Outcome},
    repository::{TestRepository, files_below},
    server::TestServer,
};

pub(crate) const HEADER: &str = "tx_id,store_id,card_id,ts,amount_minor,currency\n";

/// A card number, which nobody but shards of customers may ever see, and then only as pseudonym.
pub(crate) const CARD: &str = "4929123456789012";

/// A name that stands in rows that are refused, which nobody is to see either.
pub(crate) const UNSEEN: &str = "Zyzzogeton";

/// What a build says when the header is none of the layout's.
pub(crate) const LACKS_ALL: &str = "the header lacks store_id, card_id, ts, amount_minor, currency";

/// A row of the header above; `id` is its tx_id, too.
pub(crate) fn row(id: usize, store: &str, ts: &str, amount: &str) -> String {
    format!("{id},{store},{CARD},{ts},{amount},GBP\n")
}

/// So many sound rows.
pub(crate) fn rows(ids: std::ops::Range<usize>) -> String {
    ids.map(|id| row(id, &format!("s{}", id % 3), "2018-01-05T10:00:00", "250"))
        .collect()
}

pub(crate) fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// A repository with a generation that a server serves, into which builds are tried that fail.
pub(crate) struct Serving {
    pub(crate) repository: TestRepository,
    pub(crate) server: TestServer,
    pub(crate) good: PathBuf,
    pub(crate) generation: String,
}

impl Serving {
    pub(crate) fn start() -> Self {
        let repository = TestRepository::new();
        let good = repository.write("good.csv", HEADER.to_owned() + &rows(0..50));
        repository.build([&good], &[]).succeeded();
        let server = TestServer::start(&repository.path());
        let generation = repository.current();
        Self {
            repository,
            server,
            good,
            generation,
        }
    }

    /// Builds from a file of this content, which has to fail and to change nothing.
    #[track_caller]
    pub(crate) fn refuses(&self, name: &str, content: impl AsRef<[u8]>, problem: &str) {
        let path = self.repository.write(name, content);
        self.refuses_input(&path, &[], 1, &[name, problem]);
    }

    /// Builds from a file or folder, which has to fail and to change nothing.
    #[track_caller]
    pub(crate) fn refuses_input(&self, input: &Path, options: &[&str], code: i32, words: &[&str]) {
        let outcome = self.repository.build([input], options);
        outcome.failed(code, words);
        self.is_untouched(&outcome);
    }

    /// Checks that the old generation is current, right and served, and that neither litter nor
    /// secrets are anywhere.
    #[track_caller]
    pub(crate) fn is_untouched(&self, outcome: &Outcome) {
        assert_eq!(self.repository.current(), self.generation);
        self.repository.run("verify", &["--quiet"]).succeeded();
        assert_eq!(self.server.connect().generation(), self.generation);
        assert_eq!(self.repository.litter(), Vec::<PathBuf>::new());
        assert_eq!(self.repository.generations().len(), 1);
        self.keeps_secrets(outcome);
    }

    #[track_caller]
    pub(crate) fn keeps_secrets(&self, outcome: &Outcome) {
        keeps_secrets(&self.repository, outcome);
    }

    /// Checks that the next run is as clean as the first.
    #[track_caller]
    pub(crate) fn builds_again(&self) {
        let more = self
            .repository
            .write("more.csv", HEADER.to_owned() + &rows(0..60));
        self.repository.build([&more], &[]).succeeded();
        let current = self.repository.current();
        assert_ne!(current, self.generation);
        self.repository.run("verify", &["--quiet"]).succeeded();
        self.server
            .wait_for(&format!("serving generation {current}"));
        assert_eq!(self.repository.litter(), Vec::<PathBuf>::new());
        self.repository.build([&self.good], &[]).succeeded();
        self.server
            .wait_for(&format!("serving generation {}", self.generation));
    }
}

/// Checks that no card, key or refused row is in what was printed or stands beside the shards,
/// and no card in the shards.
#[track_caller]
pub(crate) fn keeps_secrets(repository: &TestRepository, outcome: &Outcome) {
    let mut texts = repository.texts();
    texts.push(("standard error".into(), outcome.stderr.clone()));
    texts.push(("standard output".into(), outcome.stdout.clone()));
    for (place, text) in texts {
        for secret in [CARD, UNSEEN, program::CARD_KEY] {
            assert!(!text.contains(secret), "{secret} is in {}", place.display());
        }
    }
    for blob in files_below(&repository.path().join("blobs")) {
        let bytes = fs::read(&blob).unwrap();
        let found = bytes
            .windows(CARD.len())
            .any(|window| window == CARD.as_bytes());
        assert!(!found, "{CARD} is in {}", blob.display());
    }
}
