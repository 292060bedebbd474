# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads what `qemu-vtop translate --all` wrote, by pyarrow, DuckDB and polars, and compares all with the pagemap.

columns.py TRUTH.json PAGEMAP.bin VM FOLDER: the folder has pages.arrow, .arrows, .parquet, .csv, .jsonl, and
signed.arrow, signed.parquet, of every page of the guest.
"""

import array
import json
import sys
from pathlib import Path

import duckdb
import polars
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.json
import pyarrow.parquet

truth_path, pagemap_path, name, folder = sys.argv[1:]
folder = Path(folder)
ADDRESSES = ["gpa", "hva", "hpa", "swap_offset"]


def wanted_columns():
    """gpa, hva, hpa, swap type and offset of each page, as the host itself recorded them."""
    pagemap = array.array("Q", Path(pagemap_path).read_bytes())
    vm = next(vm for vm in json.loads(Path(truth_path).read_text())["vms"] if vm["name"] == name)
    slots = [slot for slot in vm["memslots"] if slot["address_space"] == 0]
    rows = {"gpa": [], "hva": [], "hpa": [], "entry": []}
    for slot in sorted(slots, key=lambda slot: int(slot["gpa"], 16)):
        first = slot["pagemap_bin_offset"] // 8
        for page in range(slot["pages"]):
            entry = pagemap[first + page]
            rows["gpa"].append(int(slot["gpa"], 16) + 4096 * page)
            rows["hva"].append(int(slot["hva"], 16) + 4096 * page)
            rows["hpa"].append((entry & (1 << 55) - 1) * 4096 if entry >> 63 else None)
            rows["entry"].append(entry)
    return rows


def read_text(table):
    """Addresses are 0x texts in JSON lines and CSV."""
    for column in ADDRESSES:
        if pa.types.is_string(table[column].type):
            values = [None if value in (None, "") else int(value, 16) for value in table[column].to_pylist()]
            at = table.column_names.index(column)
            table = table.set_column(at, column, pa.array(values, pa.uint64()))
    return table


def by_pyarrow():
    yield "pages.arrow", pa.ipc.open_file(folder / "pages.arrow").read_all(), pa.uint64()
    yield "pages.arrows", pa.ipc.open_stream(folder / "pages.arrows").read_all(), pa.uint64()
    yield "pages.parquet", pa.parquet.read_table(folder / "pages.parquet"), pa.uint64()
    yield "signed.arrow", pa.ipc.open_file(folder / "signed.arrow").read_all(), pa.int64()
    yield "signed.parquet", pa.parquet.read_table(folder / "signed.parquet"), pa.int64()
    yield "pages.csv", read_text(pa.csv.read_csv(folder / "pages.csv")), None
    yield "pages.jsonl", read_text(pa.json.read_json(folder / "pages.jsonl")), None


wanted = wanted_columns()
present = [hpa for hpa in wanted["hpa"] if hpa is not None]
# Frames that a memory error took, or that are being moved, have an hpa too, which the pagemap does not show.
for file, table, kind in by_pyarrow():
    if kind is not None:
        assert [table.schema.field(column).type for column in ADDRESSES] == [kind] * 4, file
    for column in ["gpa", "hva"]:
        assert table[column].to_pylist() == wanted[column], (file, column)
    states = table["state"].cast(pa.string()).to_pylist()
    rows = zip(wanted["hpa"], wanted["entry"], states, table["hpa"].to_pylist(), strict=True)
    swaps = zip(table["swap_type"].to_pylist(), table["swap_offset"].to_pylist(), strict=True)
    for (hpa, entry, state, given), (swap_type, swap_offset) in zip(rows, swaps, strict=True):
        assert (state == "mapped") == (hpa is not None), (file, state, hex(entry))
        if state == "mapped":
            assert given == hpa, (file, given, hpa)
        if state == "swapped":
            assert (given, swap_type, swap_offset) == (None, entry & 31, entry >> 5 & (1 << 50) - 1), file
        else:
            assert (swap_type, swap_offset) == (None, None), file
        if state == "unmapped":
            assert (given, entry >> 62) == (None, 0), file

query = "select count(*), sum(hpa), count(hpa) filter (hpa >= 9223372036854775808) from {} where state = 'mapped'"
arrow_table = pa.ipc.open_file(folder / "pages.arrow").read_all()
for source in [f"'{folder}/pages.parquet'", f"'{folder}/signed.parquet'", "arrow_table"]:
    assert duckdb.sql(query.format(source)).fetchall() == [(len(present), sum(present), 0)], source
kinds = {row[0]: row[1] for row in duckdb.sql(f"describe select * from '{folder}/pages.parquet'").fetchall()}
assert [kinds[column] for column in ADDRESSES] == ["UBIGINT"] * 4, kinds
text = f"select count(*), sum(hpa::ubigint) from '{folder}/pages.{{}}' where state = 'mapped'"
for end in ["csv", "jsonl"]:
    assert duckdb.sql(text.format(end)).fetchall() == [(len(present), sum(present))], end

for file, read in [("pages.parquet", polars.read_parquet), ("pages.arrow", polars.read_ipc)]:
    frame = read(folder / file)
    assert [frame.schema[column] for column in ADDRESSES] == [polars.UInt64] * 4, frame.schema
    frame = frame.filter(polars.col("state").cast(polars.String) == "mapped")
    assert (frame.height, frame["hpa"].sum()) == (len(present), sum(present)), file
    assert frame["gpa"].null_count() == 0

assert pc.sum(arrow_table["gpa"]).as_py() == sum(wanted["gpa"])
print(f"{name}: {len(wanted['gpa'])} rows, {len(present)} mapped")
