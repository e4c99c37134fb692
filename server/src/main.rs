//! `oe-process-server`: the service as a program.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use oe_server::config::TlsFiles;
use oe_server::keys::Keys;
use oe_server::log::Log;
use oe_server::reply::Edition;
use oe_server::{Config, Running, verdicts};

/// A self-hosted service that speaks the wire of the Gadget Process API.
///
/// It checks requests as the hosted service does, looks at the pictures itself and says what it
/// believes of each print; or answers from a script, so that programs can be developed and tested.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where to listen; port 0 picks a free one.
    #[arg(long, default_value = "127.0.0.1:8674")]
    listen: SocketAddr,
    /// The form of the interval: a: a number, b: minimum and recommended.
    #[arg(long, value_enum, default_value = "a")]
    edition: EditionArg,
    /// Who looks at the pictures: the engine that is built in, or nobody (verdicts from a script).
    #[arg(long, value_enum)]
    engine: Option<EngineArg>,
    /// Another model than the one that is built in (docs/MODEL_CARD.md has the format).
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// The shortest delay between two process calls of a context, in seconds: 5 with the engine, else
    /// 20.
    #[arg(long)]
    minimum: Option<u32>,
    /// The recommended delay, in seconds (edition b).
    #[arg(long, default_value_t = 20)]
    recommended: u32,
    /// API keys, one a line: KEY [active|disabled|payment-failed|ip-restricted|free-limit] [limit=N].
    /// Without it any key is accepted, and none.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// Verdicts as JSON lines; the n-th process call of a context gets the n-th, the last repeats.
    /// With it nobody looks. Without it and without the engine every verdict is quality 8.
    #[arg(long, value_name = "FILE")]
    verdicts: Option<PathBuf>,
    /// What all pictures together may take while they are decoded, in MB (1,000,000 bytes). They wait
    /// for their share; one that takes more than all of it is refused.
    #[arg(long, value_name = "MB", default_value_t = 200)]
    picture_memory: u32,
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

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum EngineArg {
    #[cfg(feature = "embedded")]
    Embedded,
    Script,
}

#[derive(Clone, Copy, ValueEnum)]
enum LogArg {
    Off,
    Text,
    Json,
}

/// The longest file that is read for any option, in bytes. The built-in model has 3.6 MB.
const LONGEST_FILE: u64 = 64 << 20;

/// A file, or what a pipe says until it ends; a device without end is refused.
fn read(path: &Path) -> Result<Vec<u8>, String> {
    let read = || {
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path)?;
        file.take(LONGEST_FILE + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().map_err(|why: std::io::Error| format!("{}: {why}", path.display()))?;
    match bytes.len() as u64 {
        len if len > LONGEST_FILE => Err(format!(
            "{}: longer than {LONGEST_FILE} bytes",
            path.display()
        )),
        _ => Ok(bytes),
    }
}

fn parsed<T>(path: &Path, parse: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    let text =
        String::from_utf8(read(path)?).map_err(|_| format!("{}: not UTF-8", path.display()))?;
    parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}

/// Whether the engine looks at the pictures.
fn looks(args: &Args) -> Result<bool, String> {
    let looks = match args.engine {
        Some(engine) => engine != EngineArg::Script,
        None => cfg!(feature = "embedded") && args.verdicts.is_none(),
    };
    match (looks, &args.verdicts, &args.model) {
        (true, Some(_), _) => Err("--verdicts is for --engine script".to_owned()),
        (false, _, Some(_)) => Err("--model is for --engine embedded".to_owned()),
        _ => Ok(looks),
    }
}

#[cfg(feature = "embedded")]
fn engine(args: &Args) -> Result<Arc<oe_engine::Engine>, String> {
    let engine = match &args.model {
        Some(path) => oe_engine::Engine::with_model(read(path)?)
            .map_err(|why| format!("{}: {why}", path.display())),
        None => oe_engine::Engine::new().map_err(|why| why.to_string()),
    };
    engine.map(Arc::new)
}

fn configure(args: &Args) -> Result<Config, String> {
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFiles {
            cert_pem: read(cert)?,
            key_pem: read(key)?,
        }),
        _ => None,
    };
    let looks = looks(args)?;
    let minimum = args.minimum.unwrap_or(if looks { 5 } else { 20 });
    Ok(Config {
        #[cfg(feature = "embedded")]
        engine: looks.then(|| engine(args)).transpose()?,
        listen: args.listen,
        edition: match args.edition {
            EditionArg::A => Edition::A,
            EditionArg::B => Edition::B,
        },
        minimum,
        recommended: args.recommended.max(minimum),
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
        picture_memory: args.picture_memory as usize * 1_000_000,
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
        0 => "every verdict is quality 8: no script, and no engine looks".to_owned(),
        n => format!("{n} scripted verdicts"),
    };
    #[cfg(feature = "embedded")]
    let verdicts = match &config.engine {
        Some(engine) => format!("looked at by {}", engine.name()),
        None => verdicts,
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
