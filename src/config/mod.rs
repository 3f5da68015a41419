//! The configuration: `ringfence.toml`, the environment over it, flags over both.
//!
//! What would be unsafe is refused at the start with the reason and the remedy, rather than served.

mod certificate;
mod check;
mod embedder;
mod issuer;

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use serde::Deserialize;

pub use self::{
    certificate::CertificateConfig,
    check::UnsafeConfig,
    embedder::{EmbedderConfig, OpenaiConfig, RtenConfig},
    issuer::IssuerConfig,
};

/// The file that is read where none is named.
pub const FILE: &str = "ringfence.toml";
/// Every environment variable starts with this; `__` stands between the steps of a name.
const ENVIRONMENT_PREFIX: &str = "RINGFENCE_";
/// Variables that the command line reads, not the configuration.
const ENVIRONMENT_OF_COMMANDS: [&str; 4] = ["KEY", "SERVER", "CONFIG", "DEEP"];
/// What `ringfence init` writes: every setting with its default and its meaning.
const TEMPLATE: &str = include_str!("template.toml");

/// Everything that can be configured.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the server listens.
    pub listen: SocketAddr,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Whether a proxy terminates TLS in front.
    pub behind_proxy: bool,
    /// TLS by the server itself.
    pub tls: Option<TlsConfig>,
    /// The audit log.
    pub audit: AuditConfig,
    /// How much is held in memory.
    pub engine: EngineConfig,
    /// How much is allowed.
    pub limits: LimitsConfig,
    /// Whether to refuse to serve where this kernel cannot confine the worker that parses documents in every way.
    pub require_sandbox: bool,
    /// Whether the originals of documents are kept, sealed, beside what is served of them. Those that are held back are kept in any case.
    pub keep_sources: bool,
    /// The program that is started as a worker; never configured. The command line sets itself, tests the built command; without one, documents that need a parser are refused.
    #[serde(skip)]
    pub worker_program: Option<PathBuf>,
    /// The version of the sanitiser that documents are recorded under; never configured. Tests set an older one to see what a newer one does.
    #[serde(skip)]
    pub sanitizer: String,
    /// Whether tokens of `ringfence token mint` are accepted; only on loopback.
    pub development_issuer: bool,
    /// What turns texts into vectors.
    pub embedder: EmbedderConfig,
    /// Issuers of tokens.
    pub issuer: Vec<IssuerConfig>,
    /// Programs that show a client certificate.
    pub client_certificate: Vec<CertificateConfig>,
    /// Browsers of other origins.
    pub cors: CorsConfig,
    /// Metrics.
    pub metrics: MetricsConfig,
    /// Logs.
    pub log: LogConfig,
}

/// TLS by the server itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// The certificate chain, PEM.
    pub cert_file: PathBuf,
    /// The private key, PEM.
    pub key_file: PathBuf,
    /// The authorities that sign the certificates of clients, PEM; without it none is asked for.
    pub client_ca_file: Option<PathBuf>,
}

/// The audit log.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// When the record of a read is on disk.
    pub sync: AuditSync,
}

/// When the record of a read is on disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuditSync {
    /// Within 100 ms.
    #[default]
    Background,
    /// Before the answer.
    Always,
}

/// How much is held in memory. No setting changes an answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EngineConfig {
    /// Tenants that are open at the same time; the one that was needed least lately is closed for another.
    pub open_tenants: usize,
    /// About how many MiB the indexes of open tenants may take together; 0 is no limit.
    pub memory_mb: u64,
    /// Where passages and exact vectors lie until they are needed.
    pub contents: Contents,
}

/// Where passages and exact vectors lie until they are needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Contents {
    /// In a file without a name in the data directory, gone with the process.
    #[default]
    Disk,
    /// In memory.
    Memory,
}

impl EngineConfig {
    /// How many tenants may be open; one at least.
    #[must_use]
    pub fn open_tenants_max(&self) -> usize {
        self.open_tenants.max(1)
    }

    /// How many bytes the indexes may take.
    #[must_use]
    pub const fn memory_bytes_max(&self) -> u64 {
        if self.memory_mb == 0 { u64::MAX } else { self.memory_mb.saturating_mul(1 << 20) }
    }
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self { open_tenants: 1_000, memory_mb: 0, contents: Contents::Disk }
    }
}

