"""What others' programs read in an auditor's papers: openpyxl the workbook, compliance-trestle the assessment results."""

import pathlib
import sys

import openpyxl
from trestle.oscal.assessment_results import AssessmentResults

folder = pathlib.Path(sys.argv[1])

results = AssessmentResults.oscal_read(folder / "assessment-results.json")
(result,) = results.results
print("period", result.start.isoformat(), result.end.isoformat())
print("file", results.back_matter.resources[0].rlinks[0].hashes[0].value)
for finding in result.findings:
    print("finding", finding.target.target_id, finding.target.status.state.value)
print("observations", len(result.observations))

book = openpyxl.load_workbook(folder / "work-papers.xlsx")
print("sheets", *book.sheetnames)
for row in book["Summary"].iter_rows(min_row=8, values_only=True):
    print("summary", row[0], row[3], row[4], row[1])
sheet = book[sys.argv[2]]
rows = list(sheet.iter_rows(values_only=True))
head = next(number for number, row in enumerate(rows) if row[0] == "No.")
members = [row for row in rows[head + 1 :] if row[0] is not None]
print("members", len(members), "drawn", sum(row[5] == "S" for row in members))
print("marks", *sorted({row[4] for row in members}))
formulas = [cell.coordinate for name in book for row in name.iter_rows() for cell in row if cell.data_type == "f"]
print("formulas", len(formulas))
