use std::sync::Arc;

use super::syntax::Syntax;
use crate::error::ConfigError;

/// Every statement that a store sends. Each method of the store is one statement, which is atomic by itself: there is
/// no transaction that a dropped future, a lost connection or a slow task could leave open.
#[derive(Debug, Clone)]
pub(super) struct Statements {
    pub(super) create: Statement,
    pub(super) load: Statement,
    pub(super) version: Statement,
    pub(super) is_session: Statement,
    pub(super) replace: Statement,
    /// Several sessions' rows, where the executor replaces them by one statement.
    #[cfg_attr(
        not(feature = "postgres"),
        allow(dead_code, reason = "a pool replaces each by itself")
    )]
    pub(super) replace_several: Statement,
    pub(super) touch: Statement,
    pub(super) delete: Statement,
    pub(super) regenerate: Statement,
    pub(super) sweep: Statement,
    pub(super) postpone: Statement,
    pub(super) list: Statement,
    pub(super) delete_user: Statement,
    pub(super) user_has_sessions: Statement,
    pub(super) count: Statement,
    pub(super) count_expired: Statement,
    /// Fails unless the table has all columns, and the user may read them.
    pub(super) is_there: Statement,
    pub(super) scan: Statement,
    pub(super) look: Statement,
    pub(super) table: String,
    /// Creates the table and its indexes.
    pub(super) schema: String,
}

/// A statement's SQL, and which value each placeholder takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Statement {
    pub(super) sql: Arc<str>,
    /// For each placeholder, the index of its value.
    pub(super) order: Vec<usize>,
}

impl Statements {
    pub(super) fn new(syntax: &Syntax, table: &str) -> Self {
        let statement = |template: &str| Statement::new(syntax, table, template);
        Self {
            create: statement(CREATE),
            load: statement(syntax.load),
            version: statement(VERSION),
            is_session: statement(IS_SESSION),
            replace: statement(REPLACE),
            replace_several: statement(syntax.replace_several),
            touch: statement(TOUCH),
            delete: statement(syntax.delete),
            regenerate: statement(syntax.regenerate),
            sweep: statement(syntax.sweep),
            postpone: statement(syntax.postpone),
            list: statement(LIST),
            delete_user: statement(syntax.delete_user),
            user_has_sessions: statement(USER_HAS_SESSIONS),
            count: statement(COUNT),
            count_expired: statement(COUNT_EXPIRED),
            is_there: statement(IS_THERE),
            scan: statement(SCAN),
            look: statement(syntax.look),
            table: table.to_owned(),
            schema: syntax.schema.replace("{table}", table),
        }
    }
}

const CREATE: &str = "\
INSERT INTO {table} (handle, version, user_id, expires_at, sweep_at, tombstone, record) \
VALUES ($1, $2, $3, $4, $4, $5, $6)";

#[cfg(any(feature = "sqlite", feature = "mysql"))]
pub(super) const LOAD: &str = "SELECT version, expires_at, record FROM {table} WHERE handle = $1";

const VERSION: &str = "SELECT version FROM {table} WHERE handle = $1";

const IS_SESSION: &str = "SELECT version FROM {table} WHERE handle = $1 AND NOT tombstone";

const REPLACE: &str = "\
UPDATE {table} SET version = $3, user_id = $4, expires_at = $5, sweep_at = {least}(sweep_at, $5), \
tombstone = $6, record = $7 \
WHERE handle = $1 AND version = $2{no_wait}";

const TOUCH: &str = "\
UPDATE {table} SET expires_at = $2 WHERE handle = $1 AND expires_at < $2 AND NOT tombstone{no_wait}";

const DELETE: &str = "DELETE FROM {table} WHERE handle = $1 AND NOT tombstone{no_wait}";

const LIST: &str = "SELECT version, expires_at, record, handle FROM {table} WHERE user_id = $1";

const DELETE_USER: &str = "DELETE FROM {table} WHERE user_id = $1 AND handle <> $2{no_wait}";

const USER_HAS_SESSIONS: &str =
    "SELECT version FROM {table} WHERE user_id = $1 AND handle <> $2 LIMIT 1";

const COUNT: &str = "SELECT COUNT(*) FROM {table} WHERE expires_at > $1 AND NOT tombstone";

const COUNT_EXPIRED: &str =
    "SELECT COUNT(*) FROM {table} WHERE sweep_at <= $1 AND expires_at <= $1";

const IS_THERE: &str = "\
SELECT handle, version, user_id, expires_at, sweep_at, tombstone, record FROM {table} WHERE 1 = 0";

