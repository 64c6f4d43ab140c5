//! A connection to PostgreSQL beside the store's.

use tokio_postgres::{Client, NoTls};

pub(crate) async fn client(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .expect("a connection");
    // It ends with the client, or the server.
    tokio::spawn(connection);
    client
}
