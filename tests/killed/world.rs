//! A repository in which everybody is killed, and a server that is not.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use nightshard_deploy::{Repository, Verdict};
use nightshard_format::manifest::GenerationId;
use nightshard_storage::Storage;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::{
    fed::{Fed, wait_until},
    litter,
    moment::{Course, Plan},
    observer::{Observer, serve},
    role::Role,
    scene::{Scene, Victim},
    support::{
        program::{self, Outcome},
        proxy::Proxy,
        random::Random,
    },
};

/// The last business day of everything, which every row is before.
const DAY: &str = "2018-03-28";
/// How many rows the first generation has; each later one has one more.
const ROWS: u64 = 1_000;

/// A repository and all who work on it.
pub(crate) struct World {
    observer: Observer,
    fed: Option<Fed>,
    scene: Scene,
    pub(crate) desk: Desk,
    storage: Arc<dyn Storage>,
    repository: Repository,
    runtime: Runtime,
    courses: BTreeMap<Role, Course>,
    plans: BTreeMap<Role, Plan>,
    random: Random,
    /// Says which run of the test this is.
    told: String,
    /// How many rows each generation has.
    truth: BTreeMap<String, u64>,
    rows: u64,
}

/// Files on this machine, and how the program is started.
pub(crate) struct Desk {
    folder: TempDir,
    /// The repository.
    pub(crate) uri: String,
    /// Where object storage is, if the repository is there.
    pub(crate) server: Option<String>,
}

impl Desk {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.path("cache")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("nightshard.toml")
    }

    /// Returns the program, which reaches object storage at `server`.
    pub(crate) fn program(&self, server: Option<&str>) -> Command {
        let mut command = program::command(None::<&str>);
        command.env("TMPDIR", self.path("tmp"));
        if let Some(server) = server {
            command.env("AWS_ENDPOINT_URL", server);
        }
        command
    }

    /// Returns the program, which reaches object storage itself.
    pub(crate) fn straight(&self) -> Command {
        self.program(self.server.as_deref())
    }

    fn run(&self, arguments: &[OsString]) -> Outcome {
        let mut command = self.straight();
        command.args(arguments);
        Outcome::of(command)
    }

    /// Writes an input of so many rows, and the configuration of a night that builds from it.
    fn prepare(&self, rows: u64) {
        let header = "tx_id,store_id,card_id,ts,amount_minor,currency\n";
        let row = |row: u64| {
            let (store, card, day) = (row % 5, row % 7, row % 28 + 1);
            format!("t{row},s{store},c{card},2018-03-{day:02}T12:00:00,{row},EUR\n")
        };
        let rows: String = (0..rows).map(row).collect();
        fs::write(self.path("input.csv"), header.to_owned() + &rows).unwrap();
        let (uri, input, scratch) = (&self.uri, self.path("input.csv"), self.path("scratch"));
        let config = format!(
            "[shards]\nruns = 2\n\n[privacy]\nk = 1\n\n[fetch]\nreserve_bytes = 0\n\n\
             [server]\nstart_patience_ms = 200\n\n\
             [server.scrub]\nbytes_per_second = 1000000000\nround_ms_min = 1\n\n\
             [controller]\nrepository = {uri:?}\n\
             build = [\"--input\", {input:?}, \"--scratch\", {scratch:?}]\n\
             freshness_max_hours = 0\nwatch_seconds = 0\nbackoff_seconds = 0\n\
             clock_error_seconds = 0\n"
        );
        fs::write(self.config(), config).unwrap();
    }

    /// Returns the arguments of a build of what was prepared.
    pub(crate) fn build_into(&self, output: &str) -> Vec<OsString> {
        let (input, config) = (self.path("input.csv"), self.config());
        let paths = [
            ("--input", input),
            ("--config", config),
            ("--scratch", self.path("scratch")),
        ];
        let mut arguments: Vec<OsString> = vec!["build".into(), "--quiet".into()];
        arguments.extend(["--output", output, "--as-of", DAY].map(Into::into));
        for (option, path) in paths {
            arguments.extend([option.into(), path.into_os_string()]);
        }
        arguments
    }

    fn source(&self) -> String {
        self.path("source").to_str().unwrap().to_owned()
    }
}

impl World {
    /// Makes a repository in a local folder.
    pub(crate) fn in_folder(seed: u64) -> Self {
        let desk = Desk::new(None, String::new());
        let root = desk.path("repository");
        let uri = root.to_str().unwrap().to_owned();
        Self::new(Desk { uri, ..desk }, Scene::Folder(root), seed)
    }

    /// Makes one in the object storage at `server`, below `folder`: a bucket and a prefix.
    pub(crate) fn in_storage(server: &str, folder: &str, seed: u64) -> Self {
        let proxy = Proxy::start(server, folder);
        let desk = Desk::new(Some(server.to_owned()), format!("s3://{folder}"));
        let mut world = Self::new(desk, Scene::Proxy(proxy), seed);
        world.fed = Some(Fed::start(&world.desk, Proxy::start(server, folder)));
        world
    }

