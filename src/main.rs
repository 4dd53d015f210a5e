//! `nightshard`: card transactions in once a night, every answer computed in advance.
//!
//! The command line parses arguments, calls a library and prints; see ARCHITECTURE.md.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod access_keys;
mod card_key;
mod cluster;
mod commands;
mod config;
mod customers;
mod data_tests;
mod exit;
mod output;
mod parent;
mod progress;
mod publication;
mod regions;
mod repository;
mod server_token;
mod size;
mod staging;
mod stop;
mod told;

/// The allocator gives freed memory back and serves threads without a common lock.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Card transactions in once a night, every answer computed in advance, served over HTTP.
#[derive(Debug, Parser)]
#[command(name = "nightshard", version, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Controller(commands::controller::ControllerArgs),
    Demo(commands::demo::DemoArgs),
    Generate(commands::generate::GenerateArgs),
    Build(commands::build::BuildArgs),
    Pack(commands::pack::PackArgs),
    Get(commands::get::GetArgs),
    Scan(commands::scan::ScanArgs),
    Stats(commands::stats::StatsArgs),
    Export(commands::export::ExportArgs),
    Verify(commands::verify::VerifyArgs),
    Diff(commands::diff::DiffArgs),
    Inspect(commands::inspect::InspectArgs),
    Generations(commands::generations::GenerationsArgs),
    Gate(commands::gate::GateArgs),
    Select(commands::select::SelectArgs),
    Publish(commands::publish::PublishArgs),
    Rollback(commands::rollback::RollbackArgs),
    Mark(commands::mark::MarkArgs),
    Reclaim(commands::reclaim::ReclaimArgs),
    Serve(commands::serve::ServeArgs),
    Token(commands::token::TokenArgs),
    Pseudonym(commands::pseudonym::PseudonymArgs),
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return exit::report_arguments(&error),
    };
    if let Err(error) = parent::end_with_parent() {
        return exit::report(&error);
    }
    let result = match arguments.command {
        Command::Controller(args) => commands::controller::run(&args),
        Command::Demo(args) => commands::demo::run(args),
        Command::Generate(args) => commands::generate::run(args).map(|()| ExitCode::SUCCESS),
        Command::Build(args) => commands::build::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Pack(args) => commands::pack::run(&args).map(|()| ExitCode::SUCCESS),
        Command::Get(args) => commands::get::run(args),
        Command::Scan(args) => commands::scan::run(args),
        Command::Stats(args) => commands::stats::run(args),
        Command::Export(args) => commands::export::run(args),
        Command::Verify(args) => commands::verify::run(args),
        Command::Diff(args) => commands::diff::run(args),
        Command::Inspect(args) => commands::inspect::run(args),
        Command::Generations(args) => commands::generations::run(args),
        Command::Gate(args) => commands::gate::run(args),
        Command::Select(args) => commands::select::run(args),
        Command::Publish(args) => commands::publish::run(args),
        Command::Rollback(args) => commands::rollback::run(args),
        Command::Mark(args) => commands::mark::run(args),
        Command::Reclaim(args) => commands::reclaim::run(args),
        Command::Serve(args) => commands::serve::run(args),
        Command::Token(args) => commands::token::run(args),
        Command::Pseudonym(args) => commands::pseudonym::run(&args),
    };
    result.unwrap_or_else(|error| exit::report(&error))
}
