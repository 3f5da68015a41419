//! Slide shows: each slide under a heading with its number, what stands on it in the order of the file.
//!
//! Hidden slides, hidden shapes, what lies off the slide, text in the colour of its ground or too small to read, speaker notes, comments and alternative texts become findings.

mod cells;
pub(super) mod slide;
mod theme;

use crate::{
    finding::FindingKind,
    parse::{
        Parsed,
        archive::Archive,
        package::{main_part, related, relations, report_properties},
        pptx::{
            slide::{Slide, text_of},
            theme::Backdrop,
        },
        writer::Writer,
        xml::{Piece, Reader, Space, decode},
    },
    prepare::PrepareError,
};

/// A show with more slides is no show.
const SLIDES_MAX: usize = 5000;

/// Parses a show.
pub(super) fn parse(archive: &Archive<'_>) -> Result<Parsed, PrepareError> {
    let main = main_part(archive)?;
    let outline = Outline::read(&decode(archive.required(&main)?)?)?;
    let parts = relations(archive, &main)?;
    let mut writer = Writer::new();
    let mut title = None;
    for (index, id) in outline.slides.iter().take(SLIDES_MAX).enumerate() {
        let Some(relation) = parts.get(id).filter(|relation| relation.kind == "slide") else { continue };
        let text = decode(archive.required(&relation.target)?)?;
        let links = relations(archive, &relation.target)?;
        let mut page = Writer::new();
        let backdrop = Backdrop::read(archive, &links)?;
        let found = Slide::new(&outline, backdrop, &mut page).run(&text)?;
        for part in related(archive, &links, "diagramData")? {
            page.paragraph(&text_of(&part)?);
        }
        for part in related(archive, &links, "notesSlide")? {
            page.report_hidden(&text_of(&part)?);
        }
        for part in related(archive, &links, "comments")? {
            if part.contains("<p:text") || part.contains(":t>") {
                page.report(FindingKind::Comment);
            }
        }
        let page = page.finish(None)?;
        if found.is_hidden {
            writer.report_hidden(&page.text);
            continue;
        }
        title = title.or(found.title);
        if page.text.is_empty() {
            writer.embed(&page);
        } else {
            writer.heading(1, &format!("Slide {}", index + 1));
            writer.embed(&page);
        }
    }
    report_properties(archive, &mut writer)?;
    writer.finish(title)
}

/// The order of the slides and their size.
pub(super) struct Outline {
    slides: Vec<String>,
    width: f64,
    height: f64,
}

impl Outline {
    fn read(part: &str) -> Result<Self, PrepareError> {
        let mut outline = Self { slides: Vec::new(), width: 12_192_000.0, height: 6_858_000.0 };
        let mut reader = Reader::new(part);
        while let Some(piece) = reader.next()? {
            let Piece::Start(element) = piece else { continue };
            if element.is(Space::Slides, "sldId") {
                outline.slides.extend(element.attribute_in(Space::Relations, "id").map(str::to_owned));
            } else if element.is(Space::Slides, "sldSz") {
                outline.width = element.number("cx").unwrap_or(outline.width);
                outline.height = element.number("cy").unwrap_or(outline.height);
            }
        }
        Ok(outline)
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        finding::FindingKind::{self, HiddenText},
        parse::{
            Parsed,
            archive::{Archive, tests::pack},
        },
    };

    const SPACES: &str = "xmlns:p='http://schemas.openxmlformats.org/presentationml/2006/main' xmlns:a='http://schemas.openxmlformats.org/drawingml/2006/main' xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'";

    fn relations(entries: &[(&str, &str, &str)]) -> String {
        let entry = |(id, kind, target): &(&str, &str, &str)| {
            format!("<Relationship Id='{id}' Type='http://x/{kind}' Target='{target}'/>")
        };
        let entries: String = entries.iter().map(entry).collect();
        format!(
            "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>{entries}</Relationships>"
        )
    }

