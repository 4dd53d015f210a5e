//! `nightshard serve`: answers over HTTP from what a repository selects.

use std::{
    future::pending,
    io::Write,
    net::SocketAddr,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
};

use anyhow::Context;
use nightshard_format::{
    manifest::GenerationId,
    shard::{HugePages, IndexResidence, MemoryPolicy, RecordAccess},
};
use nightshard_server::{AccessConfig, AdminConfig, RepositorySource, Server, Token};
use tokio::{
    net::TcpListener,
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    sync::watch,
    task::JoinHandle,
};
use tracing_subscriber::EnvFilter;

use crate::{access_keys, config::Config, exit::UsageError, repository::open_to_serve};

/// Serve the generation that a repository selects, and follow its selection.
#[derive(Debug, clap::Args)]
pub(crate) struct ServeArgs {
    /// The repository: a folder, or a URI of one.
    #[arg(long, value_name = "URI")]
    from: String,
    /// Where to listen; port 0 picks one.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where to keep what is fetched from object storage [default: a folder in the user's cache].
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
    /// Where whoever switches the server reaches it; port 0 picks one [default: nowhere].
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// How many generations stay mapped, the current one included [default: 2].
    #[arg(long, value_name = "N")]
    keep_mapped: Option<NonZeroUsize>,
    /// How often the repository is asked for its selection, in milliseconds [default: 1000].
    #[arg(long, value_name = "N")]
    poll_ms: Option<NonZeroU64>,
    /// Fetch and serve customers, too, where the generation has some.
    #[arg(long)]
    customers: bool,
    #[command(flatten)]
    memory: MemoryArgs,
}

/// How shards are kept in memory (docs/operations.md, "Memory").
#[derive(Debug, clap::Args)]
struct MemoryArgs {
    /// How records are read in: random, for lookups, or normal [default: random].
    #[arg(long, value_name = "ACCESS")]
    records: Option<RecordAccess>,
    /// When indexes are read in: on-demand, read-ahead, prefault or lock [default: read-ahead].
    #[arg(long, value_name = "WHEN")]
    indexes: Option<IndexResidence>,
    /// What is read into huge pages: none, indexes or all [default: none].
    #[arg(long, value_name = "WHAT")]
    huge_pages: Option<HugePages>,
}

impl MemoryArgs {
    /// Returns a policy with what was given changed.
    fn change(&self, policy: MemoryPolicy) -> MemoryPolicy {
        MemoryPolicy {
            records: self.records.unwrap_or(policy.records),
            indexes: self.indexes.unwrap_or(policy.indexes),
            huge_pages: self.huge_pages.unwrap_or(policy.huge_pages),
        }
    }
}

/// An address taken, and what serves there.
#[derive(Debug)]
pub(crate) struct Bound {
    runtime: Runtime,
    listener: TcpListener,
}

impl Bound {
    /// Takes an address, which strangers can reach only where keys tell who they are.
    pub(crate) fn take(listen: SocketAddr, access: &AccessConfig) -> anyhow::Result<Self> {
        if !listen.ip().is_loopback() && !access.is_guarded() {
            let text = "--listen: without keys only a loopback address can be served, not";
            return Err(UsageError(format!("{text} {listen}")).into());
        }
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()?;
        let listener = runtime.block_on(TcpListener::bind(listen));
        let listener = listener.with_context(|| format!("--listen {listen}"))?;
        Ok(Self { runtime, listener })
    }

    /// Returns the address, whose port was picked if it was given as 0.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// Serves until told to stop.
pub(crate) fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let config = Config::read(args.config.as_deref())?;
    let bound = Bound::take(args.listen, &config.access)?;
    run_bound(args, config, bound)
}

