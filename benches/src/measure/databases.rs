//! Redis and PostgreSQL, against `tower-sessions-redis-store` and `tower-sessions-sqlx-store`: round trips, and
//! requests per second for reads and for writes. To be filled: contestants with those stores, in a module each.

pub fn measure() {
    println!("\n## Redis and PostgreSQL\n\nNot measured yet.");
}
