//! The table that Flask-Session's SQLAlchemy keeps its records in: bytes under a text key, with an end.

use std::sync::Arc;

use super::{
    executor::{Executor, FailureKind, Route},
    statements::{Statement, check_table},
    table::SqlTable,
    value::Value,
};
use crate::{
    error::{ConfigError, Error},
    store::{Answer, Blob, Blobs, Paged, scan::foreign_cursor},
    time::Timestamp,
};

pub(super) struct SqlBlobs<E> {
    table: SqlTable<E>,
    statements: Arc<Statements>,
}

struct Statements {
    get: Statement,
    insert: Statement,
    swap: Statement,
    remove: Statement,
    page: Statement,
    keys: Statement,
}

const GET: &str = "\
SELECT data, CAST(expiry AS {text}) FROM {table} WHERE session_id = $1 AND data IS NOT NULL \
AND expiry IS NOT NULL";

const INSERT: &str = "\
INSERT INTO {table} (session_id, data, expiry) VALUES ($1, $2, CAST($3 AS {time}))";

const SWAP: &str = "\
UPDATE {table} SET data = $3, expiry = CAST($4 AS {time}) \
WHERE session_id = $1 AND data = $2{no_wait}";

const REMOVE: &str = "DELETE FROM {table} WHERE session_id = $1 AND data = $2{no_wait}";

const PAGE: &str = "\
SELECT data, CAST(expiry AS {text}), session_id, CAST(id AS {number}) FROM {table} \
WHERE id > $1 AND data IS NOT NULL AND expiry IS NOT NULL ORDER BY id LIMIT $2";

const KEYS: &str = "\
SELECT 0, 0, session_id, CAST(id AS {number}) FROM {table} WHERE id > $1 ORDER BY id LIMIT $2";

impl<E: Executor> SqlBlobs<E> {
    pub(super) fn new(table: SqlTable<E>, name: &str) -> Result<Self, ConfigError> {
        check_table(name)?;
        let [text, number, time] = E::SYNTAX.casts;
        let statement = |template: &str| {
            let template = template
                .replace("{text}", text)
                .replace("{number}", number)
                .replace("{time}", time);
            Statement::new(&E::SYNTAX, name, &template)
        };
        Ok(Self {
            table,
            statements: Arc::new(Statements {
                get: statement(GET),
                insert: statement(INSERT),
                swap: statement(SWAP),
                remove: statement(REMOVE),
                page: statement(PAGE),
                keys: statement(KEYS),
            }),
        })
    }

    async fn write(&self, statement: &Statement, values: &[Value<'_>]) -> Result<bool, Error> {
        match self.table.execute(Route::User, statement, values).await {
            Err(failure) if failure.kind == FailureKind::DuplicateKey => Ok(false),
            changed => Ok(changed? > 0),
        }
    }
}

fn blob<E: Executor>(row: &E::Row) -> Result<Blob, Error> {
    Ok(Blob {
        bytes: E::bytes(row, 0)?,
        end: Some(from_text(&E::text(row, 1)?)?),
    })
}

impl<E: Executor> Blobs for SqlBlobs<E> {
    fn get<'a>(&'a self, key: &'a str) -> Answer<'a, Option<Blob>> {
        Box::pin(async move {
            let get = &self.statements.get;
            let rows = self.table.fetch(Route::User, get, &[key.into()]).await?;
            rows.first().map(blob::<E>).transpose()
        })
    }

    fn insert<'a>(&'a self, key: &'a str, bytes: &'a [u8], end: Timestamp) -> Answer<'a, bool> {
        Box::pin(async move {
            let end = to_text(end);
            let values = [key.into(), Value::Bytes(bytes), (&*end).into()];
            self.write(&self.statements.insert, &values).await
        })
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        old: &'a [u8],
        new: &'a [u8],
        end: Timestamp,
    ) -> Answer<'a, bool> {
        Box::pin(async move {
            let end = to_text(end);
            let [old, new] = [old, new].map(Value::Bytes);
            let values = [key.into(), old, new, (&*end).into()];
            self.write(&self.statements.swap, &values).await
        })
    }

    fn remove<'a>(&'a self, key: &'a str, old: &'a [u8]) -> Answer<'a, bool> {
        Box::pin(async move {
            let values = [key.into(), Value::Bytes(old)];
            self.write(&self.statements.remove, &values).await
        })
    }

    fn page<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Paged<(String, Blob)>> {
        let item = |key: &str, row: &_| Ok((key.to_owned(), blob::<E>(row)?));
        Box::pin(self.pages(&self.statements.page, prefix, after, limit, item))
    }

    fn keys<'a>(
        &'a self,
        prefix: &'a str,
        after: Option<&'a str>,
        limit: usize,
    ) -> Answer<'a, Paged<String>> {
        let item = |key: &str, _: &_| Ok(key.to_owned());
        Box::pin(self.pages(&self.statements.keys, prefix, after, limit, item))
    }
}

