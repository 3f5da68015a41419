//! Options that several commands share, and what they make of the configuration.

use std::{collections::BTreeMap, env, net::SocketAddr, path::PathBuf};

use clap::Args;

use super::{
    client::{Client, DEFAULT_SERVER, credential},
    failure::Failure,
};
use crate::config::Config;

/// What was said before the command.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) config: Option<PathBuf>,
    pub(super) json: bool,
}

impl Context {
    /// The configuration: the file, the environment over it, these flags over both.
    pub(super) fn load(&self, listen: Option<SocketAddr>, data_dir: Option<PathBuf>) -> Result<Config, Failure> {
        // What is not UTF-8 is no setting of ours.
        let environment: BTreeMap<String, String> = env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        let mut config = Config::load(self.config.as_deref(), &environment)?;
        config.listen = listen.unwrap_or(config.listen);
        config.data_dir = data_dir.unwrap_or(config.data_dir);
        Ok(config)
    }
}

/// Which server, and with which key.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerOptions {
    /// The server's address
    #[arg(long, value_name = "URL", env = "RINGFENCE_SERVER", default_value = DEFAULT_SERVER)]
    pub(super) server: String,
    /// An API key or a token; better in the environment, where other users of the machine do not see it
    #[arg(long, value_name = "KEY", env = "RINGFENCE_KEY", hide_env_values = true)]
    pub(super) key: Option<String>,
}

impl ServerOptions {
    pub(super) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(&self.server, &credential(self.key.clone())?)?)
    }
}

/// Parses `name=value`; the value is JSON where it reads as JSON, else a text.
pub(super) fn attribute(text: &str) -> Result<(String, serde_json::Value), String> {
    let (name, value) =
        text.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or("write it like `clearance=2`")?;
    let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
    match crate::authn::attribute_value(&value) {
        Some(_) => Ok((name.to_owned(), value)),
        None => Err("a value is a text, a whole number, true or false, or a list of texts".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn attributes_are_read_as_what_they_look_like() {
        for (text, value) in [
            ("a=2", json!(2)),
            ("a=eu", json!("eu")),
            ("a=true", json!(true)),
            ("a=\"2\"", json!("2")),
            ("a=[\"x\"]", json!(["x"])),
            ("a=", json!("")),
            ("a=b=c", json!("b=c")),
        ] {
            assert_eq!(attribute(text), Ok(("a".to_owned(), value)), "{text}");
        }
        for text in ["a", "=2", "a=null", "a={}", "a=1.5"] {
            assert!(attribute(text).is_err(), "{text}");
        }
    }
}
