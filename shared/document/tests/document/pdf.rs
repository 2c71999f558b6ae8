//! PDF made by hand, object by object.

/// A file of these objects, numbered from 1, whose catalog is object 1.
pub(crate) fn file(objects: &[String]) -> Vec<u8> {
    file_with(objects, "")
}

/// The same, with more in the trailer.
pub(crate) fn file_with(objects: &[String], trailer: &str) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (number, object) in (1..).zip(objects) {
        table += &format!("{:010} 00000 n \n", out.len());
        out.extend(format!("{number} 0 obj\n{object}\nendobj\n").into_bytes());
    }
    let (start, size) = (out.len(), objects.len() + 1);
    out.extend(format!("xref\n0 {size}\n{table}").into_bytes());
    out.extend(
        format!("trailer\n<</Size {size}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n")
            .into_bytes(),
    );
    out
}

/// A stream.
pub(crate) fn stream(dict: &str, data: &str) -> String {
    format!("<<{dict}/Length {}>>\nstream\n{data}\nendstream", data.len())
}

/// A file with one page for each content, in Helvetica; objects from 4 + 2 times the number of pages are `more`.
pub(crate) fn pages(contents: &[&str], page: &str, more: &[String]) -> Vec<u8> {
    let kids: Vec<String> = (0..contents.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    let mut objects = vec![
        "<</Type/Catalog/Pages 2 0 R>>".to_owned(),
        format!(
            "<</Type/Pages/Count {}/Kids[{}]/MediaBox[0 0 200 300]>>",
            contents.len(),
            kids.join(" ")
        ),
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned(),
    ];
    for (n, content) in contents.iter().enumerate() {
        let content_id = 5 + 2 * n;
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/Contents {content_id} 0 R/Resources<</Font<</F1 3 0 R>>>>{page}>>"
        ));
        objects.push(stream("", content));
    }
    objects.extend_from_slice(more);
    file(&objects)
}

/// A page that shows a line.
pub(crate) fn line(text: &str) -> String {
    format!("BT /F1 12 Tf 20 250 Td ({text}) Tj ET")
}
