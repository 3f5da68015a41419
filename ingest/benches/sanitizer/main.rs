//! How well the sanitiser tells instructions from honest text, and how fast: `cargo xtask bench sanitizer [--rows FOLDER | --quick] [--show] [--write]`.
//!
//! Every family is measured by a model that has not seen it; averages are over families, never over pooled rows. `--rows` measures on rows of one's own (JSONL, `carrier_text` and `injected_span`), a file a family: a file whose name ends with a committed family's is measured without that family, any other by the model that ships. `--also FOLDER` adds such rows to the whole. `--quick` leaves out what needs training; `--show` prints what hidden instructions left. `--write` puts the figures into `benches/README.md`.
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod attacker;
mod credentials;
mod hidden;
mod speed;

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use ringfence_ingest::{
    sanitizer_version,
    training::{Data, Detector, Row, SETTINGS, digest, ratio, rows, train, train_shipped},
};

/// What any reader of the figures has to know.
const CAVEAT: &str = "All detection figures but the adaptive one are for attacks that did not adapt to this detector; an attacker who adapts gets through. The label and the scope of what may be read, not the detector, are the guarantee.";

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folders = |option: &str| {
        let pairs = arguments.windows(2).filter(|pair| pair[0] == option);
        pairs.map(|pair| pair[1].clone()).collect::<Vec<String>>()
    };
    let (own, also) = (folders("--rows"), folders("--also"));
    let data = Data::committed();
    let mut page = format!("Sanitiser `{}`. {CAVEAT}\n\n", sanitizer_version());
    for folder in &own {
        own_rows(&data, Path::new(folder), &mut page)?;
    }
    if own.is_empty() {
        if !arguments.iter().any(|own| own == "--quick") {
            families(&data, &mut page)?;
            languages(&data, &mut page)?;
        }
        for folder in &also {
            own_rows(&data, Path::new(folder), &mut page)?;
        }
        techniques(arguments.iter().any(|own| own == "--show"), &mut page)?;
        credentials::write(&data, &mut page)?;
        adaptive(&data, &mut page)?;
        speed::write(&data, &mut page)?;
    }
    println!("{page}");
    if arguments.iter().any(|own| own == "--write") {
        put_into_readme(&page)?;
    }
    Ok(())
}

/// Rules alone, a model alone, both.
fn detectors(model: &[u8]) -> Outcome<[Detector; 3]> {
    let read = |with_rules| Detector::model(model.to_vec(), with_rules).ok_or("the model was just made");
    Ok([Detector::rules(), read(false)?, read(true)?])
}

/// Flagged and removed of attacks, or lost of sentences, by each of the three detectors.
#[derive(Default)]
struct Tally {
    rows: usize,
    hits: [(usize, usize); 3],
}

impl Tally {
    fn attacks(rows: &[Row], detectors: &[Detector; 3]) -> Self {
        let mut tally = Self { rows: rows.len(), ..Self::default() };
        for row in rows {
            for (hits, detector) in tally.hits.iter_mut().zip(detectors) {
                let (flagged, removed) = detector.meets(row);
                hits.0 += usize::from(flagged);
                hits.1 += usize::from(removed);
            }
        }
        tally
    }

    fn honest<'a>(&mut self, rows: impl Iterator<Item = &'a Row>, detectors: &[Detector; 3]) {
        for row in rows {
            for (index, (hits, detector)) in self.hits.iter_mut().zip(detectors).enumerate() {
                let (sentences, all, by_judgement) = detector.loses(&row.text);
                self.rows += if index == 0 { sentences } else { 0 };
                hits.0 += all;
                hits.1 += by_judgement;
            }
        }
    }
}

