//! `oe-process-server`: the service as a program.

mod args;
mod files;
mod manager;

use std::process::ExitCode;

use args::Args;
use clap::Parser;
use files::SecretFiles;
use oe_server::log::say;
use oe_server::{Config, Running};

/// What the service is set to, in a line.
fn summary(config: &Config) -> String {
    let keys = if config.keys.is_open() {
        "any key"
    } else {
        "keys from a file"
    };
    let verdicts = match config.verdicts.len() {
        0 => "every verdict is quality 8: no script, and no engine looks".to_owned(),
        n => format!("{n} scripted verdicts"),
    };
    #[cfg(feature = "embedded")]
    let verdicts = match &config.engine {
        Some(engine) => format!("looked at by {}", engine.name()),
        None => verdicts,
    };
    format!("edition {:?}, {keys}, {verdicts}", config.edition)
}

fn run(args: &Args) -> Result<(), String> {
    let signals = Signals::new()?;
    let files = SecretFiles::find(&args.secrets)?;
    let config = args::configure(args, &files)?;
    let summary = summary(&config);
    let running = Running::start(config)?;
    let line = format!(
        "oe-process-server {} listening on {} ({summary}, {})",
        env!("CARGO_PKG_VERSION"),
        running.base_url(),
        running.remembers()
    );
    // A stdout that is closed, or that nobody reads, must not stop a service.
    say(std::io::stdout(), line);
    if let Some(path) = &args.port_file {
        std::fs::write(path, running.addr().to_string())
            .map_err(|why| format!("{}: {why}", path.display()))?;
    }
    files.warnings().for_each(|line| running.log(&line));
    let status = format!("{}, {}", running.base_url(), running.remembers());
    manager::ready(&status);
    signals.serve(|| {
        manager::reloading();
        match reload(&files, &running) {
            Ok(()) => {
                running.log("event=reload");
                manager::ready(&status);
            }
            Err(why) => {
                let why = format!("nothing is reloaded: {why}");
                complain(&why);
                manager::ready(&format!("{status}; {why}"));
            }
        }
    })?;
    manager::stopping();
    running.stop();
    Ok(())
}

/// Reads keys, certificate and its key again.
fn reload(files: &SecretFiles, running: &Running) -> Result<(), String> {
    let (keys, tls) = (args::keys(files)?, args::tls(files)?);
    running.reload(keys, tls.as_ref())
}

/// What the system tells the program.
struct Signals {
    runtime: tokio::runtime::Runtime,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hang_up: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> Result<Signals, String> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|why| why.to_string())?;
        #[cfg(unix)]
        let signal = {
            use tokio::signal::unix::{SignalKind, signal};
            let _runtime = runtime.enter();
            let kinds = [
                SignalKind::terminate(),
                SignalKind::interrupt(),
                SignalKind::hangup(),
            ];
            kinds.map(signal)
        };
        #[cfg(unix)]
        let [terminate, interrupt, hang_up] =
            signal.map(|made| made.map_err(|why| why.to_string()));
        Ok(Signals {
            runtime,
            #[cfg(unix)]
            terminate: terminate?,
            #[cfg(unix)]
            interrupt: interrupt?,
            #[cfg(unix)]
            hang_up: hang_up?,
        })
    }

    /// Waits for SIGTERM or SIGINT; SIGHUP calls `reload`.
    #[cfg(unix)]
    fn serve(mut self, reload: impl Fn()) -> Result<(), String> {
        self.runtime.block_on(async {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => return Ok(()),
                    _ = self.interrupt.recv() => return Ok(()),
                    _ = self.hang_up.recv() => reload(),
                }
            }
        })
    }

    /// Waits for Ctrl-C.
    #[cfg(not(unix))]
    fn serve(self, _reload: impl Fn()) -> Result<(), String> {
        self.runtime
            .block_on(tokio::signal::ctrl_c())
            .map_err(|why| why.to_string())
    }
}

/// Writes to stderr, whether somebody reads it or not.
fn complain(why: &str) {
    say(std::io::stderr(), format!("oe-process-server: {why}"));
}

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| complain(&panic.to_string())));
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            complain(&why);
            ExitCode::from(2)
        }
    }
}