/// By the primary key, so that each page costs the same.
const SCAN: &str = "\
SELECT version, expires_at, record, handle FROM {table} WHERE handle > $1 ORDER BY handle LIMIT $2";

impl Statement {
    #[cfg(any(feature = "sqlite", feature = "mysql"))]
    pub(super) fn without_values(sql: &str) -> Self {
        Self {
            sql: sql.into(),
            order: Vec::new(),
        }
    }

    /// Templates number their placeholders: `$1`, `$2` and so on. MySQL's `?` has no number, so there a placeholder
    /// finds its value by its position.
    pub(super) fn new(syntax: &Syntax, table: &str, template: &str) -> Self {
        let text = template
            .replace("{replace}", REPLACE)
            .replace("{delete}", DELETE)
            .replace("{delete_user}", DELETE_USER)
            .replace("{table}", table)
            .replace("{least}", syntax.least)
            .replace("{no_wait}", syntax.no_wait);
        let mut pieces = text.split('$');
        let mut sql = pieces.next().unwrap_or_default().to_owned();
        let mut order = Vec::new();
        for piece in pieces {
            let digits = piece.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = piece.split_at(digits);
            // Of a JSON path.
            if number.is_empty() {
                sql.push('$');
                sql.push_str(rest);
                continue;
            }
            let number: usize = number.parse().expect("templates number their placeholders");
            if syntax.numbered {
                sql.push('$');
                sql.push_str(&number.to_string());
                order = (0..number.max(order.len())).collect();
            } else {
                sql.push('?');
                order.push(number - 1);
            }
            sql.push_str(rest);
        }
        Self {
            sql: sql.into(),
            order,
        }
    }
}

/// Refuses all but plain names: statements contain the name unquoted, so no character may need escaping.
pub(super) fn check_table(name: &str) -> Result<(), ConfigError> {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let plain = name
        .bytes()
        .all(|byte| letter(byte) || byte.is_ascii_digit())
        && name.bytes().next().is_some_and(letter)
        && name.len() <= MAX_TABLE;
    if plain {
        return Ok(());
    }
    Err(ConfigError::new(format!(
        "{name:?} is no table name: it takes 1 to {MAX_TABLE} of a-z, 0-9 and _, and no digit first"
    )))
}

/// Index names append to it, and PostgreSQL truncates identifiers to 63 bytes.
const MAX_TABLE: usize = 48;

#[cfg(test)]
mod tests {
    use super::*;

    /// All statements. Where placeholders have no numbers, each is followed by the indexes of its values.
    fn text(syntax: &Syntax) -> String {
        let all = Statements::new(syntax, "s");
        let line = |statement: &Statement| match syntax.numbered {
            _ if statement.sql.is_empty() => String::new(),
            true => format!("{}\n", statement.sql),
            false => format!("{} {:?}\n", statement.sql, statement.order),
        };
        let statements = [
            &all.create,
            &all.load,
            &all.version,
            &all.is_session,
            &all.replace,
            &all.replace_several,
            &all.touch,
            &all.delete,
            &all.regenerate,
            &all.sweep,
            &all.postpone,
            &all.list,
            &all.delete_user,
            &all.user_has_sessions,
            &all.count,
            &all.count_expired,
            &all.is_there,
            &all.scan,
            &all.look,
        ];
        statements.map(line).concat() + &all.schema
    }

    #[cfg(feature = "postgres")]
    #[test]
    fn the_statements_for_postgresql() {
        assert_eq!(
            text(&crate::store::sql::postgres::SYNTAX),
            include_str!("expected/postgres.sql")
        );
    }

    #[cfg(feature = "sqlite")]
    #[test]
    fn the_statements_for_sqlite() {
        assert_eq!(
            text(&crate::store::sql::sqlite::SYNTAX),
            include_str!("expected/sqlite.sql")
        );
    }

    #[cfg(feature = "mysql")]
    #[test]
    fn the_statements_for_mysql() {
        assert_eq!(
            text(&crate::store::sql::mysql::SYNTAX),
            include_str!("expected/mysql.sql")
        );
    }

    #[test]
    fn a_table_has_a_plain_name() {
        for name in ["wiz_sessions", "_x", "a1", &"x".repeat(48)] {
            assert!(check_table(name).is_ok(), "{name}");
        }
        for name in [
            "",
            "1a",
            "a-b",
            "a b",
            "A",
            "a;drop",
            "a\"b",
            "a.b",
            "ä",
            "a\0",
            &"x".repeat(49),
        ] {
            let refused = check_table(name).unwrap_err().to_string();
            assert!(refused.contains("is no table name"), "{refused}");
        }
    }
}
