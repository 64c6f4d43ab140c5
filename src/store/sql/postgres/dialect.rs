use crate::store::sql::syntax::Syntax;

pub(crate) const SYNTAX: Syntax = Syntax {
    numbered: true,
    least: "LEAST",
    no_wait: NO_WAIT,
    load: LOAD,
    replace_several: REPLACE_SEVERAL,
    look: LOOK,
    delete: DELETE,
    delete_user: DELETE_USER,
    regenerate: REGENERATE,
    sweep: SWEEP,
    sweep_batch: u64::MAX,
    postpone: POSTPONE,
    schema: SCHEMA,
    #[cfg(feature = "flask")]
    casts: ["TEXT", "BIGINT", "TIMESTAMP"],
};

/// Statements share connections: one that waits for a row holds up those behind it. So it fails after a moment, to be
/// sent again where it holds up fewer. The limit is set by the statement itself, for its own transaction, since behind a
/// pooler in transaction mode a `SET` would be another client's. The condition is evaluated for the row that was found,
/// before it is locked.
const NO_WAIT: &str = " AND set_config('lock_timeout', '50', true) IS NOT NULL";

/// Of sessions that are loaded at the same moment.
const LOAD: &str = "SELECT version, expires_at, record, handle FROM {table} WHERE handle = ANY($1)";

/// Of sessions that are written at the same moment, each once.
const REPLACE_SEVERAL: &str = "\
UPDATE {table} AS t SET version = w.version, user_id = w.user_id, expires_at = w.expires_at, \
sweep_at = LEAST(t.sweep_at, w.expires_at), tombstone = w.tombstone, record = w.record \
FROM unnest($1, $2, $3, $4, $5, $6, $7) \
AS w (handle, expected, version, user_id, expires_at, tombstone, record) \
WHERE t.handle = w.handle AND t.version = w.expected{no_wait} RETURNING t.handle";

const LOOK: &str = "\
SELECT CASE WHEN tombstone THEN -version ELSE version END, expires_at, handle FROM {table} \
WHERE handle IN (SELECT json_array_elements_text($1::json))";

/// Tells those who watch the session, as all statements do that end one. None that only changes one does, since `NOTIFY`
/// takes a lock on the whole database at the commit.
const DELETE: &str = "\
WITH ended AS ({delete} RETURNING handle) \
SELECT pg_notify('{table}', 'logged_out ' || handle) FROM ended";

const DELETE_USER: &str = "\
WITH ended AS ({delete_user} RETURNING handle) \
SELECT pg_notify('{table}', 'revoked ' || handle) FROM ended";

/// If the new handle is in use the insert fails, and the update is rolled back with it.
const REGENERATE: &str = "\
WITH ended AS ({replace} RETURNING handle), \
told AS (SELECT pg_notify('{table}', 'moved ' || handle) FROM ended) \
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
SELECT $8, $9, $10, $11, $11, $12, $13 FROM told";

/// `ARRAY(…)`, so that the due rows are looked up once and not again for each row.
const SWEEP: &str = "\
DELETE FROM {table} WHERE expires_at <= $1 AND handle = ANY(ARRAY(\
SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

const POSTPONE: &str = "\
UPDATE {table} SET sweep_at = expires_at WHERE expires_at > $1 AND handle = ANY(ARRAY(\
SELECT handle FROM {table} WHERE sweep_at <= $1 ORDER BY sweep_at LIMIT $2 FOR UPDATE SKIP LOCKED))";

/// Sent as one query, and so run in one transaction. The advisory lock (an arbitrary number) serialises concurrent
/// migrations, in which `IF NOT EXISTS` alone can fail. The fill factor leaves room for HOT updates. The record is TEXT,
/// as JSONB would reorder keys, normalise numbers and refuse NUL.
const SCHEMA: &str = "\
SELECT pg_advisory_xact_lock(7598805623970523);
CREATE TABLE IF NOT EXISTS {table} (
    handle TEXT COLLATE \"C\" PRIMARY KEY,
    version BIGINT NOT NULL,
    user_id TEXT COLLATE \"C\",
    expires_at BIGINT NOT NULL,
    sweep_at BIGINT NOT NULL,
    tombstone BOOLEAN NOT NULL,
    record TEXT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX IF NOT EXISTS {table}_user_id ON {table} (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS {table}_sweep_at ON {table} (sweep_at);
";
