"""Unpacks third-party packages and writes down what other programs read in some of their documents.

Called by `cargo xtask bench documents` with a folder that holds packages: `sdists/*.tar.gz` and `debs/*.deb`. Writes `files.tsv` there: the package, the document and the text that a reference extractor gives, a line each. The references are Poppler for PDF and the libraries python-docx, python-pptx, openpyxl and odfpy, which share no code with the parsers that are measured.
"""

import gzip
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

# Documents by package: those with the most words of each, without scans whose text is laid invisibly behind a picture, and without sheets of nothing but formatted numbers, of which the reference gives the stored value and not what is shown.
DEBIAN = {
    "bash-doc": ["bash.pdf", "bashref.pdf"],
    "debian-policy": ["policy.pdf.gz", "fhs-3.0.pdf.gz"],
    "debian-reference-en": ["debian-reference.en.pdf"],
    "developers-reference": ["developers-reference.pdf"],
    "gnuplot-doc": ["gnuplot.pdf"],
    "maint-guide": ["maint-guide.en.pdf"],
}
PYPI = {
    "pypdf": [
        "AutoCad_Diagram.pdf",
        "GeoBase_NHNC1_Data_Model_UML_EN.pdf",
        "SF424_page2.pdf",
        "crazyones.pdf",
        "example.pdf",
        "issue-604.pdf",
        "issue-914-xmp-data.pdf",
        "pdflatex-outline.pdf",
        "side-by-side-subfig.pdf",
    ],
    "python_docx": ["blk-paras-and-tables.docx", "par-hlink-frags.docx", "par-rendered-page-breaks.docx", "tbl-cell-props.docx", "txt-font-props.docx"],
    "python_pptx": ["dml-line.pptx", "txt-fit-text.pptx", "txt-font-props.pptx", "txt-font-typeface.pptx", "tbl-cell.pptx"],
    "xlsx2csv": ["empty_row.xlsx", "namespace.xlsx", "sheets.xlsx", "sheets_order.xlsx", "utf8.xlsx"],
    "odfpy": ["api-for-odfpy.odt", "images.odt", "imageslabels.odt", "serious_poem.odt", "userfields_ooo3.odt"],
}


def pdf(path):
    # With the layout kept, words that are cut at the end of a line stay cut, as they are here.
    return subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True).stdout.decode()


def docx(path):
    import docx
    from docx.oxml.ns import qn
    from docx.text.paragraph import Paragraph

    document = docx.Document(path)
    parts = [document.element.body]
    for section in document.sections:
        for part in (section.header, section.first_page_header, section.footer, section.first_page_footer):
            if not part.is_linked_to_previous:
                parts.append(part._element)
    return "\n".join(Paragraph(own, document).text for part in parts for own in part.iter(qn("w:p")))


def pptx(path):
    from pptx import Presentation
    from pptx.enum.shapes import MSO_SHAPE_TYPE

    def texts(shapes):
        for shape in shapes:
            if shape.shape_type == MSO_SHAPE_TYPE.GROUP:
                yield from texts(shape.shapes)
            elif shape.has_text_frame:
                yield shape.text_frame.text
            elif getattr(shape, "has_table", False) and shape.has_table:
                yield from (cell.text for row in shape.table.rows for cell in row.cells)

    return "\n".join(text for slide in Presentation(path).slides for text in texts(slide.shapes))


def xlsx(path):
    import openpyxl

    sheets = [sheet for sheet in openpyxl.load_workbook(path, data_only=True).worksheets if sheet.sheet_state == "visible"]
    rows = [" ".join(str(value) for value in row if value is not None) for sheet in sheets for row in sheet.iter_rows(values_only=True)]
    return "\n".join([sheet.title for sheet in sheets if sheet.max_row > 1 or sheet["A1"].value is not None] + rows)


def odt(path):
    from odf import teletype, text
    from odf.opendocument import load

    document = load(path)
    return "\n".join(teletype.extractText(own) for kind in (text.H, text.P) for own in document.getElementsByType(kind))


READERS = {"pdf": pdf, "docx": docx, "pptx": pptx, "xlsx": xlsx, "odt": odt}


def unpack(folder):
    """Where each package was unpacked, by its name and with its version."""
    unpacked = folder / "unpacked"
    shutil.rmtree(unpacked, ignore_errors=True)
    for path in sorted((folder / "sdists").glob("*.tar.gz")):
        with tarfile.open(path) as archive:
            archive.extractall(unpacked, filter="data")
    for path in sorted((folder / "debs").glob("*.deb")):
        subprocess.run(["dpkg-deb", "--extract", path, unpacked / path.name.rsplit("_", 1)[0]], check=True)
    return unpacked


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    unpacked, texts = unpack(folder), folder / "texts"
    shutil.rmtree(texts, ignore_errors=True)
    texts.mkdir()
    lines = []
    for package, names in (DEBIAN | PYPI).items():
        root = next(own for own in unpacked.iterdir() if re.match(re.escape(package) + "[-_]", own.name))
        for name in names:
            path = next(own for own in sorted(root.rglob(name)) if own.is_file())
            if path.suffix == ".gz":
                plain = path.with_suffix("")
                plain.write_bytes(gzip.decompress(path.read_bytes()))
                path = plain
            reference = texts / f"{path.name}.txt"
            reference.write_text(READERS[path.suffix[1:]](path))
            lines.append(f"{root.name}\t{path}\t{reference}\n")
    (folder / "files.tsv").write_text("".join(lines))


main()
