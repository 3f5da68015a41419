//! Workbooks: each sheet under a heading with its name, its rows as they are shown.
//!
//! Hidden sheets, rows and columns, values whose format or colour hides them, comments and properties become findings. Formulas are not read: a person sees their values.

mod format;
mod sheet;
mod styles;

use std::collections::BTreeMap;

use crate::{
    finding::FindingKind,
    parse::{
        Parsed,
        archive::Archive,
        package::{Relation, main_part, related, relations, report_properties},
        pptx::slide::text_of,
        writer::Writer,
        xlsx::{
            sheet::{SharedText, Sheet, read_strings},
            styles::Styles,
        },
        xml::{Piece, Reader, Space, decode},
    },
    prepare::PrepareError,
};

/// What the sheets of a workbook share.
pub(super) struct Workbook {
    strings: Vec<SharedText>,
    styles: Styles,
    is_1904: bool,
}

/// A sheet as the workbook lists it.
struct Listed {
    name: String,
    id: String,
    is_hidden: bool,
}

/// Parses a workbook.
pub(super) fn parse(archive: &Archive<'_>) -> Result<Parsed, PrepareError> {
    let main = main_part(archive)?;
    let parts = relations(archive, &main)?;
    let (sheets, is_1904) = list(&decode(archive.required(&main)?)?)?;
    let styles = Styles::read(&related(archive, &parts, "styles")?, &related(archive, &parts, "theme")?)?;
    let strings = read_strings(&related(archive, &parts, "sharedStrings")?, &styles)?;
    let workbook = Workbook { strings, styles, is_1904 };
    let mut writer = Writer::new();
    for sheet in sheets {
        let Some(relation) = parts.get(&sheet.id).filter(|relation| relation.kind == "worksheet") else { continue };
        let page = parse_sheet(archive, relation, &workbook)?;
        if sheet.is_hidden {
            writer.report_hidden(&page.text);
        } else if page.text.is_empty() {
            writer.embed(&page);
        } else {
            writer.heading(1, &sheet.name);
            writer.embed(&page);
        }
    }
    report_properties(archive, &mut writer)?;
    writer.finish(None)
}

fn parse_sheet(archive: &Archive<'_>, sheet: &Relation, workbook: &Workbook) -> Result<Parsed, PrepareError> {
    let links = relations(archive, &sheet.target)?;
    let mut page = Writer::new();
    let headers = table_headers(archive, &links)?;
    Sheet::new(workbook, headers, &mut page).run(&decode(archive.required(&sheet.target)?)?)?;
    for part in related(archive, &links, "drawing")? {
        page.paragraph(&text_of(&part)?);
        report_alternatives(&part, &mut page)?;
    }
    for kind in ["comments", "threadedComment"] {
        for part in related(archive, &links, kind)? {
            if part.contains("<t>") || part.contains("<text>") || part.contains("<t ") || part.contains(":t>") {
                page.report(FindingKind::Comment);
            }
        }
    }
    page.finish(None)
}

fn report_alternatives(part: &str, page: &mut Writer) -> Result<(), PrepareError> {
    let mut reader = Reader::new(part);
    while let Some(piece) = reader.next()? {
        if let Piece::Start(element) = piece
            && element.is(Space::SheetDrawing, "cNvPr")
        {
            page.report_prose(element.attribute("descr").unwrap_or_default());
        }
    }
    Ok(())
}

/// The rows in which a table has its header, whose colours its style gives.
fn table_headers(archive: &Archive<'_>, links: &BTreeMap<String, Relation>) -> Result<Vec<u32>, PrepareError> {
    let mut rows = Vec::new();
    for part in related(archive, links, "table")? {
        let mut reader = Reader::new(&part);
        if let Some(Piece::Start(element)) = reader.next()? {
            let first = element.attribute("ref").and_then(|range| range.split(':').next());
            rows.extend(first.and_then(sheet::coordinates).map(|(row, _)| row));
        }
    }
    Ok(rows)
}

