//! What a worker is kept from, and which of it this kernel cannot enforce.

use std::collections::BTreeSet;

/// One thing that a worker is kept from, by one mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// Landlock, from Linux 6.2 on in full: no file can be opened, made or removed.
    Files,
    /// Landlock, from Linux 6.7 on: no TCP.
    Network,
    /// Landlock, from Linux 6.12 on: no signal and no abstract socket reaches another process.
    Processes,
    /// seccomp: no system call but the few that a parser needs.
    SystemCalls,
    /// Resource limits: memory, processor time, files, processes.
    Limits,
}

impl Protection {
    /// Every protection, in the order of declaration.
    pub const ALL: [Self; 5] = [Self::Files, Self::Network, Self::Processes, Self::SystemCalls, Self::Limits];

    /// The name between worker and server.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Network => "network",
            Self::Processes => "processes",
            Self::SystemCalls => "system-calls",
            Self::Limits => "limits",
        }
    }

    /// What its absence means, for the person who runs the server.
    #[must_use]
    pub const fn absence(self) -> &'static str {
        match self {
            Self::Files => "landlock for files is missing (needs Linux 6.2 with landlock among the LSMs)",
            Self::Network => "landlock for TCP is missing (needs Linux 6.7 with landlock among the LSMs)",
            Self::Processes => {
                "landlock for signals and abstract sockets is missing (needs Linux 6.12 with landlock among the LSMs)"
            }
            Self::SystemCalls => "seccomp is missing (needs CONFIG_SECCOMP_FILTER, and a container that allows it)",
            Self::Limits => "resource limits could not be set",
        }
    }
}

/// The protections that are in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Protections(BTreeSet<Protection>);

impl Protections {
    /// Takes one in.
    pub fn insert(&mut self, protection: Protection) {
        self.0.insert(protection);
    }

    /// Those that are not in force.
    pub fn missing(&self) -> impl Iterator<Item = Protection> + '_ {
        Protection::ALL.into_iter().filter(|protection| !self.0.contains(protection))
    }

    /// The line with which a worker reports for duty.
    #[must_use]
    pub fn to_line(&self) -> String {
        let names: Vec<&str> = self.0.iter().map(|protection| protection.name()).collect();
        format!("ready {}\n", names.join(","))
    }

    /// Reads the line of a worker; `None` if it is none.
    #[must_use]
    pub fn from_line(line: &str) -> Option<Self> {
        let names = line.strip_prefix("ready ")?.strip_suffix('\n')?;
        let named = |name: &str| Protection::ALL.into_iter().find(|protection| protection.name() == name);
        names.split(',').filter(|name| !name.is_empty()).map(named).collect::<Option<_>>().map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::{Protection, Protections};

    #[test]
    fn a_report_comes_back() {
        let mut protections = Protections::default();
        assert_eq!(Protections::from_line(&protections.to_line()), Some(protections.clone()));
        assert_eq!(protections.missing().count(), Protection::ALL.len());
        for protection in Protection::ALL {
            protections.insert(protection);
        }
        assert_eq!(Protections::from_line(&protections.to_line()), Some(protections.clone()));
        assert_eq!(protections.missing().count(), 0);
        for line in ["", "ready", "ready files", "ready nonsense\n", "files\n"] {
            assert_eq!(Protections::from_line(line), None, "{line:?}");
        }
    }
}
