//! The binary `rag`: reads the command line, wires readers, models and store to the engine, and maps
//! the result to an exit code. Nothing here decides what is retrieved or cited.

#[cfg(unix)]
mod allocator;
mod args;
mod config;
mod exit;
mod links;
mod render;
mod terminal;
mod verbs;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Verb};
use crate::config::Config;
use crate::exit::Exit;
use crate::terminal::Printer;

fn main() -> ExitCode {
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => {
            // Help goes to stdout and is success; a wrong argument goes to stderr and is not.
            let _ = error.print();
            let exit = if error.use_stderr() {
                Exit::Error
            } else {
                Exit::Done
            };
            return exit.into();
        }
    };
    let mut printer = Printer::new(args.is_json());
    let exit = match run(args, &mut printer) {
        Ok(exit) => exit,
        Err(error) => printer.error(&error),
    };
    exit.into()
}

fn run(args: Args, printer: &mut Printer) -> anyhow::Result<Exit> {
    let config = Config::resolve(&args);
    match args.verb {
        Verb::Ingest(options) => verbs::ingest::run(&config?, &options, printer),
        Verb::Watch(options) => verbs::watch::run(&config?, &options, printer),
        Verb::Search(options) => verbs::search::run(&config?, &options, printer),
        Verb::Ask(options) => verbs::ask::run(&config?, &options, printer),
        Verb::Chat(options) => verbs::chat::run(&config?, &options, printer),
        Verb::Open(options) => verbs::open::run(&config?, &options, printer),
        Verb::Verify(options) => verbs::verify::run(&config?, &options, printer),
        Verb::Status(options) => verbs::status::run(&config?, &options, printer),
        Verb::Forget(options) => verbs::forget::run(&config?, &options, printer),
        Verb::Reindex(options) => verbs::reindex::run(&config?, &options, printer),
        Verb::Models(options) => verbs::models::run(&config?, &options, printer),
        Verb::Eval(options) => verbs::eval::run(&config?, &options, printer),
        Verb::Bench(options) => verbs::bench::run(&config?, &options, printer),
        Verb::Doctor(options) => verbs::doctor::run(&config?, &options, printer),
        Verb::Extract => verbs::extract::run(),
    }
}
