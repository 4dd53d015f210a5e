//! HDFS one of whose DataNodes is killed while a generation is published.

use nightshard_storage::Config;

use crate::{
    publishing::{BLOBS, Commands, Local, Patience, nothing_else_is_stored},
    support::{
        random::{self, Random},
        servers::{self, Hdfs},
    },
};

/// How many publishes lose a DataNode.
const KILLS: usize = 3;

/// There are as many DataNodes as replicas are wanted, so that the dead one is offered for every
/// block until the NameNode finds out, which takes ten minutes.
#[test]
fn a_publish_goes_on_without_a_datanode_that_was_killed() {
    let seed = random::seed(61);
    let mut random = Random::new(seed);
    let mut cluster = Hdfs::start();
    let commands = Commands::new(&[]);
    for kill in 0..KILLS {
        let repository = format!("{}/{kill}", cluster.url());
        let local = Local::with_long_blobs(random.next());
        let node = random.pick(&["datanode-1", "datanode-2"]);
        let moment = 1 + random.below(20 << 20) as u64;
        eprintln!("NIGHTSHARD_TEST_SEED={seed}, kill {kill}: {node} at {moment}");
        let mut publishing = commands.publish(&local, &repository, Patience::Much);
        servers::wait_until("blocks are being written", || {
            servers::bytes_being_written(cluster.folder()) >= moment
        });
        publishing.goes_on();
        servers::kill_node(cluster.folder(), node);
        publishing.outcome().succeeded();
        commands.verifies(&repository);
        nothing_else_is_stored(&repository, &Config::default(), BLOBS);
        cluster.start_again(node);
    }
}
