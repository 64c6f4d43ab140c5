//! What the system knows of a process.

use std::{collections::HashSet, fs};

/// At one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figures {
    pub(crate) threads: usize,
    /// Descriptors but connections to the database.
    pub(crate) descriptors: usize,
    pub(crate) database_connections: usize,
}

pub(crate) fn figures(pid: u32, database: u16) -> Figures {
    let to_database = sockets_to(pid, database);
    let descriptors = targets(pid);
    let database_connections = descriptors
        .iter()
        .filter(|target| to_database.contains(*target))
        .count();
    Figures {
        threads: count(&format!("/proc/{pid}/task")),
        descriptors: descriptors.len() - database_connections,
        database_connections,
    }
}

/// In KiB.
pub(crate) fn memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.expect("a number of KiB")
}

pub(crate) fn descriptors(pid: u32) -> usize {
    count(&format!("/proc/{pid}/fd"))
}

fn count(folder: &str) -> usize {
    fs::read_dir(folder).expect("it runs").count()
}

fn targets(pid: u32) -> Vec<String> {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    let targets = entries.flatten().map(|entry| fs::read_link(entry.path()));
    // One may be closed meanwhile.
    targets
        .flatten()
        .map(|target| target.display().to_string())
        .collect()
}

/// As the links of descriptors name them.
fn sockets_to(pid: u32, port: u16) -> HashSet<String> {
    let table = fs::read_to_string(format!("/proc/{pid}/net/tcp")).expect("it runs");
    let port = format!(":{port:04X}");
    let sockets = table.lines().filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let inode = fields.get(9)?;
        fields[2]
            .ends_with(&port)
            .then(|| format!("socket:[{inode}]"))
    });
    sockets.collect()
}