/// How much is allowed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Requests a second of one key or token; 0 is no limit.
    pub requests_per_second_key: u32,
    /// Requests a second of one user, by any key or token; 0 is no limit.
    pub requests_per_second_user: u32,
    /// Requests a second of one tenant; 0 is no limit.
    pub requests_per_second_tenant: u32,
    /// Bad credentials a second from one address before the answer is 429 instead of 401; good ones are never refused for them.
    pub failed_authentications_per_second_address: u32,
    /// The largest document in bytes.
    pub document_bytes: usize,
    /// The largest line of a batch in bytes.
    pub batch_line_bytes: usize,
    /// Open connections in all.
    pub connections: usize,
    /// Open connections of one address.
    pub connections_per_address: usize,
}

/// Browsers of other origins.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorsConfig {
    /// The origins that may call.
    pub origins: Vec<String>,
    /// Whether they may send credentials.
    pub credentials: bool,
}

/// Metrics.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MetricsConfig {
    /// A listener of its own.
    pub listen: Option<SocketAddr>,
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// The form.
    pub format: LogFormat,
    /// Which levels, such as `info` or `ringfence=debug`.
    pub filter: String,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7300)),
            data_dir: PathBuf::from("ringfence-data"),
            behind_proxy: false,
            require_sandbox: false,
            keep_sources: true,
            worker_program: None,
            sanitizer: ringfence_ingest::sanitizer_version(),
            tls: None,
            audit: AuditConfig::default(),
            engine: EngineConfig::default(),
            limits: LimitsConfig::default(),
            development_issuer: false,
            embedder: EmbedderConfig::default(),
            issuer: Vec::new(),
            client_certificate: Vec::new(),
            cors: CorsConfig::default(),
            metrics: MetricsConfig::default(),
            log: LogConfig::default(),
        }
    }
}