    fn show(slide: &str, second: &str, notes: &str) -> Parsed {
        let slide_part = |inner: &str, attributes: &str| {
            format!("<p:sld {SPACES} {attributes}><p:cSld><p:spTree>{inner}</p:spTree></p:cSld></p:sld>")
        };
        let theme = format!(
            "<a:theme {SPACES}><a:themeElements><a:clrScheme><a:dk1><a:sysClr val='windowText' lastClr='000000'/></a:dk1><a:lt1><a:srgbClr val='FFFFFF'/></a:lt1><a:accent1><a:srgbClr val='336699'/></a:accent1></a:clrScheme></a:themeElements></a:theme>"
        );
        let master = format!(
            "<p:sldMaster {SPACES}><p:cSld><p:bg><p:bgRef idx='1001'><a:schemeClr val='bg1'/></p:bgRef></p:bg></p:cSld><p:clrMap bg1='lt1' tx1='dk1'/></p:sldMaster>"
        );
        let notes = format!(
            "<p:notes {SPACES}><p:cSld><p:spTree><p:sp><p:txBody><a:p><a:r><a:t>{notes}</a:t></a:r></a:p></p:txBody></p:sp></p:spTree></p:cSld></p:notes>"
        );
        let bytes = pack(&[
            ("_rels/.rels", &relations(&[("r", "officeDocument", "ppt/p.xml")])),
            (
                "ppt/p.xml",
                &format!(
                    "<p:presentation {SPACES}><p:sldIdLst><p:sldId id='1' r:id='s1'/><p:sldId id='2' r:id='s2'/></p:sldIdLst><p:sldSz cx='9144000' cy='6858000'/></p:presentation>"
                ),
            ),
            ("ppt/_rels/p.xml.rels", &relations(&[("s1", "slide", "slides/1.xml"), ("s2", "slide", "slides/2.xml")])),
            ("ppt/slides/1.xml", &slide_part(slide, "")),
            (
                "ppt/slides/_rels/1.xml.rels",
                &relations(&[("l", "slideLayout", "../l.xml"), ("n", "notesSlide", "../n.xml")]),
            ),
            ("ppt/slides/2.xml", &slide_part(second, "show='0'")),
            ("ppt/l.xml", &format!("<p:sldLayout {SPACES}/>")),
            ("ppt/_rels/l.xml.rels", &relations(&[("m", "slideMaster", "m.xml")])),
            ("ppt/m.xml", &master),
            ("ppt/_rels/m.xml.rels", &relations(&[("t", "theme", "t.xml")])),
            ("ppt/t.xml", &theme),
            ("ppt/n.xml", &notes),
        ]);
        super::parse(&Archive::open(&bytes).expect("opens")).expect("parses")
    }

    fn shape(properties: &str, run: &str, text: &str) -> String {
        format!(
            "<p:sp><p:nvSpPr><p:cNvPr id='1' name='x'/></p:nvSpPr><p:spPr>{properties}</p:spPr><p:txBody><a:p><a:r><a:rPr>{run}</a:rPr><a:t>{text}</a:t></a:r></a:p></p:txBody></p:sp>"
        )
    }

    const PLACE: &str = "<a:xfrm><a:off x='100000' y='100000'/><a:ext cx='900000' cy='900000'/></a:xfrm>";

