//! Documents made by other programs, and other programs that judge ours. Where one is not installed, the test that needs
//! it says so and goes on without it.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// A document that another program made.
pub(crate) struct Sample {
    /// How.
    pub(crate) name: &'static str,
    /// What.
    pub(crate) bytes: Vec<u8>,
}

const HTML: &str = r#"<html><head><meta charset="utf-8"><style>@page{size:A4} .p{break-after:page}
 td{padding:0 40px}</style></head><body>
<div class=p><h1>Invoice for C-1001</h1><p>Page one: Müller Ωmega office fluffy waffle</p>
<table><tr><td>Amount:</td><td>1,234.50</td></tr></table></div>
<div class=p><h1>Invoice for C-1002</h1><p>Page two: zebra quartz</p>
<table><tr><td>Amount:</td><td>77.10</td></tr></table></div>
<div><h1>Invoice for C-1003</h1><p>Page three: jukebox</p>
<table><tr><td>Amount:</td><td>9.99</td></tr></table></div></body></html>"#;

const TEX: &str = r"\documentclass{article}\begin{document}
\section*{Invoice for C-1001} Page one: office fluffy waffle \par Amount:\hfill 1,234.50\newpage
\section*{Invoice for C-1002} Page two: zebra quartz \par Amount:\hfill 77.10\newpage
\section*{Invoice for C-1003} Page three: jukebox \par Amount:\hfill 9.99\end{document}";

const REPORTLAB: &str = r"
from reportlab.pdfgen import canvas
c = canvas.Canvas('out.pdf', pageCompression=1)
for n, amount in ((1, '1,234.50'), (2, '77.10'), (3, '9.99')):
    c.bookmarkPage(f'p{n}')
    c.addOutlineEntry(f'Outline {n}', f'p{n}')
    c.setFont('Times-Roman', 12)
    c.drawString(72, 720, f'Invoice for C-100{n}')
    c.drawString(72, 700, 'Amount:')
    c.drawString(300, 700, amount)
    c.acroForm.textfield(name=f'field{n}', value=f'value{n}', x=72, y=600, width=100, height=20)
    c.showPage()
c.save()
";

const TROFF: &str =
    ".sp 2\nInvoice for C-1001\n.br\nAmount: 1,234.50 office\n.bp\nInvoice for C-1002
.br\nAmount: 77.10\n.bp\nInvoice for C-1003\n.br\nAmount: 9.99\n";

const TEXT: &str = "Invoice for C-1001\nAmount: 1,234.50\n\x0cInvoice for C-1002\nAmount: 77.10
\x0cInvoice for C-1003\nAmount: 9.99\n";

/// Three invoices of one page each, `C-1001` to `C-1003`, as PDF by every program that is installed.
pub(crate) fn pdfs() -> &'static [Sample] {
    static MADE: OnceLock<Vec<Sample>> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut made = vec![
            made("weasyprint", "in.html", HTML, "weasyprint -q in.html out.pdf"),
            made(
                "chromium",
                "in.html",
                HTML,
                "HOME=. chromium --headless --no-sandbox --disable-gpu --no-pdf-header-footer \
                 --user-data-dir=profile --print-to-pdf=out.pdf in.html",
            ),
            made(
                "pdflatex",
                "in.tex",
                TEX,
                "HOME=. pdflatex -interaction=batchmode in.tex && mv in.pdf out.pdf",
            ),
            made("reportlab", "in.py", REPORTLAB, "/usr/bin/python3 in.py"),
            made("groff", "in.tr", TROFF, "groff -Tpdf in.tr > out.pdf"),
            made(
                "ghostscript",
                "in.txt",
                TEXT,
                "enscript -q -B -p out.ps in.txt && \
                 gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pdfwrite -sOutputFile=out.pdf out.ps",
            ),
        ];
        // The same again by cairo, and with everything in object streams.
        let again: Vec<_> =
            made.iter().flatten().flat_map(|sample| remade(&sample.bytes)).collect();
        made.extend(again);
        made.into_iter().flatten().collect()
    })
}

