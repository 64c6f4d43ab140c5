/// What may be wrong with the world around the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The store replaces any version.
    NoVersionCheck,
    /// A session that moves stays under its old id.
    NoTombstone,
    /// The store replaces what is not there.
    ReplaceInserts,
    TouchPostponesTheAbsoluteEnd,
    /// The store says of a session that has moved that it was touched.
    TouchAnswersForATombstone,
    /// A commit in doubt is begun again, without a look.
    DoubtIsTakenForFailure,
    /// The cache keeps that there is no session, and answers a commit's look-up by it.
    CacheKeepsGone,
    CacheKeepsForever,
    /// Also of a session that may have moved since.
    EachResponseSetsTheCookie,
}