impl<E: Executor> SqlBlobs<E> {
    /// In the order of the primary key, which rises with each row that is inserted.
    async fn pages<T>(
        &self,
        statement: &Statement,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
        item: impl Fn(&str, &E::Row) -> Result<T, Error> + Send,
    ) -> Result<Paged<T>, Error> {
        let after: i64 = after
            .map_or(Ok(i64::MIN), str::parse)
            .map_err(|_| foreign_cursor())?;
        let limit = limit.max(1);
        let most = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [after.into(), most.into()];
        let rows = self
            .table
            .fetch(Route::Background, statement, &values)
            .await?;
        let last = rows.last().filter(|_| rows.len() >= limit);
        let next = last.map(|row| E::number(row, 3)).transpose()?;
        let mut items = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = E::text(row, 2)?;
            if key.starts_with(prefix) {
                items.push(item(&key, row)?);
            }
        }
        Ok(Paged {
            items,
            next: next.map(|id| id.to_string()),
        })
    }
}

const DAY: u64 = 24 * 60 * 60 * 1_000;

/// As SQLAlchemy writes a time without a zone.
fn to_text(time: Timestamp) -> String {
    let millis = time.as_millis();
    let (days, rest) = (millis / DAY, millis % DAY);
    // Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is the last.
    let z = days + 719_468;
    let (era, day_of_era) = (z / 146_097, z % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (seconds, millis) = (rest / 1_000, rest % 1_000);
    let (hour, minute, second) = (seconds / 3_600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{millis:03}000")
}

/// Fractions of a second may be missing, and what is below a millisecond is cut.
fn from_text(text: &str) -> Result<Timestamp, Error> {
    parsed(text)
        .map(Timestamp::from_millis)
        .ok_or_else(|| Error::corrupt("its expiry is no time"))
}

fn parsed(text: &str) -> Option<u64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let [year, month, day] = numbers(date, '-')?;
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?;
    let digits: String = fraction.chars().chain("00".chars()).take(3).collect();
    let millis: u64 = digits.parse().ok()?;
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = year - u64::from(month <= 2);
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted = (month + 9) % 12;
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = (era * 146_097 + day_of_era).checked_sub(719_468)?;
    Some(days * DAY + (hour * 3_600 + minute * 60 + second) * 1_000 + millis)
}

fn numbers(text: &str, between: char) -> Option<[u64; 3]> {
    let numbers: Option<Vec<u64>> = text.split(between).map(|part| part.parse().ok()).collect();
    numbers?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_as_sqlalchemy_does_and_read_back() {
        for (millis, text) in [
            (0, "1970-01-01 00:00:00.000000"),
            (951_782_399_999, "2000-02-28 23:59:59.999000"),
            (951_782_400_000, "2000-02-29 00:00:00.000000"),
            (1_735_689_600_123, "2025-01-01 00:00:00.123000"),
            (4_107_542_400_000, "2100-03-01 00:00:00.000000"),
            (Timestamp::LATEST, "9999-12-31 23:59:59.999000"),
        ] {
            assert_eq!(to_text(Timestamp::from_millis(millis)), text);
            assert_eq!(parsed(text), Some(millis), "{text}");
        }
        for (text, millis) in [
            ("2025-01-01 00:00:00", 1_735_689_600_000),
            ("2025-01-01T00:00:00.5", 1_735_689_600_500),
            ("2025-01-01 00:00:00.123456", 1_735_689_600_123),
        ] {
            assert_eq!(parsed(text), Some(millis), "{text}");
        }
        for text in ["", "2025-01-01", "2025-13-01 00:00:00", "x", "infinity"] {
            assert!(from_text(text).is_err(), "{text}");
        }
    }
}
