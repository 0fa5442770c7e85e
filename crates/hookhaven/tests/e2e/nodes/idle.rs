//! Nodes with nothing to do leave the database alone.

use hookhaven_load::gateway::poll;
use hookhaven_testbed::{Cluster, ClusterOptions};

use super::*;
use crate::support::PATIENCE;

/// A node's sign of life, which it gives every 10 s.
const BEAT: &str = "INSERT INTO hookhaven.nodes";
const NODES: usize = 3;
/// What all of them together may ask between two beats of each, bookkeeping of transactions apart: five a
/// second.
const QUERIES_MAX: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_idle_nodes_ask_less_than_five_things_a_second() {
    let settings = [("log_statement", "all"), ("log_line_prefix", "%a|")];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    let cluster = Cluster::start(ClusterOptions { settings, ..ClusterOptions::default() }).expect("a server");
    let database = cluster.databases().create().expect("a database");
    let handler = Handler::answering(200).await;
    let _nodes = nodes(&database, ["ingest", "worker", "worker"], &config(&handler, "").replace("5s", "30s")).await;
    // What a start takes, partitions of the coming days included, is over when each has beaten twice more.
    let beats = |log: &str| log.matches(BEAT).count();
    let until = async |count: usize| {
        let found = poll(PATIENCE, async || Some(cluster.log_text()).filter(|log| beats(log) >= count)).await;
        found.unwrap_or_else(|| panic!("no further sign of life\n{}", cluster.log_text()))
    };
    let begun = until(beats(&cluster.log_text()) + 2 * NODES).await;
    let (from, end) = (begun.len(), until(beats(&begun) + NODES).await);
    let said = &end[from..];
    let asked = said.lines().filter(|line| line.starts_with("hookhaven|LOG:  ") || line.starts_with("hookhaven|LOG: "));
    let is_query = |line: &&str| ![": BEGIN", ": COMMIT"].iter().any(|word| line.contains(word));
    let queries: Vec<&str> = asked.filter(is_query).collect();
    assert!(queries.len() >= NODES, "the log is not what it was taken for:\n{said}");
    assert!(
        queries.len() <= QUERIES_MAX,
        "{} queries between two beats of each:\n{}",
        queries.len(),
        queries.join("\n")
    );
}
