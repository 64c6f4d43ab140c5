/// What an error of a server means depends on what leads to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Topology {
    Single,
    Sentinel,
    Cluster,
}
