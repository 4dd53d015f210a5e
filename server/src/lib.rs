//! The HTTP interface over a mapped generation, and the live swap.
//!
//! A [`Server`] answers from whatever its [`Switch`] serves. A [`Follower`] watches the selection
//! of a [`Source`], opens, verifies and warms each new generation aside, and swaps. A request
//! takes one generation at entry and is answered from it alone, whatever happens meanwhile. An
//! [`Admin`] has generations prepared before they are selected, and says how far the server is. An
//! [`Access`] says who may ask what.
//!
//! ```no_run
//! # async fn example(
//! #     source: std::sync::Arc<dyn nightshard_server::Source>,
//! # ) -> std::io::Result<()> {
//! use nightshard_server::{Config, Server};
//!
//! let server = Server::new(Config::default());
//! let follower = tokio::spawn(server.follower(source).run());
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let all_finished = server.serve(listener, std::future::pending()).await;
//! follower.abort();
//! # Ok(())
//! # }
//! ```

mod access;
mod admin;
mod api;
mod at_least;
mod before_after;
mod best_time;
mod clock;
mod comparison;
mod complete;
mod config;
mod connection;
mod cors;
mod demographics;
mod encoding;
mod error;
mod exchange;
mod fixed;
mod follow;
mod generation;
mod host;
mod joined;
mod json;
mod listen;
mod metrics;
mod opener;
mod origins;
mod outlook;
mod pace;
mod pattern;
mod payment_mix;
mod place_demographics;
mod problem;
mod protected;
mod resource;
mod respond;
mod rows;
mod sales;
mod scrub;
mod series;
mod service;
mod settlements;
mod side_series;
mod source;
mod spend_share;
mod subject;
mod switch;
mod told_pattern;
mod waiting;
mod work;

pub use access::{Access, AccessConfig, AccessError, Claims, Key, KeyFile, Scope};
pub use admin::{Admin, Token};
pub use clock::Clock;
pub use config::{AdminConfig, Config, Cors, Limits, Scrub};
pub use error::{Error, Result};
pub use follow::Follower;
pub use generation::{ServedGeneration, Serving};
pub use listen::Server;
pub use scrub::Scrubber;
pub use source::{RepositorySource, Source, SourceError};
pub use switch::Switch;
