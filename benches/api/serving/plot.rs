//! What was measured, as a picture: the median answer by what the user may read, on a logarithmic scale, a panel a mode.
//!
//! Plain SVG with the reader's own colours, light or dark.

use std::fmt::Write;

use ringfence_workload::BUCKETS;

use super::outcome::System;

const PANELS: [(&str, &str); 2] = [("vector", "Vector search"), ("hybrid", "Hybrid search")];
/// Told apart by people who see colours differently (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b0a000"];
const PANEL_WIDTH: f64 = 300.0;
const PANEL_HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 60.0;
/// From panel to panel: the labels of the lines stand between.
const PITCH: f64 = 600.0;
const LABEL_GAP: f64 = 15.0;

struct Line {
    name: String,
    colour: &'static str,
    /// Of another setting of the same system.
    is_dashed: bool,
    points: Vec<f64>,
    is_ours: bool,
}

pub(super) fn draw(systems: &[System]) -> String {
    let lines: Vec<Vec<Line>> = PANELS.iter().map(|(mode, _)| lines(systems, mode)).collect();
    let values = || lines.iter().flatten().flat_map(|line| line.points.iter().copied()).filter(|value| *value > 0.0);
    let low = 10_f64.powf(values().fold(f64::INFINITY, f64::min).min(1.0).log10().floor());
    let high = 10_f64.powf(values().fold(0.0, f64::max).max(low * 10.0).log10().ceil());
    let width = LEFT + PITCH * 2.0;
    let height = TOP + PANEL_HEIGHT + 70.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"Median answer in milliseconds by the share of the tenant that the user may read\">\n<style>rect.ground{{fill:#fff}}text{{fill:#1f2328}}.axis{{stroke:#59636e;stroke-width:1}}.grid{{stroke:#d1d9e0;stroke-width:1}}@media(prefers-color-scheme:dark){{rect.ground{{fill:#0d1117}}text{{fill:#f0f6fc}}.axis{{stroke:#9198a1}}.grid{{stroke:#3d444d}}}}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (index, (_, title)) in PANELS.iter().enumerate() {
        let left = LEFT + PITCH * f64::from(u8::try_from(index).unwrap_or(0));
        panel(&mut svg, left, title, &lines[index], low, high);
    }
    svg.push_str("</svg>\n");
    svg
}

fn lines(systems: &[System], mode: &str) -> Vec<Line> {
    let shown = systems.iter().filter(|system| system.name != "Ringfence, again").zip(COLOURS.iter().cycle());
    let runs = shown.flat_map(|(system, colour)| system.runs.iter().map(move |run| (system, colour, run)));
    runs.filter(|(_, _, run)| run.mode == mode)
        .map(|(system, colour, run)| Line {
            colour,
            is_dashed: !run.setting.is_empty(),
            name: if run.setting.is_empty() {
                system.name.clone()
            } else {
                format!("{}, {}", system.name, run.setting)
            },
            points: run.buckets.iter().map(|answers| answers.p50_ms).collect(),
            is_ours: system.name.starts_with("Ringfence"),
        })
        .collect()
}

fn panel(svg: &mut String, left: f64, title: &str, lines: &[Line], low: f64, high: f64) {
    let y =
        |value: f64| TOP + PANEL_HEIGHT * (1.0 - (value.max(low).log10() - low.log10()) / (high.log10() - low.log10()));
    let step = PANEL_WIDTH / 3.0;
    let x = |bucket: usize| left + step * f64::from(u8::try_from(bucket).unwrap_or(0));
    let bottom = TOP + PANEL_HEIGHT;
    put(svg, &format!("<text x=\"{left}\" y=\"28\" font-size=\"16\" font-weight=\"bold\">{title}</text>"));
    put(svg, &format!("<text x=\"{left}\" y=\"46\">median answer, ms (logarithmic)</text>"));
    let mut tick = low;
    while tick <= high * 1.001 {
        let at = y(tick);
        put(
            svg,
            &format!(
                "<line class=\"grid\" x1=\"{left}\" y1=\"{at:.1}\" x2=\"{}\" y2=\"{at:.1}\"/>",
                left + PANEL_WIDTH
            ),
        );
        put(svg, &format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>", left - 8.0, at + 4.0));
        tick *= 10.0;
        // Powers of ten below one are not exact.
        tick = tick.to_string().parse::<f64>().map_or(tick, |tick| (tick * 1e6).round() / 1e6);
    }
    put(
        svg,
        &format!("<line class=\"axis\" x1=\"{left}\" y1=\"{bottom}\" x2=\"{}\" y2=\"{bottom}\"/>", left + PANEL_WIDTH),
    );
    for (bucket, bounds) in BUCKETS.iter().enumerate() {
        let at = x(bucket);
        put(
            svg,
            &format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>", bottom + 20.0, bounds.label),
        );
    }
    let middle = left + PANEL_WIDTH / 2.0;
    put(
        svg,
        &format!(
            "<text x=\"{middle}\" y=\"{}\" text-anchor=\"middle\">the user may read … of the tenant's chunks</text>",
            bottom + 44.0
        ),
    );
    let mut labels = Vec::new();
    for line in lines {
        let colour = line.colour;
        let dash = if line.is_dashed { " stroke-dasharray=\"6 4\"" } else { "" };
        let weight = if line.is_ours { 3.5 } else { 1.8 };
        let points: Vec<String> = line
            .points
            .iter()
            .enumerate()
            .map(|(bucket, value)| format!("{:.1},{:.1}", x(bucket), y(*value)))
            .collect();
        put(
            svg,
            &format!(
                "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"{weight}\"{dash} points=\"{}\"/>",
                points.join(" ")
            ),
        );
        for point in &points {
            let (px, py) = point.split_once(',').unwrap_or_default();
            put(svg, &format!("<circle cx=\"{px}\" cy=\"{py}\" r=\"3.5\" fill=\"{colour}\"/>"));
        }
        labels.push((y(line.points.last().copied().unwrap_or(low)), &line.name, colour, line.is_ours));
    }
    write_labels(svg, left + PANEL_WIDTH + 10.0, labels);
}

/// Each name beside the end of its line, moved down where two would overlap.
fn write_labels(svg: &mut String, x: f64, mut labels: Vec<(f64, &String, &str, bool)>) {
    labels.sort_by(|left, right| left.0.total_cmp(&right.0));
    let mut free = 0.0_f64;
    for (wanted, name, colour, is_ours) in labels {
        let at = wanted.max(free);
        free = at + LABEL_GAP;
        let weight = if is_ours { " font-weight=\"bold\"" } else { "" };
        put(svg, &format!("<circle cx=\"{:.1}\" cy=\"{at:.1}\" r=\"4\" fill=\"{colour}\"/>", x + 2.0));
        put(svg, &format!("<text x=\"{:.1}\" y=\"{:.1}\"{weight}>{name}</text>", x + 12.0, at + 4.0));
    }
}

fn put(svg: &mut String, element: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(svg, "{element}");
}