    #[track_caller]
    fn check(slide: &str, expected: &str, findings: &[FindingKind]) {
        let parsed = show(slide, "", "");
        let expected = if expected.is_empty() { String::new() } else { format!("# Slide 1\n\n{expected}") };
        assert_eq!(parsed.text, expected, "{slide}");
        assert_eq!(parsed.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), findings, "{slide}");
    }

    #[test]
    fn slides_become_sections() {
        let title = "<p:sp><p:nvSpPr><p:cNvPr id='1' name='t'/><p:nvPr><p:ph type='title'/></p:nvPr></p:nvSpPr><p:spPr/><p:txBody><a:p><a:r><a:t>Our plan</a:t></a:r></a:p></p:txBody></p:sp>";
        let cell = |text: &str| format!("<a:tc><a:txBody><a:p><a:r><a:t>{text}</a:t></a:r></a:p></a:txBody></a:tc>");
        let table = format!(
            "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tr>{}{}</a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>",
            cell("a"),
            cell("b")
        );
        let number = "<p:sp><p:nvSpPr><p:nvPr><p:ph type='sldNum'/></p:nvPr></p:nvSpPr><p:txBody><a:p><a:r><a:t>1</a:t></a:r></a:p></p:txBody></p:sp>";
        let slide = [title, &shape(PLACE, "", "one"), &table, number].concat();
        check(&slide, "## Our plan\n\none\n\na | b", &[]);
        assert_eq!(show(&slide, "", "").title.as_deref(), Some("Our plan"));
    }

    #[test]
    fn what_is_not_on_the_screen_is_left_out() {
        let white = "<a:solidFill><a:srgbClr val='FFFFFF'/></a:solidFill>";
        for (properties, run) in [
            (PLACE, white),
            (PLACE, "<a:solidFill><a:schemeClr val='bg1'/></a:solidFill>"),
            (PLACE, "<a:noFill/>"),
            (PLACE, "<a:solidFill><a:srgbClr val='000000'><a:alpha val='0'/></a:srgbClr></a:solidFill>"),
            ("<a:xfrm><a:off x='10000000' y='0'/><a:ext cx='900000' cy='900000'/></a:xfrm>", ""),
            ("<a:xfrm><a:off x='-2000000' y='0'/><a:ext cx='900000' cy='900000'/></a:xfrm>", ""),
        ] {
            check(&shape(properties, run, "hidden"), "", &[HiddenText]);
        }
        check(&shape(PLACE, "", "x").replace("<a:rPr>", "<a:rPr sz='100'>"), "", &[HiddenText]);
        check(&shape(PLACE, "", "x").replace("name='x'", "name='x' hidden='1'"), "", &[HiddenText]);
        check(
            &shape(PLACE, "", "x").replace("name='x'", "name='x' descr='Reader, obey these four words'"),
            "x",
            &[HiddenText],
        );
        for (second, notes) in [(shape(PLACE, "", "hidden slide"), ""), (String::new(), "speaker notes")] {
            let parsed = show(&shape(PLACE, "", "seen"), &second, notes);
            assert_eq!((parsed.text.as_str(), parsed.findings.len()), ("# Slide 1\n\nseen", 1));
        }
    }

    #[test]
    fn text_of_the_colour_of_its_cell_is_left_out() {
        let white = "<a:solidFill><a:srgbClr val='FFFFFF'/></a:solidFill>";
        let table = |style: &str, fill: &str| {
            format!(
                "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tblPr>{style}</a:tblPr><a:tr><a:tc><a:txBody><a:p><a:r><a:t>a</a:t></a:r></a:p></a:txBody></a:tc><a:tc><a:txBody><a:p><a:r><a:rPr>{white}</a:rPr><a:t>b</a:t></a:r></a:p></a:txBody><a:tcPr>{fill}</a:tcPr></a:tc></a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
            )
        };
        let shown = |style: &str, fill: &str| show(&table(style, fill), "", "").text.contains('b');
        let plain = "<a:tableStyleId>{2D5ABB26-0587-4C30-8999-92F81FD0307C}</a:tableStyleId>";
        let styled = "<a:tableStyleId>{5C22544A-7EE6-4342-B048-85BDC9FD1C3A}</a:tableStyleId>";
        let dark = "<a:solidFill><a:srgbClr val='000044'/></a:solidFill>";
        assert!(!shown("", "") && !shown(plain, "") && !shown(plain, "<a:noFill/>") && !shown(styled, white));
        assert!(shown(styled, "") && shown(plain, dark) && shown("", "<a:gradFill/>"));
        assert_eq!(show(&table(plain, white), "", "").findings.len(), 1);
    }

    #[test]
    fn light_text_on_something_dark_is_seen() {
        let white = "<a:solidFill><a:srgbClr val='FFFFFF'/></a:solidFill>";
        let dark = format!("{PLACE}<a:solidFill><a:srgbClr val='000044'/></a:solidFill>");
        check(&shape(&dark, white, "x"), "x", &[]);
        check(&shape(&format!("{PLACE}<a:solidFill><a:schemeClr val='accent1'/></a:solidFill>"), white, "x"), "x", &[]);
        let below = shape(&dark, "", "");
        check(&format!("{below}{}", shape(PLACE, white, "x")), "x", &[]);
        let picture = format!("<p:pic><p:spPr>{PLACE}</p:spPr></p:pic>");
        check(&format!("{picture}{}", shape(PLACE, white, "x")), "x", &[]);
    }
}
