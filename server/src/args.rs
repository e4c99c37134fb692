//! The options of the program, and the configuration that they make.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Parser, ValueEnum};
use oe_server::config::{MAX_INTERVAL, TlsFiles};
use oe_server::keys::Keys;
use oe_server::limits::MAX_OVERHEAD;
use oe_server::log::Log;
use oe_server::reply::Edition;
use oe_server::{Config, Limits, listen, store, verdicts};

use crate::files::{SecretArgs, SecretFiles};

/// A self-hosted service that speaks the wire of the Gadget Process API.
///
/// It checks requests as the hosted service does, looks at the pictures itself and says what it
/// believes of each print; or answers from a script, so that programs can be developed and tested.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Args {
    /// Where to listen: ADDRESS:PORT, ADDRESS, NAME:PORT, or :PORT for every address of this machine.
    /// Port 0 picks a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8674")]
    listen: String,
    /// The form of the interval: a: a number, b: minimum and recommended. A key may have its own, and a
    /// base URL that ends in /a or /b names one.
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
    #[arg(long, value_name = "SECONDS", value_parser = interval())]
    minimum: Option<u32>,
    /// The recommended delay, in seconds (edition b).
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = interval())]
    recommended: u32,
    #[command(flatten)]
    pub(crate) secrets: SecretArgs,
    /// Verdicts as JSON lines; the n-th process call of a context gets the n-th, the last repeats.
    /// With it nobody looks. Without it and without the engine every verdict is quality 8.
    #[arg(long, value_name = "FILE")]
    verdicts: Option<PathBuf>,
    /// What all pictures together may take while they are decoded, in MB (1,000,000 bytes). They wait
    /// for their share; one that takes more than all of it is refused.
    #[arg(long, value_name = "MB", default_value_t = 200)]
    picture_memory: u32,
    /// The base of the URLs given out, where it is not what clients call.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The folder for what outlives the process: prints, what is believed of them, their history.
    /// Without it, and without a STATE_DIRECTORY in the environment, a restart forgets all prints.
    #[arg(long, value_name = "FOLDER")]
    state: Option<PathBuf>,
    /// The largest that the state may grow, in MB (1,000,000 bytes). The oldest history goes first.
    #[arg(long, value_name = "MB", default_value_t = 1_000, value_parser = from(10))]
    max_state: u32,
    /// Write the bound address there once listening.
    #[arg(long, value_name = "FILE")]
    pub(crate) port_file: Option<PathBuf>,
    /// How requests are logged to stderr.
    #[arg(long, value_enum, default_value = "text")]
    log: LogArg,
    #[command(flatten)]
    limits: LimitArgs,
}

/// The bounds of what requests may take. Where any key is accepted, an address counts as a key.
#[derive(clap::Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// The head of a request, and of a part of its body, in bytes; over it the answer is 431 or 400.
    #[arg(long, value_name = "BYTES", default_value_t = 16_384, value_parser = from(8_192))]
    max_header: u32,
    /// An image, in bytes; over it the answer is 413.
    #[arg(long, value_name = "BYTES", default_value_t = 6_291_456, value_parser = from(1))]
    max_image: u32,
    /// Images that are received, or wait to be looked at, at a time.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = from(1))]
    max_uploads: u32,
    /// The same, of one key.
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = from(1))]
    max_uploads_per_key: u32,
    /// What all these images may take, in MB (1,000,000 bytes).
    #[arg(long, value_name = "MB", default_value_t = 100, value_parser = from(1))]
    upload_memory: u32,
    /// Connections at a time. For one more, that which has been idle the longest is closed; so too
    /// when file descriptors have run out.
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = from(1))]
    max_connections: u32,
    /// Contexts at a time. For one more, that which was used longest ago is forgotten.
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = from(1))]
    max_contexts: u32,
    /// The same, of one key: it forgets its own.
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = from(1))]
    max_contexts_per_key: u32,
    /// Contexts that a key may create in a minute.
    #[arg(long, value_name = "N", default_value_t = 6_000, value_parser = from(1))]
    max_creates: u32,
}

