//! Options that several commands share, and what they make of the configuration.

use std::{
    collections::BTreeMap,
    env,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    path::PathBuf,
};

use clap::Args;

use super::{
    client::{Client, DEFAULT_SERVER, credential},
    failure::Failure,
};
use crate::{cage::Cage, config::Config};

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
        config.worker_program = Some(Cage::own_program());
        Ok(config)
    }
}

/// Which server, and with which key.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Server")]
pub(super) struct ServerOptions {
    /// The server's address [default: where the configuration says that it listens, else http://127.0.0.1:7300]
    #[arg(long, value_name = "URL", env = "RINGFENCE_SERVER")]
    server: Option<String>,
    /// An API key or a token; better in the environment, where other users of the machine do not see it
    #[arg(long, value_name = "KEY", env = "RINGFENCE_KEY", hide_env_values = true)]
    key: Option<String>,
}

impl ServerOptions {
    /// A client with the key.
    pub(super) fn client(&self, context: &Context) -> Result<Client, Failure> {
        Ok(Client::new(&self.url(context), &credential(self.key.clone())?)?)
    }

    /// The server's address: what was said, else where a server with the configuration at hand listens.
    pub(super) fn url(&self, context: &Context) -> String {
        let configured = || context.load(None, None).ok().as_ref().and_then(url_of);
        self.server.clone().or_else(configured).unwrap_or_else(|| DEFAULT_SERVER.to_owned())
    }
}

/// Where a server with this configuration is reached on its own machine; `None` where it takes any free port.
fn url_of(config: &Config) -> Option<String> {
    let mut address = config.listen;
    if address.ip().is_unspecified() {
        let is_v4 = address.is_ipv4();
        address.set_ip(if is_v4 { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() });
    }
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    (address.port() != 0).then(|| format!("{scheme}://{address}"))
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
    fn a_configured_server_is_found_on_its_own_machine() {
        for (listen, expected) in [
            ("127.0.0.1:7300", Some("http://127.0.0.1:7300")),
            ("0.0.0.0:80", Some("http://127.0.0.1:80")),
            ("[::]:80", Some("http://[::1]:80")),
            ("10.0.0.1:80", Some("http://10.0.0.1:80")),
            ("127.0.0.1:0", None),
        ] {
            let config = Config { listen: listen.parse().unwrap(), ..Config::default() };
            assert_eq!(url_of(&config).as_deref(), expected, "{listen}");
        }
    }

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
