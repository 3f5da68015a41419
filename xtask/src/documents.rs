//! Real documents for `cargo xtask bench documents`: packages that other people wrote, and what other programs read in their files.
//!
//! They are fetched below the target folder through the package managers, and are no part of the repository. Versions from PyPI are pinned; Debian's are those of the machine's release, and the table names them.

use std::{fs, path::PathBuf, process::Command};

use crate::{
    needs,
    process::{self, Failure, is_installed, run},
    python,
};

/// Debian packages with manuals in PDF, made by LaTeX, XeTeX, dblatex and groff with Ghostscript.
const DEBIAN: &[&str] =
    &["bash-doc", "debian-policy", "debian-reference-en", "developers-reference", "gnuplot-doc", "maint-guide"];

/// Source packages whose own tests have documents: BSD-3-Clause, MIT, MIT, MIT, Apache-2.0.
const SOURCES: &[&str] =
    &["pypdf==7.1.1", "python-docx==1.2.0", "python-pptx==1.0.2", "xlsx2csv==0.8.6", "odfpy==1.4.1"];

/// What the reference is read with, and what it brings along.
const READERS: &[&str] = &[
    "python-docx==1.2.0",
    "python-pptx==1.0.2",
    "openpyxl==3.1.5",
    "odfpy==1.4.1",
    "defusedxml==0.7.1",
    "et_xmlfile==2.0.0",
    "lxml==6.1.3",
    "pillow==13.0.0",
    "typing_extensions==4.16.0",
    "XlsxWriter==3.3.1",
];

/// Fetches the documents and reads them with other programs, or finds that it was done; gives the folder.
pub(crate) fn fetch() -> Result<PathBuf, Failure> {
    let folder = process::target().join("bench-documents");
    let script = process::root().join("ingest/benches/documents/reference.py");
    let list = fs::read_to_string(&script).map_err(|error| format!("`{}`: {error}", script.display()))?
        + &[DEBIAN, SOURCES, READERS].concat().join("\n");
    let done = folder.join("done.txt");
    if fs::read_to_string(&done).is_ok_and(|before| before == list) {
        return Ok(folder);
    }
    for tool in [("pdftotext", "poppler-utils"), ("dpkg-deb", "dpkg")] {
        if !is_installed(tool.0) {
            needs::install(&[tool.1])?;
        }
    }
    let (environment, sdists, debs) = (folder.join("python"), folder.join("sdists"), folder.join("debs"));
    for own in [&sdists, &debs] {
        fs::create_dir_all(own).map_err(|error| format!("`{}`: {error}", own.display()))?;
    }
    python::make_environment(&environment)?;
    let pip = |arguments: &[&str]| {
        let mut command = Command::new(python::python(&environment));
        command.args(["-m", "pip", "--disable-pip-version-check"]).args(arguments);
        command
    };
    run(pip(&["install", "--quiet", "--no-deps"]).args(READERS))?;
    run(pip(&["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest"]).arg(&sdists).args(SOURCES))?;
    run(Command::new("apt-get").arg("download").args(DEBIAN).current_dir(&debs))?;
    run(Command::new(python::python(&environment)).arg(&script).arg(&folder))?;
    fs::write(&done, list).map_err(|error| format!("`{}`: {error}", done.display()))?;
    Ok(folder)
}
