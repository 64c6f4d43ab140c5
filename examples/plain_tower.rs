//! Sessions without axum: the layer around a plain `tower` service, served by hyper.
//!
//! Run with
//!
//! ```text
//! cargo run --example plain_tower
//! ```
//!
//! and
//!
//! ```text
//! curl -c jar -b jar localhost:3000
//! curl -c jar -b jar localhost:3000
//! ```

use std::convert::Infallible;
use std::error::Error;

use http::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tower::{Layer, service_fn};
use wiz_session::{ConfigError, CookieOptions, Key, MemoryStore, WizSession, WizSessionLayer};

fn sessions() -> Result<WizSessionLayer, ConfigError> {
    WizSessionLayer::builder(MemoryStore::new(), Key::generate())
        // Plain HTTP on localhost; behind HTTPS the default is right.
        .cookie(CookieOptions::insecure("sid"))
        .build()
}

async fn count<B>(request: Request<B>) -> Result<Response<String>, Infallible> {
    Ok(match visits(&request).await {
        Ok(visits) => Response::new(format!("visit {visits}\n")),
        Err(error) => {
            eprintln!("error: {error}");
            let mut response = Response::default();
            *response.status_mut() = error.status();
            response
        }
    })
}

/// The layer has put the session into the extensions; it is loaded here, when it is asked for.
async fn visits<B>(request: &Request<B>) -> Result<u64, wiz_session::Error> {
    let session = WizSession::from_extensions(request.extensions()).await?;
    session.update("visits", |visits: &mut u64| *visits += 1)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let service = sessions()?.layer(service_fn(count));
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            let server = Builder::new(TokioExecutor::new());
            if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
                eprintln!("a connection failed: {error}");
            }
        });
    }
}
