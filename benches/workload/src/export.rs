//! The workload as files, for programs in other languages: `.npy` for numbers, a line of JSON for what has names.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
};

use serde_json::{Value, json};

use crate::{
    truth::{TOP_K, Truth},
    workload::Workload,
};

impl Workload {
    /// Writes everything into a folder: `vectors.npy` (f32, a row a chunk), `tenant.npy`, `acl.npy`, `topic.npy` (i32), `chunks.jsonl`, `acls.jsonl`, `users.jsonl`, `queries.npy` (f32), `queries.jsonl`, `gt.npy` (i64, exact answers) and `gt_scores.npy` (f32).
    ///
    /// # Errors
    /// Where a file cannot be written.
    pub fn export(&self, folder: &Path, truths: &[Truth]) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let dimensions = self.options.dimensions;
        let floats = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
        let shape = format!("({}, {dimensions})", self.chunks.len());
        npy(&folder.join("vectors.npy"), "<f4", &shape, &floats(self.vectors()))?;
        let column = |name: &str, value: &dyn Fn(usize) -> usize| {
            let bytes: Vec<u8> = (0..self.chunks.len())
                .flat_map(|row| i32::try_from(value(row)).unwrap_or(i32::MAX).to_le_bytes())
                .collect();
            npy(&folder.join(name), "<i4", &format!("({},)", self.chunks.len()), &bytes)
        };
        column("tenant.npy", &|row| self.chunks[row].tenant)?;
        column("acl.npy", &|row| self.chunks[row].class)?;
        column("topic.npy", &|row| self.chunks[row].topic)?;
        let vectors: Vec<f32> = self.queries.iter().flat_map(|query| query.vector.iter().copied()).collect();
        npy(&folder.join("queries.npy"), "<f4", &format!("({}, {dimensions})", self.queries.len()), &floats(&vectors))?;
        self.export_truths(folder, truths)?;
        self.export_lines(folder)?;
        let options = self.options;
        let meta = json!({
            "n": self.chunks.len(), "dim": dimensions, "tenants": self.tenants.len(), "seed": options.seed,
            "queries": self.queries.len()
        });
        fs::write(folder.join("meta.json"), meta.to_string())
    }

    fn export_truths(&self, folder: &Path, truths: &[Truth]) -> io::Result<()> {
        let (mut rows, mut scores) = (Vec::new(), Vec::new());
        for truth in truths {
            for place in 0..TOP_K {
                let found = truth.best.get(place);
                let row = found.map_or(-1, |(row, _)| i64::try_from(*row).unwrap_or(i64::MAX));
                rows.extend(row.to_le_bytes());
                scores.extend(found.map_or(0.0, |(_, score)| *score).to_le_bytes());
            }
        }
        let shape = format!("({}, {TOP_K})", truths.len());
        npy(&folder.join("gt.npy"), "<i8", &shape, &rows)?;
        npy(&folder.join("gt_scores.npy"), "<f4", &shape, &scores)
    }

    fn export_lines(&self, folder: &Path) -> io::Result<()> {
        let chunk = |row: usize| {
            let chunk = &self.chunks[row];
            json!({"id": row, "tenant": chunk.tenant, "acl": chunk.class, "text": chunk.text})
        };
        lines(&folder.join("chunks.jsonl"), (0..self.chunks.len()).map(chunk))?;
        let tenants = || self.tenants.iter().enumerate();
        let acls = tenants().flat_map(|(tenant, own)| {
            own.classes.iter().enumerate().map(move |(acl, class)| {
                json!({"tenant": tenant, "acl": acl, "principals": bare(&class.principals), "size": class.size})
            })
        });
        lines(&folder.join("acls.jsonl"), acls)?;
        let users = tenants().flat_map(|(tenant, own)| {
            own.users.iter().map(move |user| {
                let names = bare(&user.principals);
                json!({
                    "tenant": tenant, "user": names[0], "principals": names, "acls": user.classes,
                    "readable": user.readable, "share": user.share
                })
            })
        });
        lines(&folder.join("users.jsonl"), users)?;
        let queries = self.queries.iter().enumerate().map(|(number, query)| {
            let user = self.user(query);
            let names = bare(&user.principals);
            json!({
                "qid": number, "tenant": query.tenant, "user": names[0], "bucket": query.bucket,
                "kind": if query.is_near { "near" } else { "any" }, "text": query.text, "share": user.share,
                "readable": user.readable, "principals": names, "acls": user.classes
            })
        });
        lines(&folder.join("queries.jsonl"), queries)
    }
}

/// Names without `user:` and `group:`, which the numbers of the workload do not need.
fn bare(principals: &[String]) -> Vec<&str> {
    principals.iter().map(|name| name.split_once(':').map_or(name.as_str(), |(_, bare)| bare)).collect()
}

fn lines(path: &Path, values: impl Iterator<Item = Value>) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    for value in values {
        writeln!(file, "{value}")?;
    }
    file.flush()
}

/// NumPy's file form, version 1.0, with a header of 128 bytes.
fn npy(path: &Path, kind: &str, shape: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = BufWriter::new(File::create(path)?);
    let description = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    file.write_all(b"\x93NUMPY\x01\x00\x76\x00")?;
    writeln!(file, "{description:<117}")?;
    file.write_all(bytes)?;
    file.flush()
}
