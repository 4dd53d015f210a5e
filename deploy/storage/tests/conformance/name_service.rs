//! A name service of HDFS: two NameNodes, of which now one and now the other is active.

use std::{
    fs,
    io::Write,
    net::TcpStream,
    path::{Path, PathBuf},
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use nightshard_storage::{Config, Storage, open_or_create};

use crate::{
    content, name, names, names_in, nothing_is_unfinished,
    servers::{self, Hdfs},
    suite::{conforms, long_files_are_stored_and_read_in_parts},
};

/// The variable of the cluster's folder.
const FOLDER: &str = "NIGHTSHARD_TEST_NAME_SERVICE";

/// So long that a file is still being written when its NameNode is killed.
const LONG: usize = (100 << 20) + 7;

#[test]
fn a_name_service_conforms_and_fails_over() {
    let mut cluster = Hdfs::start_pair();
    // The configuration comes from a process's environment alone.
    in_name_service(&cluster, "sync_every_block");
    in_name_service(&cluster, "conform_in_name_service");
    servers::kill_node(cluster.folder(), "datanode-1");
    in_name_service(&cluster, "write_beside_a_dead_datanode");
    cluster.start_again("datanode-1");
    in_name_service(&cluster, "fail_over_to_the_second");
    cluster.start_again("namenode-1");
    in_name_service(&cluster, "fail_over_to_the_first_while_the_second_hangs");
}

/// Runs a test in a process of its own, which finds the name service.
fn in_name_service(cluster: &Hdfs, test: &str) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("name_service::{test}")]);
    child.args(["--ignored", "--nocapture"]);
    child.env("HADOOP_CONF_DIR", cluster.conf());
    child.env(FOLDER, cluster.folder());
    let output = child.output().unwrap();
    let [said, failure] = [output.stdout, output.stderr].map(String::from_utf8);
    assert!(
        output.status.success() && said.as_ref().unwrap().contains("1 passed"),
        "{test}: {said:?} {failure:?}"
    );
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

