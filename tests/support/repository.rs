//! A repository in a temporary folder, built by the program.

use std::{
    ffi::{OsStr, OsString},
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use tempfile::TempDir;

use super::program::{self, Outcome};

/// A repository, and a folder for the scratch files of its builds.
pub(crate) struct TestRepository {
    folder: PathBuf,
    _temporary: Option<TempDir>,
}

impl TestRepository {
    /// Makes the folders; the first build makes the repository.
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let repository = Self::in_folder(temporary.path());
        Self {
            _temporary: Some(temporary),
            ..repository
        }
    }

    /// Makes the folders in a folder that somebody else removes.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        fs::create_dir(folder.join("scratch")).unwrap();
        Self {
            folder: folder.to_owned(),
            _temporary: None,
        }
    }

    /// Returns the repository's folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("repository")
    }

    /// Returns the folder of the builds' scratch files.
    pub(crate) fn scratch(&self) -> PathBuf {
        self.folder.join("scratch")
    }

    /// Writes a file beside the repository.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.folder.join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// Returns a configuration by which places and the market are told exactly, as stores are.
    fn open_config(&self) -> PathBuf {
        self.write("open.toml", "[privacy]\nk = 1\n")
    }

    /// Returns the arguments of a build into this repository; all is told where no option configures it.
    pub(crate) fn build_arguments<I>(&self, inputs: I, options: &[&str]) -> Vec<OsString>
    where
        I: IntoIterator<Item: AsRef<Path>>,
    {
        let mut arguments: Vec<OsString> = vec!["build".into(), "--input".into()];
        arguments.extend(inputs.into_iter().map(|input| input.as_ref().into()));
        arguments.extend(["--output".into(), self.path().into()]);
        arguments.extend(["--scratch".into(), self.scratch().into()]);
        if !options.contains(&"--config") {
            arguments.extend(["--config".into(), self.open_config().into()]);
        }
        arguments.extend(options.iter().map(OsString::from));
        arguments
    }

    /// Runs a quiet build into this repository.
    pub(crate) fn build<I>(&self, inputs: I, options: &[&str]) -> Outcome
    where
        I: IntoIterator<Item: AsRef<Path>>,
    {
        let mut arguments = self.build_arguments(inputs, options);
        arguments.push("--quiet".into());
        program::run(arguments)
    }

    /// Builds into this repository and returns what `--json` says of it.
    #[track_caller]
    pub(crate) fn build_json<I>(&self, inputs: I, options: &[&str]) -> Value
    where
        I: IntoIterator<Item: AsRef<Path>>,
    {
        let options: Vec<&str> = options.iter().copied().chain(["--json"]).collect();
        self.build(inputs, &options).succeeded().json()
    }

    /// Runs another command on this repository.
    pub(crate) fn run(&self, command: &str, arguments: &[&str]) -> Outcome {
        let path = self.path();
        let arguments = arguments.iter().map(OsStr::new);
        program::run(
            [OsStr::new(command), path.as_os_str()]
                .into_iter()
                .chain(arguments),
        )
    }

    /// Returns the id of the current generation.
    #[track_caller]
    pub(crate) fn current(&self) -> String {
        let generations = self.generations();
        let current = generations
            .iter()
            .find(|row| row["is_current"] == true)
            .unwrap();
        current["generation"].as_str().unwrap().to_owned()
    }

    /// Returns what `generations --json` says of each generation.
    #[track_caller]
    pub(crate) fn generations(&self) -> Vec<Value> {
        let mut listed = self.run("generations", &["--json"]).succeeded().json();
        serde_json::from_value(listed["generations"].take()).unwrap()
    }

    /// Returns the manifest of a generation.
    pub(crate) fn manifest(&self, generation: &str) -> Value {
        let path = self.generation_path(generation).join("manifest.json");
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    }

    /// Returns the lines of a generation's quarantine file below its header, sorted, without the
    /// folder of the files named.
    pub(crate) fn quarantine(&self, generation: &str) -> Vec<String> {
        let path = self
            .generation_path(generation)
            .join("reports/quarantine.csv");
        let text = fs::read_to_string(path).unwrap();
        let (header, rows) = text.split_once('\n').unwrap();
        assert_eq!(header, "file,line,field,reason");
        let without_folder = |row: &str| match row.split_once(',') {
            Some((file, rest)) => format!("{},{rest}", file.rsplit('/').next().unwrap()),
            None => row.to_owned(),
        };
        let mut rows: Vec<String> = rows.lines().map(without_folder).collect();
        rows.sort();
        rows
    }

    /// Returns everything but blobs that the repository holds, as text.
    pub(crate) fn texts(&self) -> Vec<(PathBuf, String)> {
        let mut texts = Vec::new();
        let blobs = self.path().join("blobs");
        for path in files_below(&self.path()) {
            if !path.starts_with(&blobs) {
                let bytes = fs::read(&path).unwrap();
                texts.push((path, String::from_utf8_lossy(&bytes).into_owned()));
            }
        }
        texts
    }

    /// Returns what lies in the folders where nothing is to be left behind.
    pub(crate) fn litter(&self) -> Vec<PathBuf> {
        let folders = [self.path().join("tmp"), self.scratch()];
        let entries = folders
            .iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn generation_path(&self, generation: &str) -> PathBuf {
        self.path().join("generations").join(generation)
    }
}

/// Returns all files below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_below(&path));
        } else {
            files.push(path);
        }
    }
    files
}