fn list(part: &str) -> Result<(Vec<Listed>, bool), PrepareError> {
    let mut reader = Reader::new(part);
    let (mut sheets, mut is_1904) = (Vec::new(), false);
    while let Some(piece) = reader.next()? {
        let Piece::Start(element) = piece else { continue };
        if element.is(Space::Sheet, "workbookPr") {
            is_1904 = matches!(element.attribute("date1904"), Some("1" | "true"));
        } else if element.is(Space::Sheet, "sheet") {
            sheets.push(Listed {
                name: element.attribute("name").unwrap_or_default().to_owned(),
                id: element.attribute_in(Space::Relations, "id").unwrap_or_default().to_owned(),
                is_hidden: element.attribute("state").is_some_and(|state| state != "visible"),
            });
        }
    }
    Ok((sheets, is_1904))
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

    const MAIN: &str = "xmlns='http://schemas.openxmlformats.org/spreadsheetml/2006/main' xmlns:r='http://schemas.openxmlformats.org/officeDocument/2006/relationships'";
    const STYLES: &str = "<numFmts><numFmt numFmtId='164' formatCode=';;;'/><numFmt numFmtId='165' formatCode='yyyy\\-mm\\-dd'/></numFmts>
        <fonts><font/><font><color rgb='FFFFFFFF'/></font><font><sz val='1'/></font><font><color theme='0'/></font></fonts>
        <fills><fill><patternFill patternType='none'/></fill><fill><patternFill patternType='gray125'/></fill><fill><patternFill patternType='solid'><fgColor rgb='FF1F497D'/></patternFill></fill></fills>
        <cellXfs><xf numFmtId='0' fontId='0' fillId='0'/><xf numFmtId='165'/><xf numFmtId='10'/><xf numFmtId='164'/><xf fontId='1'/><xf fontId='1' fillId='2'/><xf fontId='2'/><xf numFmtId='4'/><xf fontId='3'/></cellXfs>";
    const STRINGS: &str = "<si><t>Name</t></si><si><t>Amount</t></si><si><r><t>rich </t></r><r><rPr><color rgb='FFFFFFFF'/></rPr><t>ghost</t></r><rPh><t>phonetic</t></rPh></si>";

    fn workbook(sheet: &str, second: &str) -> Parsed {
        let relations = |entries: &[(&str, &str, &str)]| {
            let entry = |(id, kind, target): &(&str, &str, &str)| {
                format!("<Relationship Id='{id}' Type='http://x/{kind}' Target='{target}'/>")
            };
            let entries: String = entries.iter().map(entry).collect();
            format!(
                "<Relationships xmlns='http://schemas.openxmlformats.org/package/2006/relationships'>{entries}</Relationships>"
            )
        };
        let sheet_part = |inner: &str| format!("<worksheet {MAIN}>{inner}</worksheet>");
        let bytes = pack(&[
            ("_rels/.rels", &relations(&[("r", "officeDocument", "xl/workbook.xml")])),
            (
                "xl/workbook.xml",
                &format!(
                    "<workbook {MAIN}><sheets><sheet name='Budget' r:id='s1'/><sheet name='Secret' state='veryHidden' r:id='s2'/></sheets></workbook>"
                ),
            ),
            (
                "xl/_rels/workbook.xml.rels",
                &relations(&[
                    ("s1", "worksheet", "1.xml"),
                    ("s2", "worksheet", "2.xml"),
                    ("a", "styles", "styles.xml"),
                    ("b", "sharedStrings", "strings.xml"),
                ]),
            ),
            ("xl/1.xml", &sheet_part(sheet)),
            ("xl/2.xml", &sheet_part(second)),
            ("xl/styles.xml", &format!("<styleSheet {MAIN}>{STYLES}</styleSheet>")),
            ("xl/strings.xml", &format!("<sst {MAIN}>{STRINGS}</sst>")),
        ]);
        super::parse(&Archive::open(&bytes).expect("opens")).expect("parses")
    }

    #[track_caller]
    fn check(sheet: &str, expected: &str, findings: &[FindingKind]) {
        let parsed = workbook(sheet, "");
        let expected = if expected.is_empty() { String::new() } else { format!("# Budget\n\n{expected}") };
        assert_eq!(parsed.text, expected, "{sheet}");
        assert_eq!(parsed.findings.iter().map(|finding| finding.kind).collect::<Vec<_>>(), findings, "{sheet}");
    }

    fn cell(style: usize, value: &str) -> String {
        format!(
            "<sheetData><row r='1'><c r='A1' t='inlineStr'><is><t>seen</t></is></c><c r='B1' s='{style}'><v>{value}</v></c></row></sheetData>"
        )
    }

    #[test]
    fn rows_show_what_the_program_shows() {
        let sheet = "<sheetData><row r='1'><c r='A1' t='s'><v>0</v></c><c r='B1' t='s'><v>1</v></c></row>
            <row r='2'><c r='A2' t='inlineStr'><is><t>Rent</t></is></c><c r='B2' s='7'><f>1+1</f><v>1234.5</v></c><c r='E2' t='b'><v>1</v></c></row>
            <row r='3'><c r='A3' t='str'><v>sum</v></c><c r='B3' t='e'><v>#DIV/0!</v></c></row></sheetData>";
        check(sheet, "Name | Amount\nRent | 1,234.50 |  |  | TRUE\nsum | #DIV/0!", &[]);
        check(&cell(1, "45000"), "seen | 2023-03-15", &[]);
        check(&cell(2, "0.125"), "seen | 12.50%", &[]);
        check(&cell(0, "0.30000000000000004"), "seen | 0.3", &[]);
        check(&cell(5, "7"), "seen | 7", &[]);
    }

    #[test]
    fn what_the_program_hides_is_left_out() {
        for style in [3, 4, 6, 8] {
            check(&cell(style, "7"), "seen", &[HiddenText]);
        }
        check("<sheetData><row r='1'><c r='A1' t='s'><v>2</v></c></row></sheetData>", "rich", &[HiddenText]);
        check(&cell(0, "7").replace("r='1'>", "r='1' hidden='1'>"), "", &[HiddenText]);
        check(&format!("<cols><col min='2' max='3' hidden='1'/></cols>{}", cell(0, "7")), "seen", &[HiddenText]);
        let parsed = workbook(&cell(0, "7"), &cell(0, "8"));
        assert_eq!((parsed.text.as_str(), parsed.findings.len()), ("# Budget\n\nseen | 7", 1));
    }

    #[test]
    fn far_cells_cost_nothing() {
        let rows: String = (1..2000)
            .map(|row| format!("<row r='{row}'><c r='A{row}'><v>1</v></c><c r='XFD{row}'><v>2</v></c></row>"))
            .collect();
        assert!(workbook(&format!("<sheetData>{rows}</sheetData>"), "").text.len() < 100_000);
        check("<sheetData><row><c r='ZZZZZZZZZZZZ1'><v>1</v></c><c t='s'><v>99</v></c></row></sheetData>", "1", &[]);
    }
}