/// The table of families, each measured without itself, and of losses, each by models that have not seen the text.
fn families(data: &Data, page: &mut String) -> Outcome<()> {
    let names: Vec<String> = data.families().into_iter().map(str::to_owned).collect();
    let folds = u64::try_from(names.len())?;
    let mut attacks: Vec<(String, Tally)> = Vec::new();
    let mut honest: BTreeMap<String, Tally> = BTreeMap::new();
    for (fold, name) in (0_u64..).zip(&names) {
        let is_held_out =
            |row: &Row| if row.is_attack() { row.source == *name } else { digest(&row.text) % folds == fold };
        let detectors = detectors(&train(&data.rows(|row| !is_held_out(row)), &SETTINGS))?;
        attacks.push((name.clone(), Tally::attacks(&data.family(name), &detectors)));
        for source in data.honest.iter().map(|row| &row.source) {
            honest.entry(source.clone()).or_default();
        }
        for (source, tally) in &mut honest {
            tally.honest(data.honest.iter().filter(|row| row.source == *source && is_held_out(row)), &detectors);
        }
    }
    write_attacks("Families, each measured by a model that was trained without it", &attacks, page)?;
    page.push_str("Sentences of honest texts lost, in per cent, by models trained without these texts: as instructions, and in all (with hidden things, tokens and markup that loads, which go in any case).\n\n| texts | sentences | rules | model | both | both, in all |\n| --- | --- | --- | --- | --- | --- |\n");
    for (source, tally) in &honest {
        let lost = |count: usize| format!("{:.3}", 100.0 * ratio(count, tally.rows));
        let [rules, model, both] = tally.hits;
        writeln!(
            page,
            "| {source} | {} | {} | {} | {} | {} |",
            tally.rows,
            lost(rules.1),
            lost(model.1),
            lost(both.1),
            lost(both.0)
        )?;
    }
    page.push('\n');
    Ok(())
}

fn write_attacks(title: &str, attacks: &[(String, Tally)], page: &mut String) -> Outcome<()> {
    writeln!(page, "{title}: flagged / at least 80 % removed.\n")?;
    page.push_str("| family | rows | rules alone | model alone | both |\n| --- | --- | --- | --- | --- |\n");
    let mut sums = [(0.0, 0.0); 3];
    for (name, tally) in attacks {
        write!(page, "| {name} | {} |", tally.rows)?;
        for (sum, hits) in sums.iter_mut().zip(tally.hits) {
            let (flagged, removed) = (ratio(hits.0, tally.rows), ratio(hits.1, tally.rows));
            sum.0 += flagged;
            sum.1 += removed;
            write!(page, " {flagged:.2} / {removed:.2} |")?;
        }
        page.push('\n');
    }
    page.push_str("| **macro average** | |");
    for (flagged, removed) in sums {
        let count = f64::from(u32::try_from(attacks.len().max(1))?);
        write!(page, " {:.3} / {:.3} |", flagged / count, removed / count)?;
    }
    page.push_str("\n\n");
    Ok(())
}

/// Languages of the collections, each measured by a model that has seen nothing in it.
fn languages(data: &Data, page: &mut String) -> Outcome<()> {
    // The collections spell the same language in different ways.
    let groups: [(&str, &[&str], bool); 11] = [
        ("Chinese", &["Chinese", "zh"], true),
        ("Hindi", &["Hindi", "hi"], true),
        ("Thai", &["Thai", "th"], true),
        ("Korean", &["Korean", "ko"], true),
        ("Arabic", &["Arabic", "ar"], true),
        ("Vietnamese", &["Vietnamese", "vi"], true),
        ("Russian", &["Russian", "ru"], true),
        ("Zulu", &["zu"], false),
        ("Irish", &["ga"], false),
        ("Scottish Gaelic", &["gd"], false),
        ("Albanian", &["sq"], false),
    ];
    let all: Vec<Row> = data.families().iter().flat_map(|name| data.family(name)).collect();
    let mut attacks = Vec::new();
    for (name, codes, in_lexicon) in groups {
        let is_own = |row: &Row| row.language.as_deref().is_some_and(|language| codes.contains(&language));
        let detectors = detectors(&train(&data.rows(|row| !is_own(row)), &SETTINGS))?;
        let own: Vec<Row> = all.iter().filter(|row| is_own(row)).cloned().collect();
        let name = if in_lexicon { format!("{name} (the rules have words of it)") } else { name.to_owned() };
        attacks.push((name, Tally::attacks(&own, &detectors)));
    }
    write_attacks("Languages, each measured by a model that was trained without it", &attacks, page)
}

/// Hidden and structural techniques, through the whole preparation of a document.
fn techniques(show: bool, page: &mut String) -> Outcome<()> {
    let measured: Vec<(&str, (usize, usize))> =
        hidden::TECHNIQUES.iter().map(|technique| (technique.name, hidden::measure(technique, show))).collect();
    let (gone, all) = measured.iter().fold((0, 0), |sum, (_, (gone, all))| (sum.0 + gone, sum.1 + all));
    write!(
        page,
        "Hidden and disguised, {} techniques, eight instructions each, as Markdown or HTML: {gone} of {all} gone without a rest ({:.3})",
        measured.len(),
        ratio(gone, all)
    )?;
    let missed: Vec<String> = measured
        .iter()
        .filter(|(_, (gone, all))| gone < all)
        .map(|(name, (gone, all))| format!("{name} {gone} of {all}"))
        .collect();
    writeln!(page, "{}{}.\n", if missed.is_empty() { "" } else { "; not all: " }, missed.join(", "))?;
    Ok(())
}

