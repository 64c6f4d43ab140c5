/// The SQL in which the engines differ.
///
/// In the templates `{table}` stands for the table, and `{replace}` for the statement that replaces a record.
#[derive(Debug)]
pub(crate) struct Syntax {
    /// Whether placeholders are numbered: `$1` instead of `?`.
    pub(super) numbered: bool,
    /// The function that returns the smallest of its arguments.
    pub(super) least: &'static str,
    /// A condition that is always true, and limits how long the statement waits for a row that another transaction has
    /// locked. Empty where a waiting statement holds up no other.
    pub(super) no_wait: &'static str,
    /// Selects version, expiry and record of a session; of several where the executor loads them by one statement, and
    /// then the handle too.
    pub(super) load: &'static str,
    /// As `{replace}`, of several sessions, whose values are in arrays; returns the handles of those that had the expected
    /// version. Empty where the executor replaces each by itself.
    pub(super) replace_several: &'static str,
    /// Selects version (negative for a tombstone), expiry and handle of the sessions in a JSON array.
    pub(super) look: &'static str,
    /// Ends a session.
    pub(super) delete: &'static str,
    /// Ends all sessions of a user, but one.
    pub(super) delete_user: &'static str,
    /// Moves a session to a new id. Parameters 1 to 7 are those of `{replace}` and turn the old row into a tombstone;
    /// the others are the new row.
    pub(super) regenerate: &'static str,
    /// Looks at a batch of due rows (`sweep_at` has passed) and deletes those that have expired.
    pub(super) sweep: &'static str,
    /// How many rows one statement sweeps at most. Few, where a statement that writes keeps all other writes waiting.
    pub(super) sweep_batch: u64,
    /// Looks at a batch of due rows and moves `sweep_at` of those that are still alive to their expiry.
    pub(super) postpone: &'static str,
    /// Creates the table and its indexes.
    pub(super) schema: &'static str,
    /// The types of a text, of a number of 64 bits and of a time, as `CAST` names them.
    #[cfg(feature = "flask")]
    pub(super) casts: [&'static str; 3],
}