/// An interval that clients can wait.
fn interval() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(0..=i64::from(MAX_INTERVAL))
}

fn from(least: u32) -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(i64::from(least)..)
}

impl LimitArgs {
    fn limits(&self) -> Result<Limits, String> {
        let megabytes = megabytes(self.upload_memory);
        if megabytes < self.max_image as usize + MAX_OVERHEAD {
            return Err("--upload-memory is less than one image of --max-image takes".into());
        }
        Ok(Limits {
            header_bytes: self.max_header as usize,
            image_bytes: self.max_image as usize,
            uploads: self.max_uploads as usize,
            uploads_per_key: self.max_uploads_per_key as usize,
            upload_memory: megabytes,
            connections: self.max_connections as usize,
            contexts: self.max_contexts as usize,
            contexts_per_key: self.max_contexts_per_key as usize,
            creates_per_minute: self.max_creates,
            ..Limits::default()
        })
    }
}

/// The folder of the state: the option's, else the first of those that systemd names.
fn state_folder(option: Option<&Path>, named: Option<OsString>) -> Option<PathBuf> {
    let named = named.filter(|folders| !folders.is_empty());
    option
        .map(Path::to_path_buf)
        .or_else(|| named.map(first_of))
}

/// Colons are between them.
#[cfg(unix)]
fn first_of(folders: OsString) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = folders.into_vec();
    bytes.truncate(
        bytes
            .iter()
            .position(|byte| *byte == b':')
            .unwrap_or(bytes.len()),
    );
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(not(unix))]
fn first_of(folders: OsString) -> PathBuf {
    PathBuf::from(folders)
}

fn megabytes(count: u32) -> usize {
    (count as usize).saturating_mul(1_000_000)
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

/// The keys, if they come from a file.
pub(crate) fn keys(files: &SecretFiles) -> Result<Option<Keys>, String> {
    let keys = files.keys.as_deref();
    keys.map(|path| parsed(path, Keys::parse)).transpose()
}

/// Certificate and key, if HTTPS is wanted.
pub(crate) fn tls(files: &SecretFiles) -> Result<Option<TlsFiles>, String> {
    let Some(paths) = &files.tls else {
        return Ok(None);
    };
    Ok(Some(TlsFiles {
        cert_pem: read(&paths.cert)?,
        key_pem: read(&paths.key)?,
    }))
}

pub(crate) fn configure(args: &Args, files: &SecretFiles) -> Result<Config, String> {
    let looks = looks(args)?;
    let minimum = args.minimum.unwrap_or(if looks { 5 } else { 20 });
    Ok(Config {
        #[cfg(feature = "embedded")]
        engine: looks.then(|| engine(args)).transpose()?,
        listen: listen::parse(&args.listen)?,
        edition: match args.edition {
            EditionArg::A => Edition::A,
            EditionArg::B => Edition::B,
        },
        minimum,
        recommended: args.recommended.max(minimum),
        keys: Arc::new(keys(files)?.unwrap_or_default()),
        verdicts: Arc::new(
            args.verdicts
                .as_deref()
                .map(|path| parsed(path, verdicts::parse))
                .transpose()?
                .unwrap_or_default(),
        ),
        tls: tls(files)?,
        public_url: args.public_url.clone(),
        picture_memory: megabytes(args.picture_memory),
        limits: args.limits.limits()?,
        state: state_folder(args.state.as_deref(), std::env::var_os("STATE_DIRECTORY")),
        history: store::Limits {
            bytes: megabytes(args.max_state) as u64,
            ..store::Limits::default()
        },
        log: match args.log {
            LogArg::Off => Log::Off,
            LogArg::Text => Log::Text,
            LogArg::Json => Log::Json,
        },
        ..Config::default()
    })
}
