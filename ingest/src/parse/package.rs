//! What an Office archive is made of: its content types, and the relations that lead from part to part.

use std::collections::BTreeMap;

use crate::{
    media_type::MediaType,
    parse::{
        archive::Archive,
        writer::Writer,
        xml::{Piece, Reader, Space, decode},
    },
    prepare::PrepareError,
};

/// The content types of main parts. Those with macros and templates are other media types, which are not taken.
const MAIN_TYPES: [(&str, MediaType); 3] = [
    ("application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml", MediaType::Docx),
    ("application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml", MediaType::Pptx),
    ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml", MediaType::Xlsx),
];

/// The format of an archive by what it says of itself; `None` is an archive of something else.
pub(super) fn media_type(archive: &Archive<'_>) -> Result<Option<MediaType>, PrepareError> {
    if let Some(name) = archive.part("mimetype")? {
        let odt = MediaType::Odt.name().as_bytes();
        return Ok((name.trim_ascii() == odt).then_some(MediaType::Odt));
    }
    let Some(types) = archive.part("[Content_Types].xml")? else { return Ok(None) };
    let types = decode(types)?;
    let mut reader = Reader::new(&types);
    let mut found = None;
    while let Some(piece) = reader.next()? {
        let Piece::Start(element) = piece else { continue };
        if element.space == Space::ContentTypes && matches!(element.name.as_str(), "Override" | "Default") {
            let content_type = element.attribute("ContentType").unwrap_or_default();
            found = found.or_else(|| MAIN_TYPES.iter().find(|(name, _)| *name == content_type).map(|(_, own)| *own));
        }
    }
    Ok(found)
}

/// A relation from one part to another of the same archive.
#[derive(Clone, Debug)]
pub(super) struct Relation {
    /// The last step of its type, such as `slide`.
    pub(super) kind: String,
    /// The path of the part.
    pub(super) target: String,
}

/// The relations of a part by id; those that lead out of the archive are not followed, and not listed.
pub(super) fn relations(archive: &Archive<'_>, part: &str) -> Result<BTreeMap<String, Relation>, PrepareError> {
    let (folder, name) = part.rsplit_once('/').unwrap_or(("", part));
    let separator = if folder.is_empty() { "" } else { "/" };
    let mut relations = BTreeMap::new();
    let Some(text) = archive.part(&format!("{folder}{separator}_rels/{name}.rels"))? else { return Ok(relations) };
    let text = decode(text)?;
    let mut reader = Reader::new(&text);
    while let Some(piece) = reader.next()? {
        let Piece::Start(element) = piece else { continue };
        let is_inside = element.attribute("TargetMode").is_none_or(|mode| mode == "Internal");
        if !element.is(Space::PackageRelations, "Relationship") || !is_inside {
            continue;
        }
        let attribute = |name| element.attribute(name).unwrap_or_default();
        if let Some(target) = resolve(folder, attribute("Target")) {
            let kind = attribute("Type").rsplit('/').next().unwrap_or_default().to_owned();
            relations.insert(attribute("Id").to_owned(), Relation { kind, target });
        }
    }
    Ok(relations)
}

/// The part that holds the document itself.
pub(super) fn main_part(archive: &Archive<'_>) -> Result<String, PrepareError> {
    let root = relations(archive, "")?;
    let main = root.into_values().find(|relation| relation.kind == "officeDocument");
    main.map(|relation| relation.target).ok_or(PrepareError::Unparseable(crate::fault::Fault::MissingPart))
}

/// The text of each part of a kind that a part refers to.
pub(super) fn related(
    archive: &Archive<'_>,
    relations: &BTreeMap<String, Relation>,
    kind: &str,
) -> Result<Vec<String>, PrepareError> {
    let of_kind = relations.values().filter(|relation| relation.kind == kind);
    let parts = of_kind.filter_map(|relation| archive.part(&relation.target).transpose());
    parts.map(|part| part.and_then(decode)).collect()
}

/// Reports properties of a file that hold prose: a person reads the document, not its properties.
pub(super) fn report_properties(archive: &Archive<'_>, writer: &mut Writer) -> Result<(), PrepareError> {
    for name in ["docProps/core.xml", "docProps/custom.xml", "meta.xml"] {
        let Some(part) = archive.part(name)? else { continue };
        let part = decode(part)?;
        let mut reader = Reader::new(&part);
        let mut path: Vec<String> = Vec::new();
        while let Some(piece) = reader.next()? {
            match piece {
                Piece::Start(element) => path.push(element.name),
                Piece::End => drop(path.pop()),
                // A title is a name, whatever its length.
                Piece::Text(text) if path.last().is_some_and(|name| name != "title") => writer.report_prose(&text),
                Piece::Text(_) => {}
            }
        }
    }
    Ok(())
}

fn resolve(folder: &str, target: &str) -> Option<String> {
    let (mut steps, target): (Vec<&str>, &str) = match target.strip_prefix('/') {
        Some(absolute) => (Vec::new(), absolute),
        None => (folder.split('/').filter(|step| !step.is_empty()).collect(), target),
    };
    for step in target.split('/') {
        match step {
            "" | "." => {}
            ".." => {
                steps.pop()?;
            }
            _ => steps.push(step),
        }
    }
    Some(steps.join("/"))
}

#[cfg(test)]
mod tests {
    use super::{relations, resolve};
    use crate::parse::archive::{Archive, tests::pack};

    #[test]
    fn targets_stay_inside() {
        assert_eq!(resolve("ppt/slides", "../media/a.png").as_deref(), Some("ppt/media/a.png"));
        assert_eq!(resolve("ppt", "/word/b.xml").as_deref(), Some("word/b.xml"));
        assert_eq!(resolve("ppt", "../../c.xml"), None);
    }

    #[test]
    fn what_leads_out_is_not_followed() {
        let rels = "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>
            <Relationship Id='r1' Type='http://x/slide' Target='s.xml'/>
            <Relationship Id='r2' Type='http://x/template' Target='http://127.0.0.1:9/t' TargetMode='External'/></Relationships>";
        let bytes = pack(&[("word/_rels/d.xml.rels", rels)]);
        let archive = Archive::open(&bytes).expect("opens");
        let found = relations(&archive, "word/d.xml").expect("reads");
        assert_eq!(found.len(), 1);
        assert_eq!((found["r1"].kind.as_str(), found["r1"].target.as_str()), ("slide", "word/s.xml"));
    }
}
