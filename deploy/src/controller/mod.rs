//! The nightly controller: when a run is due, who may make it, and which step comes next.
//!
//! A [`Schedule`] says when, a [`Lease`] in object storage says who, and [`plan::next`] says what,
//! from what storage says alone; so whoever holds the lease goes on where another one died.
//! [`drive`] carries the steps out, whatever their [`Effects`] are: those of a [`Night`] are on
//! repositories, and on a [`Site`] that builds and serves.
//!
//! ```text
//! leases/<20-digit epoch>.json   the highest epoch is the holder
//! runs/<day>/<20-digit number>.json   what was begun and what came of it, in order
//! ```

mod alert;
mod child;
mod config;
mod drive;
mod history;
mod lease;
mod night;
pub mod plan;
mod record;
mod schedule;
mod site;
pub mod status;

pub use alert::Alert;
pub use child::{BuildFailure, PARENT_VARIABLE};
pub use config::{ControllerConfig, ReclaimConfig};
pub use drive::{Effects, Performed, drive};
pub use history::RunHistory;
pub use lease::{Lease, LeaseRecord, LeaseTerms};
pub use night::{Night, Repositories};
pub use plan::{Course, Due, Ending, Limits, Next, Outcome, RunRecord, Seen, Step};
pub use schedule::{Schedule, ScheduleError};
pub use site::{Machines, Opinion, Site};
