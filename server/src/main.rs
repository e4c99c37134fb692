//! `oe-process-server`: the service as a program.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use oe_server::keys::Keys;
use oe_server::log::Log;
use oe_server::reply::Edition;
use oe_server::server::TlsFiles;
use oe_server::{Config, Running, verdicts};

/// A self-hosted service that speaks the wire of the Gadget Process API.
///
/// It checks requests as the hosted service does and answers process calls from a script, so
/// that programs can be developed and tested without spending an allowance.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8674")]
    listen: SocketAddr,
    /// The form of the interval: a: a number, b: minimum and recommended.
    #[arg(long, value_enum, default_value = "a")]
    edition: EditionArg,
    /// The shortest delay between two process calls of a context, in seconds.
    #[arg(long, default_value_t = 20)]
    minimum: u32,
    /// The recommended delay, in seconds (edition b).
    #[arg(long, default_value_t = 20)]
    recommended: u32,
    /// API keys, one a line: KEY [active|disabled|payment-failed|ip-restricted|free-limit] [limit=N].
    /// Without it any key is accepted.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Verdicts as JSON lines; the n-th process call of a context gets the n-th, the last repeats.
    /// Without it every verdict is quality 8.
    #[arg(long, value_name = "FILE")]
    verdicts: Option<PathBuf>,
    /// Certificate chain (PEM): serve HTTPS.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The certificate's key (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The base of the URLs given out, where it is not what clients call.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Write the bound address there once listening.
    #[arg(long, value_name = "FILE")]
    port_file: Option<PathBuf>,
    /// How requests are logged to stderr.
    #[arg(long, value_enum, default_value = "text")]
    log: LogArg,
}

#[derive(Clone, Copy, ValueEnum)]
enum EditionArg {
    A,
    B,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogArg {
    Off,
    Text,
    Json,
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|why| format!("{}: {why}", path.display()))
}

fn parsed<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    let text =
        String::from_utf8(read(path)?).map_err(|_| format!("{}: not UTF-8", path.display()))?;
    parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}

fn configure(args: &Args) -> Result<Config, String> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFiles {
            cert_pem: read(cert)?,
            key_pem: read(key)?,
        }),
        _ => None,
    };
    Ok(Config {
        listen: args.listen,
        edition: match args.edition {
            EditionArg::A => Edition::A,
            EditionArg::B => Edition::B,
        },
        minimum: args.minimum,
        recommended: args.recommended.max(args.minimum),
        keys: Arc::new(
            args.keys
                .as_deref()
                .map(|path| parsed(path, Keys::parse))
                .transpose()?
                .unwrap_or_default(),
        ),
        verdicts: Arc::new(
            args.verdicts
                .as_deref()
                .map(|path| parsed(path, verdicts::parse))
                .transpose()?
                .unwrap_or_default(),
        ),
        tls,
        public_url: args.public_url.clone(),
        log: match args.log {
            LogArg::Off => Log::Off,
            LogArg::Text => Log::Text,
            LogArg::Json => Log::Json,
        },
        ..Config::default()
    })
}

fn run(args: &Args) -> Result<(), String> {
    let config = configure(args)?;
    let edition = config.edition;
    let keys = if config.keys.is_open() {
        "any key"
    } else {
        "keys from a file"
    };
    let verdicts = match config.verdicts.len() {
        0 => "every verdict is quality 8: no script, and no engine is built in".to_owned(),
        n => format!("{n} scripted verdicts"),
    };
    let running = Running::start(config)?;
    let line = format!(
        "oe-process-server {} listening on {} (edition {edition:?}, {keys}, {verdicts})",
        env!("CARGO_PKG_VERSION"),
        running.base_url()
    );
    // A closed stdout must not stop a service.
    drop(writeln!(std::io::stdout(), "{line}"));
    if let Some(path) = &args.port_file {
        std::fs::write(path, running.addr().to_string())
            .map_err(|why| format!("{}: {why}", path.display()))?;
    }
    wait_for_signal()?;
    running.stop();
    Ok(())
}

fn wait_for_signal() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|why| why.to_string())?;
    runtime.block_on(async {
        #[cfg(unix)]
        {
            let kind = tokio::signal::unix::SignalKind::terminate();
            let mut terminate = tokio::signal::unix::signal(kind).map_err(|why| why.to_string())?;
            tokio::select! {
                result = tokio::signal::ctrl_c() => result.map_err(|why| why.to_string()),
                _ = terminate.recv() => Ok(()),
            }
        }
        #[cfg(not(unix))]
        tokio::signal::ctrl_c().await.map_err(|why| why.to_string())
    })
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            drop(writeln!(std::io::stderr(), "oe-process-server: {why}"));
            ExitCode::from(2)
        }
    }
}
