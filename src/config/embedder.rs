//! `[embedder]`: what turns texts into vectors.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use reqwest::Url;
use ringfence_indexes::DIMENSIONS_MAX;
use serde::Deserialize;

use super::{UnsafeConfig, check::check_private_file};

/// What turns texts into vectors, for collections whose clients do not.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum EmbedderConfig {
    /// The model in the binary.
    Builtin {},
    /// A model in a folder, computed here.
    Rten(RtenConfig),
    /// A service that speaks the form of OpenAI's `/v1/embeddings`.
    Openai(OpenaiConfig),
}

/// A model in a folder, computed here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RtenConfig {
    /// Where `model.onnx` and `tokenizer.json` lie.
    pub folder: PathBuf,
    /// Tokens of one text that are read; the tokenizer's own bound without it.
    pub tokens_max: Option<usize>,
    /// What stands before each query, for models that want it.
    #[serde(default)]
    pub query_prefix: String,
    /// What stands before each passage.
    #[serde(default)]
    pub passage_prefix: String,
}

/// A service that speaks the form of OpenAI's `/v1/embeddings`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenaiConfig {
    /// The whole address.
    pub url: String,
    /// The model it is asked for.
    pub model: String,
    /// How long each vector is.
    pub dimensions: usize,
    /// Whether `dimensions` is sent, for models that can shorten their vectors.
    #[serde(default)]
    pub request_dimensions: bool,
    /// A file with the key, for the owner alone.
    pub key_file: Option<PathBuf>,
    /// The environment variable with the key.
    pub key_env: Option<String>,
    /// Any text; another one has everything embedded anew, for a model that changed behind its name.
    #[serde(default)]
    pub revision: String,
    /// What stands before each query, for models that want it.
    #[serde(default)]
    pub query_prefix: String,
    /// What stands before each passage.
    #[serde(default)]
    pub passage_prefix: String,
    /// Passages of one call.
    #[serde(default = "batch")]
    pub batch: usize,
    /// Calls for passages at the same time.
    #[serde(default = "parallel")]
    pub parallel: usize,
    /// How long one call may take, in seconds. With further attempts it is twice as long.
    #[serde(default = "timeout")]
    pub timeout_seconds: u64,
}

const fn batch() -> usize {
    64
}

const fn parallel() -> usize {
    4
}

const fn timeout() -> u64 {
    10
}

impl Default for EmbedderConfig {
    fn default() -> Self {
        Self::Builtin {}
    }
}

impl EmbedderConfig {
    /// Checks what can be checked without reading a model or asking anybody.
    ///
    /// # Errors
    /// [`UnsafeConfig`] with the reason and the remedy.
    pub(super) fn check(&self) -> Result<(), UnsafeConfig> {
        match self {
            Self::Builtin {} => Ok(()),
            Self::Rten(config) => config.check(),
            Self::Openai(config) => config.check(),
        }
    }
}

impl RtenConfig {
    fn check(&self) -> Result<(), UnsafeConfig> {
        if self.tokens_max.is_some_and(|tokens| !(8..=8192).contains(&tokens)) {
            return Err(UnsafeConfig::new("`embedder.tokens_max` is not from 8 to 8192", "correct `tokens_max`"));
        }
        Ok(())
    }
}

impl OpenaiConfig {
    fn check(&self) -> Result<(), UnsafeConfig> {
        self.checked_url().map_err(|reason| {
            UnsafeConfig::new(
                format!("`embedder.url`: {reason}"),
                "give an `https://` address without a password, or one of this machine",
            )
        })?;
        let bounds = [
            ("dimensions", self.dimensions, 1, DIMENSIONS_MAX),
            ("batch", self.batch, 1, 2048),
            ("parallel", self.parallel, 1, 64),
            ("timeout_seconds", usize::try_from(self.timeout_seconds).unwrap_or(usize::MAX), 1, 120),
        ];
        for (name, value, least, most) in bounds {
            if !(least..=most).contains(&value) {
                let reason = format!("`embedder.{name}` is not from {least} to {most}");
                return Err(UnsafeConfig::new(reason, format!("correct `{name}`")));
            }
        }
        match (&self.key_file, &self.key_env) {
            (Some(_), Some(_)) => Err(UnsafeConfig::new(
                "`embedder.key_file` and `embedder.key_env` both say where the key is",
                "keep one of them",
            )),
            (Some(file), None) => check_private_file(file),
            (None, _) => Ok(()),
        }
    }

    /// The address, if texts may go there.
    ///
    /// # Errors
    /// Says why not.
    pub fn checked_url(&self) -> Result<Url, String> {
        let url = Url::parse(&self.url).map_err(|error| error.to_string())?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err("has a password, which would reach logs".to_owned());
        }
        match url.scheme() {
            "https" => Ok(url),
            "http" if is_loopback(&url) => Ok(url),
            _ => Err("would carry texts and the key unencrypted to another machine".to_owned()),
        }
    }

    /// How long one call may take.
    #[must_use]
    pub const fn call_time(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(extra: &str, expected: Option<&str>) {
        let base = "kind = \"openai\"\nmodel = \"m\"\n";
        let config: EmbedderConfig = toml::from_str(&format!("{base}{extra}")).unwrap();
        let refused = config.check().err().map(|refused| refused.to_string());
        match expected {
            None => assert_eq!(refused, None, "{extra}"),
            Some(reason) => assert!(refused.as_ref().is_some_and(|refused| refused.contains(reason)), "{refused:?}"),
        }
    }

    #[test]
    fn sends_texts_nowhere_unencrypted() {
        check("dimensions = 64\nurl = \"https://api.example/v1/embeddings\"", None);
        check("dimensions = 4096\nurl = \"http://localhost:1234/v1/embeddings\"", None);
        check("dimensions = 64\nurl = \"http://[::1]:1/\"", None);
        for url in ["http://api.example/v1", "http://10.0.0.1/", "ftp://localhost/", "http://localhost.example/"] {
            check(&format!("dimensions = 64\nurl = \"{url}\""), Some("unencrypted"));
        }
        check("dimensions = 64\nurl = \"https://u:p@api.example/\"", Some("password"));
        check("dimensions = 64\nurl = \"nonsense\"", Some("url"));
    }

    #[test]
    fn bounds_what_is_asked() {
        let url = "url = \"https://api.example/\"\n";
        check(&format!("{url}dimensions = 0"), Some("dimensions"));
        check(&format!("{url}dimensions = 4097"), Some("dimensions"));
        check(&format!("{url}dimensions = 64\nbatch = 0"), Some("batch"));
        check(&format!("{url}dimensions = 64\ntimeout_seconds = 0"), Some("timeout_seconds"));
        check(&format!("{url}dimensions = 64\nkey_file = \"a\"\nkey_env = \"B\""), Some("keep one"));
        check(&format!("{url}dimensions = 64\nkey_file = \"/nonexistent\""), Some("cannot read"));
        assert!(toml::from_str::<EmbedderConfig>("kind = \"rten\"\nfolder = \"m\"\nurl = \"x\"").is_err());
        assert!(toml::from_str::<EmbedderConfig>("kind = \"other\"").is_err());
    }
}