fn remade(pdf: &[u8]) -> [Option<Sample>; 2] {
    let by = |name, command| {
        let bytes = convert(pdf, command)?;
        Some(Sample { name, bytes })
    };
    [
        by("cairo", "pdftocairo -pdf in out"),
        by("qpdf", "qpdf --object-streams=generate --linearize in out"),
    ]
}

/// The same three invoices as PostScript.
pub(crate) fn postscripts() -> &'static [Sample] {
    static MADE: OnceLock<Vec<Sample>> = OnceLock::new();
    MADE.get_or_init(|| {
        let mut made: Vec<_> = [
            made("enscript", "in.txt", TEXT, "enscript -q -B -p out.pdf in.txt"),
            made("groff", "in.tr", TROFF, "groff -Tps in.tr > out.pdf"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if let Some(pdf) = pdfs().iter().find(|sample| sample.name == "pdflatex") {
            for (name, command) in [
                ("cairo", "pdftocairo -ps in out"),
                ("poppler", "pdftops in out"),
                (
                    "ps2write",
                    "gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=ps2write -sOutputFile=out in",
                ),
            ] {
                made.extend(convert(&pdf.bytes, command).map(|bytes| Sample { name, bytes }));
            }
        }
        made
    })
}

/// The same three invoices as PWG raster, small.
pub(crate) fn raster() -> Option<Vec<u8>> {
    let pdf = pdfs().iter().find(|sample| sample.name == "ghostscript")?;
    convert(
        &pdf.bytes,
        "gs -q -dBATCH -dNOPAUSE -dSAFER -sDEVICE=pwgraster -r36 -sOutputFile=out in",
    )
}

fn made(name: &'static str, file: &str, content: &str, command: &str) -> Option<Sample> {
    let dir = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(dir.path().join(file), content).expect("a file can be written");
    // A program that is here may lack a part (a font, a module): that is not what is tested.
    let works = run(dir.path(), command).status.success();
    let bytes = std::fs::read(dir.path().join("out.pdf")).ok().filter(|_| works);
    if bytes.is_none() {
        eprintln!("{name} is not here or lacks something: its documents are not tried");
    }
    bytes.map(|bytes| Sample { name, bytes })
}

/// What a command makes of a file `in`: a file `out`, or what it says.
pub(crate) fn convert(bytes: &[u8], command: &str) -> Option<Vec<u8>> {
    let dir = tempfile::tempdir().expect("a directory can be made");
    std::fs::write(dir.path().join("in"), bytes).expect("a file can be written");
    let said = shell(dir.path(), command)?;
    Some(std::fs::read(dir.path().join("out")).unwrap_or(said))
}

/// What a command says; `None`, and a word about it, when its program is not there.
fn shell(dir: &Path, command: &str) -> Option<Vec<u8>> {
    let output = run(dir, command);
    if output.status.code() == Some(127) {
        eprintln!("not tried, because a program is not here: {command}");
        return None;
    }
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {said}");
    Some(output.stdout)
}

fn run(dir: &Path, command: &str) -> Output {
    Command::new("sh")
        .args(["-c", command])
        .current_dir(dir)
        .stdin(Stdio::null())
        .output()
        .expect("there is a shell")
}

/// What a command says about a file `in`, as text.
pub(crate) fn said(bytes: &[u8], command: &str) -> Option<String> {
    convert(bytes, command).map(|said| String::from_utf8_lossy(&said).into_owned())
}

/// The number of pages by `pdfinfo`.
pub(crate) fn pdfinfo_pages(pdf: &[u8]) -> Option<u32> {
    let said = said(pdf, "pdfinfo in")?;
    let line = said.lines().find_map(|line| line.strip_prefix("Pages:"))?;
    line.trim().parse().ok()
}