/// The attacker who adapts, on instructions that the shipped sanitiser finds as they stand.
fn adaptive(data: &Data, page: &mut String) -> Outcome<()> {
    const EACH: usize = 12;
    let detector = Detector::model(train_shipped(), true).ok_or("the model was just made")?;
    let carriers = data.carriers();
    let (mut tried, mut won, mut within) = (0, 0, [0_usize; 3]);
    for name in data.families() {
        let payloads = data.payloads.iter().filter(|payload| payload.source == *name && payload.text.len() < 600);
        let mut taken = 0;
        for payload in payloads {
            let row = ringfence_ingest::training::insert(
                payload,
                &carriers[taken % carriers.len()].text,
                &mut ringfence_ingest::training::Random::new(digest(&payload.text)),
            );
            if taken == EACH || !detector.meets(&row).1 || !digest(&payload.text).is_multiple_of(4) {
                continue;
            }
            taken += 1;
            tried += 1;
            if let Some(queries) = attacker::attack(&detector, payload, &carriers[taken % carriers.len()]) {
                won += 1;
                for (count, bound) in within.iter_mut().zip([10, 50, attacker::BUDGET]) {
                    *count += usize::from(queries <= bound);
                }
            }
        }
    }
    writeln!(
        page,
        "Adaptive: an attacker who changes synonyms, spelling, case, spacing, punctuation, opening and language of single words at random, sees how much was taken out, and has {} queries for each of {tried} instructions that are found as they stand, leaves {:.2} of them untouched in the end ({:.2} within 10 queries, {:.2} within 50).\n",
        attacker::BUDGET,
        ratio(won, tried),
        ratio(within[0], tried),
        ratio(within[1], tried)
    )?;
    Ok(())
}

/// Rows of the caller's own.
fn own_rows(data: &Data, folder: &Path, page: &mut String) -> Outcome<()> {
    let mut paths: Vec<_> =
        std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|own| own == "jsonl"));
    paths.sort();
    let mut attacks = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let rows = rows(&name, &std::fs::read_to_string(&path)?)?;
        let held_out = data.families().into_iter().find(|family| name.contains(*family)).map(str::to_owned);
        let texts: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.text.as_str()).collect();
        // A text that is both in the folder and in the data must not have been seen.
        let keeps = |row: &Row| held_out.as_deref() != Some(row.source.as_str()) && !texts.contains(row.text.as_str());
        let detectors = detectors(&train(&data.rows(keeps), &SETTINGS))?;
        let (hostile, honest): (Vec<Row>, Vec<Row>) = rows.iter().cloned().partition(Row::is_attack);
        if !hostile.is_empty() {
            attacks.push((name.clone(), Tally::attacks(&hostile, &detectors)));
        }
        if !honest.is_empty() {
            let mut tally = Tally::default();
            tally.honest(honest.iter(), &detectors);
            let lost = |count: usize| 100.0 * ratio(count, tally.rows);
            writeln!(
                page,
                "{name}: of {} sentences lost {:.3} % by the rules, {:.3} % by both; in all {:.3} %.\n",
                tally.rows,
                lost(tally.hits[0].1),
                lost(tally.hits[2].1),
                lost(tally.hits[2].0)
            )?;
        }
    }
    if attacks.is_empty() {
        return Ok(());
    }
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    let title = format!(
        "Rows that are not in the repository (`{name}`), by models that were trained without the family and without the texts"
    );
    write_attacks(&title, &attacks, page)
}

fn put_into_readme(page: &str) -> Outcome<()> {
    const BEGIN: &str = "<!-- sanitizer: written by `cargo xtask bench sanitizer --write` -->\n";
    const END: &str = "<!-- sanitizer: end -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../benches/README.md");
    let text = std::fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(BEGIN).ok_or("benches/README.md has no section for the sanitiser")?;
    let (_, after) = rest.split_once(END).ok_or("the section for the sanitiser has no end")?;
    std::fs::write(path, format!("{before}{BEGIN}\n{}\n\n{END}{after}", page.trim_end()))?;
    Ok(())
}
