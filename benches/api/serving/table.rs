//! What was measured, as Markdown.

use ringfence_workload::{BUCKETS, Workload};

use super::outcome::{Answers, Measured, Run, System};

const MODES: [&str; 3] = ["vector", "hybrid", "keyword"];

/// What was asked, in a sentence.
pub(super) fn describe(workload: &Workload) -> String {
    let options = workload.options;
    format!(
        "{} chunks of {} dimensions, {} tenants, {} classes, {} queries, seed {}",
        workload.chunks.len(),
        options.dimensions,
        workload.tenants.len(),
        workload.tenants.iter().map(|tenant| tenant.classes.len()).sum::<usize>(),
        workload.queries.len(),
        options.seed
    )
}

/// Everything that was measured.
pub(super) fn report(measured: &Measured) -> String {
    let labels: Vec<&str> = BUCKETS.iter().map(|bucket| bucket.label).collect();
    let mut report = format!(
        "{}. Where a cell has four figures, they are for users who may read {} of their tenant. One client where nothing else is said; times are the client's.\n",
        measured.workload,
        labels.join(", ")
    );
    for mode in MODES {
        answers(&mut report, mode, &measured.systems);
    }
    building(&mut report, &measured.systems);
    about(&mut report, &measured.systems);
    report
}

fn answers(report: &mut String, mode: &str, systems: &[System]) {
    let rows: Vec<(String, &Run)> = systems
        .iter()
        .flat_map(|system| system.runs.iter().filter(|run| run.mode == mode).map(|run| (title(system, run), run)))
        .collect();
    if rows.is_empty() {
        return;
    }
    let ours = rows.iter().find(|(title, _)| title == "Ringfence").map(|(_, run)| *run);
    let is_exact = mode == "vector";
    let recall = if is_exact { " recall@10 |" } else { "" };
    let short = if mode == "keyword" { "" } else { " short |" };
    report.push_str(&format!(
        "\n### {mode}\n\n| |{recall}{short} leaks | p50 ms | p99 ms | CPU ms | a second, 2 clients | CPU ms, 2 clients | Ringfence is faster by | and cheaper in CPU by |\n"
    ));
    let columns = 9 + usize::from(is_exact) + usize::from(mode != "keyword");
    report.push_str(&format!("|{}\n", " --- |".repeat(columns)));
    for (title, run) in &rows {
        let cells = |cell: &dyn Fn(&Answers) -> String| {
            let cell = |answers: &Answers| if answers.queries == 0 { "–".to_owned() } else { cell(answers) };
            run.buckets.iter().map(cell).collect::<Vec<_>>().join(" / ")
        };
        let mut line = vec![title.clone()];
        if is_exact {
            line.push(cells(&|answers| answers.recall.map_or("–".to_owned(), |recall| format!("{recall:.3}"))));
        }
        if mode != "keyword" {
            let short: usize = run.buckets.iter().filter_map(|answers| answers.short).sum();
            let queries: usize = run.buckets.iter().map(|answers| answers.queries).sum();
            line.push(format!("{short} of {queries}"));
        }
        line.push(run.buckets.iter().map(|answers| answers.leaks).sum::<usize>().to_string());
        line.push(cells(&|answers| figure(answers.p50_ms)));
        line.push(cells(&|answers| figure(answers.p99_ms)));
        line.push(cells(&|answers| figure(answers.cpu_ms)));
        line.push(format!("{:.0}", run.two_clients_per_second));
        line.push(figure(run.two_clients_cpu_ms));
        let is_peer = !title.starts_with("Ringfence");
        let ratio = |ratio: f64| if is_peer { format!("{ratio:.1} ×") } else { "–".to_owned() };
        let faster = ours.map_or(0.0, |ours| ours.two_clients_per_second / run.two_clients_per_second.max(1e-9));
        let cheaper = ours.map_or(0.0, |ours| run.two_clients_cpu_ms / ours.two_clients_cpu_ms.max(1e-9));
        line.extend([ratio(faster), ratio(cheaper)]);
        report.push_str(&format!("| {} |\n", line.join(" | ")));
    }
}

fn title(system: &System, run: &Run) -> String {
    if run.setting.is_empty() { system.name.clone() } else { format!("{}, {}", system.name, run.setting) }
}

/// Three digits that count.
fn figure(value: f64) -> String {
    let digits = if value < 1.0 {
        3
    } else if value < 10.0 {
        2
    } else {
        1
    };
    format!("{value:.digits$}")
}

fn building(report: &mut String, systems: &[System]) {
    report.push_str("\n### From raw rows to fully indexed\n\n| | chunks a second | chunks a CPU second | disk MiB | resident MiB |\n| --- | --- | --- | --- | --- |\n");
    for (system, built) in systems.iter().filter_map(|system| system.built.as_ref().map(|built| (system, built))) {
        let earlier = if built.earlier { " (an earlier run)" } else { "" };
        report.push_str(&format!(
            "| {} | {:.0}{earlier} | {:.0}{earlier} | {} | {} |\n",
            system.name,
            built.chunks_per_second,
            built.chunks_per_cpu_second,
            if built.disk_mib == 0 { "–".to_owned() } else { built.disk_mib.to_string() },
            built.resident_mib
        ));
    }
}

fn about(report: &mut String, systems: &[System]) {
    report.push('\n');
    for system in systems {
        let [before, after] = system.calibration_ms;
        let what = match &system.left_out {
            Some(reason) => format!("left out: {reason}"),
            None => format!(
                "{}. The machine's fixed piece of work: {before:.2} ms before, {after:.2} ms after",
                system.about
            ),
        };
        report.push_str(&format!("- {}: {what}.\n", system.name));
    }
}