async fn fresh() -> Arc<dyn Storage> {
    let uri = format!("hdfs://nightshard/{:016x}", getrandom::u64().unwrap());
    let config = Config {
        stall_ms: 2_000.try_into().unwrap(),
        ..Config::default()
    };
    open_or_create(&uri, &config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_name_service_conforms_and_fails_over runs this"]
async fn conform_in_name_service() {
    let files = tempfile::tempdir().unwrap();
    let mut storages = Vec::new();
    for _ in 0..20 {
        storages.push(fresh().await);
    }
    let storages = Mutex::new(storages);
    conforms(|| storages.lock().unwrap().pop().unwrap(), files.path()).await;
    long_files_are_stored_and_read_in_parts(&*fresh().await, files.path()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_name_service_conforms_and_fails_over runs this"]
async fn sync_every_block() {
    let blocks = LONG.div_ceil(16 << 20) as u64;
    write_long(fresh().await).await.unwrap();
    // Nothing was written before. Metrics are ten seconds late.
    for node in ["datanode-1", "datanode-2"] {
        servers::wait_until("every block is synced", || syncs(node) >= blocks);
    }
}

/// Returns how often a DataNode has synced what it wrote, as its metrics say.
fn syncs(node: &str) -> u64 {
    let arguments = fs::read_to_string(folder().join(format!("{node}.arguments"))).unwrap();
    let mut lines = arguments.lines();
    let address = lines.find_map(|line| line.strip_prefix("dfs.datanode.http.address="));
    let mut stream = TcpStream::connect(address.unwrap()).unwrap();
    let metrics = "/jmx?qry=Hadoop:service=DataNode,name=DataNodeActivity*";
    let headers = "Host: localhost\r\nConnection: close\r\n\r\n";
    write!(stream, "GET {metrics} HTTP/1.1\r\n{headers}").unwrap();
    let answer = std::io::read_to_string(stream).unwrap();
    let (_, count) = answer.split_once("\"FsyncCount\" : ").unwrap();
    let digits = count.split(|letter: char| !letter.is_ascii_digit()).next();
    digits.unwrap().parse().unwrap()
}

/// As many DataNodes as replicas: the dead one is offered for every block.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_name_service_conforms_and_fails_over runs this"]
async fn write_beside_a_dead_datanode() {
    let storage = fresh().await;
    let written = write_long(storage.clone()).await.unwrap();
    let read = storage.get(&name("a/long"), LONG as u64).await.unwrap();
    assert!(read.unwrap() == written);
    nothing_is_unfinished(&*storage).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_name_service_conforms_and_fails_over runs this"]
async fn fail_over_to_the_second() {
    goes_on_when(
        |folder| servers::kill_node(folder, "namenode-1"),
        "namenode-2",
    )
    .await;
}

/// What hangs accepts connections, and never says that it is not the active one any more.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a_name_service_conforms_and_fails_over runs this"]
async fn fail_over_to_the_first_while_the_second_hangs() {
    let hang = |folder: &Path| servers::signal_node(folder, "namenode-2", "-STOP");
    goes_on_when(hang, "namenode-1").await;
}

/// Checks that whoever writes and lists while the active NameNode is lost gets done.
async fn goes_on_when(lose: impl FnOnce(&Path), next: &'static str) {
    let (folder, storage) = (folder(), fresh().await);
    storage.create(&name("a/before"), "x".into()).await.unwrap();
    let (lister, has_ended) = list_without_end(storage.clone());
    let writer = write_long(storage.clone());
    let at_work = || servers::bytes_being_written(&folder) > 1 << 20;
    tokio::task::block_in_place(|| {
        servers::wait_until("a block is being written", at_work);
        lose(&folder);
        servers::fail_over(&folder, next);
    });
    let written = writer.await.unwrap();
    has_ended.store(true, Ordering::Relaxed);
    let listings = lister.await.unwrap();
    assert!(listings > 0);
    let long = name("a/long");
    let read = storage.get(&long, LONG as u64).await.unwrap().unwrap();
    assert!(read == written);
    assert_eq!(
        names_in(&*storage, "a").await,
        names(&["a/before", "a/long"])
    );
    // What the writer could not clear while nobody answered is cleared when it is old.
    let late = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(10_000_000_000);
    storage.clear_unfinished(late).await.unwrap();
    nothing_is_unfinished(&*storage).await;
}

/// Lists until told to end: a file is there whole or not at all. Returns how often.
fn list_without_end(
    storage: Arc<dyn Storage>,
) -> (tokio::task::JoinHandle<usize>, Arc<AtomicBool>) {
    let has_ended = Arc::new(AtomicBool::new(false));
    let end = has_ended.clone();
    let lister = tokio::spawn(async move {
        let mut listings = 0;
        while !end.load(Ordering::Relaxed) {
            for object in storage.list(&name("a")).await.unwrap() {
                let len_bytes = if object.name == name("a/long") {
                    LONG as u64
                } else {
                    1
                };
                assert_eq!(object.len_bytes, len_bytes, "{}", object.name);
            }
            listings += 1;
        }
        listings
    });
    (lister, has_ended)
}

/// Writes a file of many blocks, and returns what is in it.
fn write_long(storage: Arc<dyn Storage>) -> tokio::task::JoinHandle<Vec<u8>> {
    tokio::spawn(async move {
        let files = tempfile::tempdir().unwrap();
        let (file, content) = (files.path().join("long"), content(LONG));
        fs::write(&file, &content).unwrap();
        let created = storage.create_from_file(&name("a/long"), &file).await;
        // The answer to its rename may have been lost: then it is there all the same.
        if let Err(error) = created {
            assert_eq!(
                error.kind(),
                nightshard_storage::ErrorKind::Conflict,
                "{error}"
            );
        }
        content
    })
}
