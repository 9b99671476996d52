//! The `audiencedb` command: arguments and environment become options, options become a running engine.

mod cli;

use std::process::ExitCode;

use clap::Parser;

/// A query is planned by recursion, and a view over views over table functions is a deep one.
const STACK: usize = 16 << 20;

fn main() -> ExitCode {
    let command = cli::Command::parse();
    if rustls::crypto::aws_lc_rs::default_provider().install_default().is_err() {
        eprintln!("error: another TLS provider was installed first");
        return ExitCode::FAILURE;
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().thread_stack_size(STACK).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => {
            eprintln!("error: could not start worker threads: {e}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(command.run()) {
        Ok(status) => status,
        Err(e) => {
            cli::report(&e);
            ExitCode::FAILURE
        }
    }
}
