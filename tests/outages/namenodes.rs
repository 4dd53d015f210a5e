//! HDFS whose active NameNode is killed, or hangs, while a generation is published.

use nightshard_storage::Config;

use crate::{
    publishing::{BLOBS, Commands, Local, Patience, nothing_else_is_stored},
    support::{
        random::{self, Random},
        servers::{self, Hdfs},
    },
};

/// How the active NameNode is lost.
#[derive(Debug, Clone, Copy)]
enum Loss {
    Killed,
    Hanging,
}

/// Loses `active`, and makes `next` the active one.
fn fail_over(cluster: &Hdfs, loss: Loss, active: &str, next: &str) {
    match loss {
        Loss::Killed => servers::kill_node(cluster.folder(), active),
        Loss::Hanging => servers::signal_node(cluster.folder(), active, "-STOP"),
    }
    servers::fail_over(cluster.folder(), next);
}

#[test]
fn a_publish_goes_on_through_a_failover_and_one_without_patience_can_be_run_again() {
    let seed = random::seed(60);
    let mut random = Random::new(seed);
    let mut cluster = Hdfs::start_pair();
    let commands = commands(&cluster);
    let mut nodes = ["namenode-1", "namenode-2"];
    for loss in [Loss::Killed, Loss::Hanging] {
        let [active, next] = nodes;
        let repository = format!("hdfs://nightshard/{loss:?}");
        let local = Local::with_long_blobs(random.next());
        let moment = 1 + random.below(20 << 20) as u64;
        eprintln!("NIGHTSHARD_TEST_SEED={seed}: {active} {loss:?} at {moment}");
        let mut publishing = commands.publish(&local, &repository, Patience::Much);
        wait_for_bytes(&cluster, moment);
        publishing.goes_on();
        fail_over(&cluster, loss, active, next);
        publishing.outcome().succeeded();
        commands.verifies(&repository);
        let folder = format!("{}/{loss:?}", cluster.namenode_url(next));
        nothing_else_is_stored(&folder, &Config::default(), BLOBS);
        cluster.start_again(active);
        nodes.reverse();
    }
    without_patience(&mut cluster, &commands, nodes);
}

/// Nobody makes the other NameNode the active one before the publisher has given up.
fn without_patience(cluster: &mut Hdfs, commands: &Commands, [active, next]: [&str; 2]) {
    let repository = "hdfs://nightshard/given-up";
    let first = Local::with_one_row();
    commands
        .publish(&first, repository, Patience::Much)
        .outcome()
        .succeeded();
    let local = Local::with_long_blobs(1);
    let mut publishing = commands.publish(&local, repository, Patience::Little);
    wait_for_bytes(cluster, 1 << 20);
    publishing.goes_on();
    servers::kill_node(cluster.folder(), active);
    publishing
        .outcome()
        .failed(1, &[&format!("in {repository}: given up after ")]);
    servers::fail_over(cluster.folder(), next);

    // What was published before is whole and current, and nobody sees a trace of the other.
    commands.verifies(repository);
    let listed = commands.run(&["generations", repository, "--json"], Patience::Much);
    let listed = listed.succeeded().json();
    assert_eq!(
        listed["generations"].as_array().unwrap().len(),
        1,
        "{listed}"
    );
    commands
        .publish(&local, repository, Patience::Much)
        .outcome()
        .succeeded();
    commands.verifies(repository);
    let folder = format!("{}/given-up", cluster.namenode_url(next));
    nothing_else_is_stored(&folder, &Config::default(), 1 + BLOBS);
}

fn commands(cluster: &Hdfs) -> Commands {
    let conf = cluster.conf().display().to_string();
    Commands::new(&[("HADOOP_CONF_DIR", conf)])
}

/// Waits until so many bytes of blocks that are not finished are on the DataNodes.
fn wait_for_bytes(cluster: &Hdfs, bytes: u64) {
    servers::wait_until("blocks are being written", || {
        servers::bytes_being_written(cluster.folder()) >= bytes
    });
}