/// Serves on an address that was taken before.
pub(crate) fn run_bound(args: ServeArgs, config: Config, bound: Bound) -> anyhow::Result<ExitCode> {
    let Config {
        storage,
        fetch,
        server: mut config,
        access: keys,
        privacy,
        ..
    } = config;
    let access = access_keys::open(&keys, privacy.k)?;
    config.keep_mapped = args.keep_mapped.unwrap_or(config.keep_mapped);
    config.poll_ms = args.poll_ms.unwrap_or(config.poll_ms);
    config.memory = args.memory.change(config.memory);
    config.customers |= args.customers;
    config.admin.listen = args.admin.or(config.admin.listen);
    // The file is right by itself: what is wrong comes from an option.
    config
        .check(&keys)
        .map_err(|problem| UsageError(format!("--poll-ms, --admin: {problem}")))?;
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_unset| EnvFilter::new("info"));
    // Whoever runs this inside another command may have a subscriber already.
    let _set = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
    let Bound { runtime, listener } = bound;
    let opening = open_to_serve(&args.from, &storage, fetch, args.cache);
    let repository = runtime.block_on(opening)?.with_memory(config.memory);
    let desk = runtime.block_on(Desk::take(&config.admin))?;
    let has_customers = config.customers;
    let source = RepositorySource::new(repository, runtime.handle().clone());
    let source = source.with_customers(has_customers);
    let server = Server::with_access(config, access);
    let drained = runtime.block_on(serve(listener, desk, source, server));
    // Threads that still verify a candidate are not waited for.
    runtime.shutdown_background();
    if !drained? {
        tracing::warn!("requests were still open when the time to drain was over");
    }
    Ok(ExitCode::SUCCESS)
}

/// An address taken for whoever switches the server, and what they have to show.
struct Desk {
    listener: TcpListener,
    token: Option<Token>,
}

impl Desk {
    /// Takes the address, if there is any.
    async fn take(config: &AdminConfig) -> anyhow::Result<Option<Self>> {
        let Some(listen) = config.listen else {
            return Ok(None);
        };
        let read = |path: &PathBuf| {
            let name = path.display();
            Token::read(path)
                .map_err(|error| UsageError(format!("server.admin.token_file {name}: {error}")))
        };
        let token = config.token_file.as_ref().map(read).transpose()?;
        let listener = TcpListener::bind(listen).await;
        let listener = listener.with_context(|| format!("server.admin.listen {listen}"))?;
        Ok(Some(Self { listener, token }))
    }

    /// Serves there until the process ends.
    fn open(self, server: &Server) -> std::io::Result<JoinHandle<bool>> {
        say(&format!("admin on http://{}", self.listener.local_addr()?));
        let serving = server.admin(self.token);
        Ok(tokio::spawn(serving.serve(self.listener, pending())))
    }
}

/// Serves until a signal; returns whether all requests finished.
async fn serve(
    listener: TcpListener,
    desk: Option<Desk>,
    source: RepositorySource,
    server: Server,
) -> anyhow::Result<bool> {
    let (mut terminate, mut interrupt) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    say(&format!("listening on http://{}", listener.local_addr()?));
    let desk = desk.map(|desk| desk.open(&server)).transpose()?;
    let announcing = tokio::spawn(announce(server.switch().subscribe()));
    let following = tokio::spawn(server.follower(Arc::new(source)).run());
    let scrubbing = tokio::spawn(server.scrubber().run());
    let drained = server
        .serve(listener, async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await;
    if let Some(desk) = desk {
        desk.abort();
    }
    following.abort();
    scrubbing.abort();
    announcing.abort();
    Ok(drained)
}

/// Says which generation is served, at first and after every swap.
async fn announce(mut served: watch::Receiver<Option<(u64, GenerationId)>>) {
    while served.changed().await.is_ok() {
        let announced = served.borrow_and_update().clone();
        if let Some((_, generation)) = announced {
            say(&format!("serving generation {generation}"));
        }
    }
}

/// Prints a line for whoever started the server.
fn say(line: &str) {
    let mut output = std::io::stdout().lock();
    // Nobody is left to tell if standard output is closed.
    let _closed = writeln!(output, "{line}").and_then(|()| output.flush());
}