    fn new(desk: Desk, scene: Scene, seed: u64) -> Self {
        let runtime = Runtime::new().unwrap();
        desk.prepare(ROWS);
        desk.run(&desk.build_into(&desk.uri)).succeeded();
        let mut config = nightshard_storage::Config::default();
        config.s3.endpoint.clone_from(&desk.server);
        let storage = nightshard_storage::open(&desk.uri, &config);
        let storage = runtime.block_on(storage).unwrap();
        let cache = desk.path("observer");
        let observer = serve(desk.straight(), &desk.uri, &cache, &desk.config());
        observer.wait_for("serving generation ");
        let plan = |role: Role| (role, Plan::new(role.steps()));
        let mut world = Self {
            observer: Observer::of(observer),
            fed: None,
            told: format!("seed {seed}, {}", desk.uri),
            repository: Repository::new(Arc::clone(&storage)),
            storage,
            runtime,
            scene,
            desk,
            courses: BTreeMap::new(),
            plans: Role::ALL.into_iter().map(plan).collect(),
            random: Random::new(seed),
            truth: BTreeMap::new(),
            rows: ROWS,
        };
        world.truth.insert(world.current(), ROWS);
        world
    }

    fn current(&self) -> String {
        let current = self.repository.current_generation();
        self.runtime.block_on(current).unwrap().to_string()
    }

    fn previous(&self) -> Option<String> {
        let generations = self.runtime.block_on(self.repository.generations());
        let mut generations = generations.unwrap().into_iter();
        let previous = generations.find(|generation| generation.is_previous);
        previous.map(|previous| previous.id.to_string())
    }

    fn is_bad(&self, generation: &str) -> bool {
        let generation: GenerationId = generation.parse().unwrap();
        let marks = self.runtime.block_on(self.repository.marks()).unwrap();
        marks
            .get(&generation)
            .is_some_and(|mark| mark.mark == Verdict::Bad)
    }

    /// Prepares what a process is to do, and returns its arguments.
    fn arguments(&mut self, role: Role) -> Vec<OsString> {
        let uri = self.desk.uri.clone();
        let texts: Vec<&str> = match role {
            Role::Build => {
                self.add_row();
                return self.desk.build_into(&uri);
            }
            Role::Publish => {
                self.add_row();
                let source = self.desk.source();
                let mut build = self.desk.build_into(&source);
                build.push("--no-gate".into());
                self.desk.run(&build).succeeded();
                return ["publish", &source, &uri].map(Into::into).into();
            }
            Role::Night | Role::NightsBuild => {
                self.add_row();
                let config = self.desk.config().into_os_string();
                let mut night: Vec<OsString> = vec!["controller".into(), "--config".into(), config];
                night.extend(["--once", "--day", DAY].map(Into::into));
                return night;
            }
            Role::Rollback => {
                let previous = self.previous().unwrap();
                return ["rollback", &uri, &previous].map(Into::into).into();
            }
            Role::Reclaim => vec!["reclaim", &uri, "--keep", "0", "--floor-days", "0"],
            Role::Serve => panic!("a server is no command that ends"),
        };
        texts.into_iter().map(Into::into).collect()
    }

    fn add_row(&mut self) {
        self.rows += 1;
        self.desk.prepare(self.rows);
    }

    fn command(&self, arguments: &[OsString]) -> Command {
        let proxy = match &self.scene {
            Scene::Proxy(proxy) => Some(proxy.url()),
            Scene::Folder(_) => None,
        };
        let mut command = self.desk.program(proxy.as_deref());
        command.args(arguments);
        command
    }

    /// Has a process do its work undisturbed, to know how that goes.
    fn learn(&mut self, role: Role) {
        let before = self.current();
        let arguments = self.arguments(role);
        let (outcome, course) = self.scene.run(self.command(&arguments));
        outcome.succeeded();
        self.courses.insert(role, course);
        self.has_done(role, &before);
    }

    /// Kills a process of a kind, and returns whether that was before it ended by itself.
    pub(crate) fn kill(&mut self, role: Role) -> bool {
        if role == Role::Serve {
            return self.kill_server();
        }
        if !self.courses.contains_key(&role) {
            self.learn(role);
        }
        self.is_gone("condemned");
        let before = self.current();
        let arguments = self.arguments(role);
        let plan = self.plans.get_mut(&role).unwrap();
        let moment = plan.next(&self.courses[&role], &mut self.random);
        let victim = match role {
            Role::NightsBuild => Victim::Child,
            _ => Victim::Itself,
        };
        let killed = self.scene.kill(self.command(&arguments), moment, victim);
        let told = format!("{}, {role:?} at {moment:?}: {killed:?}", self.told);
        let during = self.observer.generation();
        if role == Role::NightsBuild || !killed.in_time {
            assert_eq!(killed.outcome.code, Some(0), "{told}");
        } else {
            self.run_again(&arguments, &told);
        }
        let after = self.has_done(role, &before);
        assert!(
            [&before, &after].contains(&&during),
            "{during} during {told}"
        );
        if killed.in_time {
            let plan = self.plans.get_mut(&role).unwrap();
            plan.hits.count(&killed.step);
        }
        killed.in_time
    }

