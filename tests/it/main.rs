//! System tests in one binary: one link step, one place to look.
//!
//! The modules are `#[cfg(test)]` so that lints treat their helpers as the test code they are.

#[cfg(test)]
mod access_lists;
#[cfg(test)]
mod attenuation;
#[cfg(test)]
mod audience;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bad_input;
#[cfg(test)]
mod cage;
#[cfg(test)]
mod canaries;
#[cfg(test)]
mod certificates;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod corpus;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod deletion;
#[cfg(test)]
mod embedder;
#[cfg(test)]
mod emergency;
#[cfg(test)]
mod envelope;
#[cfg(test)]
mod exchange;
#[cfg(test)]
mod folders;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod groups_anew;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod hostile_tokens;
#[cfg(test)]
mod key_files;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod masking_in_flight;
#[cfg(test)]
mod noninterference;
#[cfg(test)]
#[expect(dead_code, reason = "its generators serve the tests of the engine")]
#[path = "../../indexes/tests/it/oracle.rs"]
mod oracle;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod provider;
#[cfg(test)]
mod quickstart;
#[cfg(test)]
mod ranking;
#[cfg(test)]
mod replay;
#[cfg(test)]
mod review;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod sanitising;
#[cfg(test)]
mod scim;
#[cfg(test)]
mod slow_clients;
#[cfg(test)]
mod tenants;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod wording;