impl Default for LimitsConfig {
    fn default() -> Self {
        Self {
            requests_per_second_key: 1_000,
            requests_per_second_user: 500,
            requests_per_second_tenant: 2_000,
            failed_authentications_per_second_address: 100,
            document_bytes: 16 << 20,
            batch_line_bytes: 1 << 20,
            connections: 1_024,
            connections_per_address: 256,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file or the environment does not fit.
    #[error("the configuration does not hold: {0}")]
    Invalid(String),
    /// It would be unsafe.
    #[error(transparent)]
    Unsafe(#[from] UnsafeConfig),
}

impl Config {
    /// Reads the file, where there is one, and the environment over it. Relative paths in the file start at its folder.
    ///
    /// # Errors
    /// [`ConfigError`] where the named file is missing, or something in it or in the environment is unknown or of the wrong type.
    pub fn load(file: Option<&Path>, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let path = file.map_or_else(|| PathBuf::from(FILE), Path::to_owned);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(source) => return Err(ConfigError::Unreadable { path, source }),
        };
        let in_file = |error: &dyn std::fmt::Display| {
            ConfigError::Invalid(format!("`{}`: {}", path.display(), error.to_string().trim()))
        };
        let mut table: toml::Table = toml::from_str(&text).map_err(|error| in_file(&error))?;
        // Tried alone first, so that an error is told with its line, which is lost once the environment is merged in.
        toml::from_str::<Self>(&text).map_err(|error| in_file(&error))?;
        if !text.is_empty() {
            resolve_paths(&mut table, path.parent().unwrap_or(Path::new("")));
        }
        for (name, value) in environment {
            let Some(name) = name.strip_prefix(ENVIRONMENT_PREFIX) else { continue };
            if !ENVIRONMENT_OF_COMMANDS.contains(&name) {
                set(&mut table, &name.to_lowercase(), value)?;
            }
        }
        table.try_into().map_err(|error: toml::de::Error| {
            ConfigError::Invalid(format!("with RINGFENCE_* over it: {}", error.to_string().trim()))
        })
    }

    /// The text of a configuration file that sets these two and explains everything else.
    #[must_use]
    pub fn template(listen: SocketAddr, data_dir: &Path) -> String {
        let quoted = toml::Value::from(data_dir.display().to_string()).to_string();
        TEMPLATE.replace("{listen}", &listen.to_string()).replace("{data_dir}", &quoted)
    }
}

/// Makes relative paths of a file start at its folder, the default place of the data too.
fn resolve_paths(table: &mut toml::Table, folder: &Path) {
    let default = toml::Value::from(Config::default().data_dir.display().to_string());
    table.entry("data_dir").or_insert(default);
    resolve(table, "data_dir", folder);
    if let Some(toml::Value::Table(tls)) = table.get_mut("tls") {
        resolve(tls, "cert_file", folder);
        resolve(tls, "key_file", folder);
        resolve(tls, "client_ca_file", folder);
    }
    if let Some(toml::Value::Table(embedder)) = table.get_mut("embedder") {
        resolve(embedder, "folder", folder);
        resolve(embedder, "key_file", folder);
    }
    for issuer in table.get_mut("issuer").and_then(toml::Value::as_array_mut).into_iter().flatten() {
        if let toml::Value::Table(issuer) = issuer {
            resolve(issuer, "jwks_file", folder);
            resolve(issuer, "secret_file", folder);
        }
    }
}

fn resolve(table: &mut toml::Table, name: &str, folder: &Path) {
    if let Some(toml::Value::String(path)) = table.get_mut(name) {
        *path = folder.join(&*path).display().to_string();
    }
}

/// Sets `a__b` to a value, read as TOML where it is a number, a truth value or a list, else as a text.
fn set(table: &mut toml::Table, name: &str, value: &str) -> Result<(), ConfigError> {
    let (first, rest) = name.split_once("__").map_or((name, None), |(first, rest)| (first, Some(rest)));
    let Some(rest) = rest else {
        let parsed = toml::from_str::<toml::Table>(&format!("value = {value}")).ok();
        let parsed = parsed
            .and_then(|mut table| table.remove("value"))
            .filter(|value| matches!(value, toml::Value::Integer(_) | toml::Value::Boolean(_) | toml::Value::Array(_)));
        table.insert(first.to_owned(), parsed.unwrap_or_else(|| value.into()));
        return Ok(());
    };
    match table.entry(first).or_insert_with(|| toml::Table::new().into()) {
        toml::Value::Table(inner) => set(inner, rest, value),
        _ => Err(ConfigError::Invalid(format!("`{first}` has no parts to set from the environment"))),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        fs::write(&file, text).unwrap();
        let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::load(Some(&file), &environment.collect())
    }

    #[track_caller]
    fn check_unsafe(text: &str, reason: &str) {
        let refused = load(text, &[]).unwrap().check().unwrap_err().to_string();
        assert!(refused.contains(reason) && refused.contains("remedy: "), "{refused}");
    }

    #[test]
    fn the_environment_stands_over_the_file() {
        let config =
            load("listen = \"127.0.0.1:1\"", &[("RINGFENCE_LISTEN", "127.0.0.1:2"), ("RINGFENCE_KEY", "rf_x")]);
        assert_eq!(config.unwrap().listen.port(), 2);
        let config = load("", &[("RINGFENCE_AUDIT__SYNC", "always"), ("RINGFENCE_BEHIND_PROXY", "true")]).unwrap();
        assert!(config.behind_proxy && config.audit.sync == AuditSync::Always);
    }

    #[test]
    fn unknown_settings_are_refused() {
        for text in ["lisen = \"x\"", "[audit]\nsnyc = \"always\"", "[[issuer]]\nissuer = \"a\"", "listen = 1", "["] {
            assert!(matches!(load(text, &[]), Err(ConfigError::Invalid(_))), "{text}");
        }
        assert!(load("", &[("RINGFENCE_NOTHING", "1")]).is_err());
        assert!(load("listen = 1", &[]).unwrap_err().to_string().contains("line 1"));
        assert!(Config::load(Some(Path::new("/nonexistent/x.toml")), &BTreeMap::new()).is_err());
    }

    #[test]
    fn lists_come_from_the_environment_too() {
        let config = load("", &[("RINGFENCE_CORS__ORIGINS", "[\"https://a.example\"]")]).unwrap();
        assert_eq!(config.cors.origins, ["https://a.example"]);
        assert!(load("", &[("RINGFENCE_LISTEN__PORT", "1"), ("RINGFENCE_LISTEN", "127.0.0.1:1")]).is_err());
    }

    #[test]
    fn paths_of_a_file_start_at_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(FILE);
        for (text, expected) in [("behind_proxy = true", "ringfence-data"), ("data_dir = \"d\"", "d")] {
            fs::write(&file, text).unwrap();
            assert_eq!(Config::load(Some(&file), &BTreeMap::new()).unwrap().data_dir, folder.path().join(expected));
        }
        let environment = BTreeMap::from([("RINGFENCE_DATA_DIR".to_owned(), "e".to_owned())]);
        assert_eq!(Config::load(Some(&file), &environment).unwrap().data_dir, Path::new("e"));
        fs::write(&file, "data_dir = \"/d\"\n[tls]\ncert_file = \"c\"\nkey_file = \"/k\"").unwrap();
        let config = Config::load(Some(&file), &BTreeMap::new()).unwrap();
        let tls = config.tls.unwrap();
        assert_eq!((config.data_dir.as_path(), tls.key_file.as_path()), (Path::new("/d"), Path::new("/k")));
        assert_eq!(tls.cert_file, folder.path().join("c"));
    }

    /// What the template shows commented out must be what holds without it.
    #[test]
    fn the_template_says_what_the_defaults_are() {
        let default = format!("{:?}", Config::default());
        let text = Config::template(Config::default().listen, &Config::default().data_dir);
        let whole: String =
            text.lines().map(|line| format!("{}\n", line.strip_prefix("#= ").unwrap_or(line))).collect();
        for text in [&text, &whole] {
            let config: Config = toml::from_str(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(format!("{config:?}"), default);
        }
        // What has no default is shown as an example, and must be valid as well.
        let examples: String =
            text.lines().filter_map(|line| line.strip_prefix("#: ")).fold(String::new(), |mut all, line| {
                all.push_str(line);
                all.push('\n');
                all
            });
        let config: Config = toml::from_str(&examples).unwrap_or_else(|error| panic!("{error}"));
        assert!(config.tls.is_some() && config.metrics.listen.is_some() && config.issuer.len() == 1);
        assert_eq!(config.certificates().unwrap().len(), 1);
    }

    #[test]
    fn unsafe_settings_are_refused_with_a_remedy() {
        assert!(Config::default().check().is_ok());
        check_unsafe("listen = \"0.0.0.0:7300\"", "unencrypted");
        assert!(load("listen = \"0.0.0.0:7300\"\nbehind_proxy = true", &[]).unwrap().check().is_ok());
        check_unsafe("[cors]\norigins = [\"*\"]\ncredentials = true", "any website");
        check_unsafe("development_issuer = true\nbehind_proxy = true", "development_issuer");
        check_unsafe("[metrics]\nlisten = \"0.0.0.0:9\"", "without a credential");
        let issuer = "[[issuer]]\nissuer = \"a\"\naudience = \"b\"\n";
        check_unsafe(&format!("{issuer}algorithms = [\"none\"]\ntenant = \"t\""), "no algorithm");
        check_unsafe(&format!("{issuer}algorithms = [\"RS256\"]"), "tenant is not said once");
        check_unsafe(&format!("{issuer}algorithms = [\"RS256\"]\ntenant = \"t\""), "exactly one of");
    }

    #[test]
    fn secrets_must_be_long_and_private() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        let text = format!(
            "[[issuer]]\nissuer = \"a\"\naudience = \"b\"\nalgorithms = [\"HS256\"]\ntenant = \"t\"\nsecret_file = {:?}",
            file.display().to_string()
        );
        for (length, mode, reason) in [(31, 0o600, "fewer than 32"), (32, 0o644, "readable by other users")] {
            fs::write(&file, vec![b'x'; length]).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            check_unsafe(&text, reason);
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(load(&text, &[]).unwrap().check().unwrap().len(), 1);
    }
}
