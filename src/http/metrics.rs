//! Counters for whoever runs the server. Labels come from closed sets: no tenant, key, name or text is ever one.
//!
//! Each server has its own recorder, so that several in one process do not count each other's requests.

use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, None);
/// From a millisecond to the longest that anybody waits, in seconds.
const BUCKETS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// The counters of one server.
pub(super) struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    searches: Counter,
    chunks: Counter,
    authentication_failures: Counter,
    audit_failures: Counter,
    waiting_searches: Gauge,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("there are buckets");
        let recorder = builder.build_recorder();
        for (name, text) in [
            ("ringfence_http_requests_total", "Requests by method, route template and status class."),
            ("ringfence_searches_total", "Searches that were answered."),
            ("ringfence_ingested_chunks_total", "Passages that became searchable."),
            ("ringfence_authentication_failures_total", "Requests with a bad credential."),
            ("ringfence_audit_failures_total", "Answers withheld because they could not be recorded."),
        ] {
            recorder.describe_counter(name.into(), None, text.into());
        }
        recorder.describe_histogram(
            "ringfence_http_request_seconds".into(),
            None,
            "Time from a request's head to its answer's head, by route template.".into(),
        );
        recorder.describe_gauge("ringfence_waiting_searches".into(), None, "Searches that wait for a place.".into());
        recorder.describe_gauge(
            "ringfence_issuer_keys_usable".into(),
            None,
            "Whether there are keys to verify the tokens of an issuer with that publishes them, by issuer.".into(),
        );
        let counter = |name: &'static str| recorder.register_counter(&Key::from_static_name(name), &METADATA);
        Self {
            searches: counter("ringfence_searches_total"),
            chunks: counter("ringfence_ingested_chunks_total"),
            authentication_failures: counter("ringfence_authentication_failures_total"),
            audit_failures: counter("ringfence_audit_failures_total"),
            waiting_searches: recorder.register_gauge(&Key::from_static_name("ringfence_waiting_searches"), &METADATA),
            handle: recorder.handle(),
            recorder,
        }
    }

    /// Counts a request that was answered. `route` is the template, never the path.
    pub(super) fn request(&self, method: &'static str, route: &str, status: u16, took: Duration) {
        let class = match status / 100 {
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            5 => "5xx",
            _ => "1xx",
        };
        let route = Label::new("route", route.to_owned());
        let labels = vec![Label::new("method", method), route.clone(), Label::new("status", class)];
        let key = Key::from_parts("ringfence_http_requests_total", labels);
        self.recorder.register_counter(&key, &METADATA).increment(1);
        let key = Key::from_parts("ringfence_http_request_seconds", vec![route]);
        let histogram: Histogram = self.recorder.register_histogram(&key, &METADATA);
        histogram.record(took.as_secs_f64());
    }

    pub(super) fn searched(&self) {
        self.searches.increment(1);
    }

    pub(super) fn ingested(&self, chunks: usize) {
        self.chunks.increment(chunks as u64);
    }

    pub(super) fn authentication_failed(&self) {
        self.authentication_failures.increment(1);
    }

    pub(super) fn audit_failed(&self) {
        self.audit_failures.increment(1);
    }

    /// The text that Prometheus reads.
    ///
    /// `issuers` come from the configuration, so they are a closed set too.
    pub(super) fn render(&self, waiting_searches: usize, issuers: &[(&str, bool)]) -> String {
        for (issuer, is_usable) in issuers {
            let label = Label::new("issuer", (*issuer).to_owned());
            let key = Key::from_parts("ringfence_issuer_keys_usable", vec![label]);
            self.recorder.register_gauge(&key, &METADATA).set(f64::from(u8::from(*is_usable)));
        }
        self.waiting_searches.set(f64::from(u32::try_from(waiting_searches).unwrap_or(u32::MAX)));
        self.handle.render()
    }

    /// Folds what was measured since into the histograms, so that it does not pile up where nobody reads it.
    pub(super) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_count_apart() {
        let (one, other) = (Metrics::new(), Metrics::new());
        one.request("GET", "/v1/groups/{name}", 404, Duration::from_millis(3));
        one.searched();
        let text = one.render(2, &[("https://idp.example", false)]);
        let line = r#"ringfence_http_requests_total{method="GET",route="/v1/groups/{name}",status="4xx"} 1"#;
        assert!(text.contains(line), "{text}");
        assert!(text.contains(r#"ringfence_issuer_keys_usable{issuer="https://idp.example"} 0"#), "{text}");
        assert!(text.contains("ringfence_searches_total 1") && text.contains("ringfence_waiting_searches 2"), "{text}");
        assert!(text.contains(r#"ringfence_http_request_seconds_bucket{route="/v1/groups/{name}",le="0.005"} 1"#));
        assert!(!other.render(0, &[]).contains("route="));
    }
}
