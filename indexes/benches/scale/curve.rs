//! Curves: what was measured at several sizes, as lines of CSV and as a picture on logarithmic axes.
//!
//! Each size is measured by a process of its own, which tells its points on lines that begin with a mark.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use crate::say;

/// What a line with a point begins with.
const MARK: &str = "point,";
/// Told apart by people who see colours differently (Okabe and Ito).
const COLOURS: [&str; 8] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#8a8a8a", "#b0a000"];
const WIDTH: f64 = 420.0;
const HEIGHT: f64 = 260.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 50.0;
/// From panel to panel: what the lines are stands between.
const PITCH: (f64, f64) = (760.0, 370.0);

/// One question with the sizes at which it is asked, and what stands below its picture.
const QUESTIONS: [(&str, &[&str], &str); 4] = [
    ("singles", &["1000", "3000", "10000", "30000", "100000"], "documents, each in a class of its own"),
    ("groups", &["10", "100", "1000", "10000"], "groups of the caller"),
    ("tenants", &["10", "100", "1000", "10000"], "tenants of 20 chunks"),
    ("wide", &["1000", "10000", "100000", "300000"], "chunks in 300 classes, all read by the caller"),
];

/// Tells a point: what a search, a write or a start took in milliseconds of processor time.
pub(crate) fn point(question: &str, series: &str, size: usize, cpu_ms: f64) {
    say(&format!("{MARK}{question},{series},{size},{cpu_ms:.4}"));
}

/// By question and series: sizes and milliseconds.
type Curves = BTreeMap<String, BTreeMap<String, Vec<(f64, f64)>>>;

/// Asks every question at every size and writes `curves.csv` and `curves.svg` into a folder.
pub(crate) fn all(folder: &Path, largest: usize) {
    let mut csv = "question,series,size,cpu_ms\n".to_owned();
    let mut curves = Curves::new();
    let program = std::env::current_exe().expect("a program knows where it lies");
    for (question, sizes, _) in QUESTIONS {
        for size in sizes.iter().filter(|size| size.parse::<usize>().is_ok_and(|size| size <= largest)) {
            let run = Command::new(&program).args([question, *size]).stderr(Stdio::inherit()).output();
            let output = String::from_utf8_lossy(&run.expect("a program can be run again").stdout).into_owned();
            for line in output.lines() {
                match line.strip_prefix(MARK) {
                    Some(point) => take(point, &mut csv, &mut curves),
                    None => say(line),
                }
            }
        }
    }
    fs::create_dir_all(folder).expect("a folder can be made");
    fs::write(folder.join("curves.csv"), csv).expect("a file can be written");
    fs::write(folder.join("curves.svg"), draw(&curves)).expect("a file can be written");
}

fn take(point: &str, csv: &mut String, curves: &mut Curves) {
    let fields: Vec<&str> = point.split(',').collect();
    if let [question, series, size, cpu_ms] = fields[..]
        && let (Ok(size), Ok(cpu_ms)) = (size.parse(), cpu_ms.parse())
    {
        csv.push_str(&format!("{point}\n"));
        curves.entry(question.into()).or_default().entry(series.into()).or_default().push((size, cpu_ms));
    }
}

fn draw(curves: &Curves) -> String {
    let (width, height) = (2.0 * PITCH.0, 2.0 * PITCH.1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" font-size=\"13\" role=\"img\" aria-label=\"Processor time by size\">\n<style>rect.ground{{fill:#fff}}text{{fill:#1f2328}}.axis{{stroke:#59636e}}.grid{{stroke:#d1d9e0}}@media(prefers-color-scheme:dark){{rect.ground{{fill:#0d1117}}text{{fill:#f0f6fc}}.axis{{stroke:#9198a1}}.grid{{stroke:#3d444d}}}}</style>\n<rect class=\"ground\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for (place, (question, _, label)) in (0_u8..).zip(QUESTIONS) {
        if let Some(series) = curves.get(question) {
            let corner = (LEFT + PITCH.0 * f64::from(place % 2), TOP + PITCH.1 * f64::from(place / 2));
            panel(&mut svg, corner, question, label, series);
        }
    }
    svg.push_str("</svg>\n");
    svg
}

/// The powers of ten around some values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = values
        .filter(|value| *value > 0.0)
        .fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
    let low = low.log10().floor();
    (low, high.log10().ceil().max(low + 1.0))
}

fn panel(
    svg: &mut String,
    (left, top): (f64, f64),
    title: &str,
    label: &str,
    series: &BTreeMap<String, Vec<(f64, f64)>>,
) {
    let points = || series.values().flatten().copied();
    let (x_range, y_range) = (decades(points().map(|(size, _)| size)), decades(points().map(|(_, cpu)| cpu)));
    let share = |value: f64, (low, high): (f64, f64)| (value.log10() - low) / (high - low);
    let x = |value: f64| left + WIDTH * share(value, x_range);
    let y = |value: f64| top + HEIGHT * (1.0 - share(value.max(1e-9), y_range));
    let mut put = |element: String| {
        // A text takes what is written to it.
        let _ = writeln!(svg, "{element}");
    };
    put(format!("<text x=\"{left}\" y=\"{}\" font-size=\"16\" font-weight=\"bold\">{title}</text>", top - 28.0));
    put(format!("<text x=\"{left}\" y=\"{}\">processor time, ms</text>", top - 10.0));
    let mut tick = y_range.0;
    while tick <= y_range.1 {
        let (value, at) = (10_f64.powf(tick), y(10_f64.powf(tick)));
        put(format!("<line class=\"grid\" x1=\"{left}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\"/>", left + WIDTH));
        put(format!("<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>", left - 8.0, at + 4.0));
        tick += 1.0;
    }
    let mut tick = x_range.0;
    while tick <= x_range.1 {
        let (value, at) = (10_f64.powf(tick), x(10_f64.powf(tick)));
        put(format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>", top + HEIGHT + 18.0));
        tick += 1.0;
    }
    put(format!(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{label}</text>",
        left + WIDTH / 2.0,
        top + HEIGHT + 36.0
    ));
    put(format!(
        "<line class=\"axis\" x1=\"{left}\" x2=\"{}\" y1=\"{y0}\" y2=\"{y0}\"/>",
        left + WIDTH,
        y0 = top + HEIGHT
    ));
    for ((place, (name, points)), colour) in (0_u8..).zip(series).zip(COLOURS.iter().cycle()) {
        let path: Vec<String> = points.iter().map(|(size, cpu)| format!("{:.1},{:.1}", x(*size), y(*cpu))).collect();
        put(format!("<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{}\"/>", path.join(" ")));
        let (at, beside) = (top + 14.0 + 18.0 * f64::from(place), left + WIDTH + 18.0);
        put(format!("<rect x=\"{beside}\" y=\"{}\" width=\"12\" height=\"12\" fill=\"{colour}\"/>", at - 10.0));
        put(format!("<text x=\"{}\" y=\"{at}\">{name}</text>", beside + 18.0));
    }
}