    /// Runs what was killed again, once the dead hold no lease any more.
    fn run_again(&self, arguments: &[OsString], told: &str) {
        self.is_gone("leases");
        let (again, _) = self.scene.run(self.command(arguments));
        assert_eq!(again.code, Some(0), "{again:?} after {told}");
    }

    /// Lets so much time pass that what the dead wrote in a folder counts no more: what they have
    /// condemned is waited for, for five minutes.
    fn is_gone(&self, folder: &str) {
        let passed = async {
            for object in self.storage.list(&folder.parse().unwrap()).await.unwrap() {
                self.storage.delete(&object.name).await.unwrap();
            }
        };
        self.runtime.block_on(passed);
    }

    /// Checks that a process did its work and that it is served, and returns what is current.
    fn has_done(&mut self, role: Role, before: &str) -> String {
        let after = self.current();
        let told = format!("{}, {role:?}", self.told);
        match role {
            Role::Reclaim => assert_eq!(after, before, "{told}"),
            Role::Rollback => {
                assert_ne!(after, before, "{told}");
                assert!(self.is_bad(before), "{told}: {before} is not marked");
            }
            _ => {
                assert_ne!(after, before, "{told}");
                self.truth.insert(after.clone(), self.rows);
            }
        }
        self.observer.wait_for(&after);
        after
    }

    fn kill_server(&mut self) -> bool {
        self.is_gone("condemned");
        self.add_row();
        let mut build = self.desk.build_into(&self.desk.uri);
        build.extend(["--no-select", "--json"].map(Into::into));
        let before = self.current();
        let built = self.desk.run(&build).succeeded().json();
        let target = built["generation"].as_str().unwrap();
        self.truth.insert(target.to_owned(), self.rows);
        let fed = self.fed.as_mut().expect("there is object storage");
        fed.serves(&before);
        let plan = self.plans.get_mut(&Role::Serve).unwrap();
        let moment = plan.next(fed.course(), &mut self.random);
        let select: [OsString; 3] = ["select", &self.desk.uri, target].map(Into::into);
        let step = fed.kill(moment, target, || {
            self.desk.run(&select).succeeded();
        });
        plan.hits.count(&step);
        assert_eq!(self.current(), target);
        self.observer.wait_for(target);
        let fed = self.fed.as_mut().unwrap();
        fed.restarts(&self.desk, &before, target);
        true
    }

    /// Checks that nothing is left of all who were killed once a week has passed, and says how many
    /// kills fell where.
    pub(crate) fn ends_clean(mut self) {
        self.observer.saw_nothing_but(&self.truth);
        for (role, plan) in &self.plans {
            println!("{role:?}: {}", plan.hits);
            if matches!(self.scene, Scene::Proxy(_)) {
                plan.was_carried_out(&format!("{}, {role:?}", self.told));
            }
        }
        let kept = ["scratch", "tmp", "repository", "source"].map(|name| self.desk.path(name));
        kept.iter()
            .filter(|path| path.is_dir())
            .for_each(|path| litter::age(path));
        match &self.scene {
            Scene::Proxy(_) => {
                let later = litter::reclaim_later(Arc::clone(&self.storage));
                self.runtime.block_on(later);
            }
            Scene::Folder(_) => {
                let reclaim = ["reclaim", &self.desk.uri].map(Into::into);
                self.desk.run(&reclaim).succeeded();
            }
        }
        // Whoever works next clears up.
        self.learn(Role::Publish);
        self.learn(Role::Build);
        let verify = ["verify", &self.desk.uri, "--quiet"].map(Into::into);
        self.desk.run(&verify).succeeded();
        let clean = litter::is_clean(&*self.storage, &self.repository);
        self.runtime.block_on(clean);
        // It fetches what came last, unless it has already.
        if let Some(fed) = &self.fed {
            fed.settles(&self.current());
        }
        // What a server remembers of a swap is written after it.
        let of_observer = self.desk.path("observer/tmp");
        wait_until("tmp is empty", || litter::left_in(&of_observer).is_empty());
        for name in [
            "scratch",
            "tmp",
            "repository/tmp",
            "source/tmp",
            "cache/tmp",
            "observer/tmp",
        ] {
            let left = litter::left_in(&self.desk.path(name));
            assert_eq!(left, Vec::<PathBuf>::new(), "{}", self.told);
        }
    }
}

impl Desk {
    fn new(server: Option<String>, uri: String) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["scratch", "tmp"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        Self {
            folder,
            uri,
            server,
        }
    }
}

/// Returns what a cache says was served last from it.
pub(crate) fn served_last(cache: &Path) -> Option<String> {
    let bytes = fs::read(cache.join("served.json")).ok()?;
    let served: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    served["generation"].as_str().map(str::to_owned)
}
