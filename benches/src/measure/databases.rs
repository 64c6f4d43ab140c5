//! Redis and PostgreSQL, against `tower-sessions-redis-store` and `tower-sessions-sqlx-store`: round trips, and
//! requests per second for reads and for writes. To be filled when the library's stores have landed.

pub fn measure() {
    println!(
        "\n## Redis and PostgreSQL\n\nNot measured yet: the library has no such stores so far."
    );
}
