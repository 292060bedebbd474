# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the recipes of docs/fleet.md, which lie beside this file now, on dumps, and compares sums with their pagemaps.

check.py RECIPE FOLDER DUMPS...: RECIPE is duckdb, ray or spark, FOLDER the tree of `--partition`, written with --int64;
each of DUMPS is a folder with vmcore, truth.json and pagemap.bin.
"""

import array
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset

recipe, tree, *folders = sys.argv[1:]
BATCH = 20_000


def guests():
    """(dump's name, path, vm, number and sum of hpas of its mapped pages) as the hosts recorded them."""
    for folder in map(Path, folders):
        pagemap = array.array("Q", (folder / "pagemap.bin").read_bytes())
        for vm in json.loads((folder / "truth.json").read_text())["vms"]:
            entries = [
                pagemap[slot["pagemap_bin_offset"] // 8 + page]
                for slot in vm["memslots"]
                if slot["address_space"] == 0
                for page in range(slot["pages"])
            ]
            frames = [entry & (1 << 55) - 1 for entry in entries if entry >> 63]
            yield folder.name, str(folder / "vmcore"), vm, len(entries), (len(frames), 4096 * sum(frames))


def part_of(dump, vm):
    """The folder of a guest: named as it is where the dump holds its name."""
    names = [vm["name"], f"pid-{vm['pid']}"]
    return next(each for each in names if (Path(tree) / f"dump={dump}" / f"vm={each}").is_dir())


def gpas_of(dump, vm, kind):
    table = pa.dataset.dataset(f"{tree}/dump={dump}/vm={part_of(dump, vm)}").to_table(["gpa"])
    return table["gpa"].combine_chunks().cast(kind)


def counted(table):
    mapped = table.filter(pc.equal(table["state"], "mapped"))
    return mapped.num_rows, pc.sum(mapped["hpa"]).as_py()


all_guests = list(guests())
if recipe == "duckdb":
    from pages_by_state import pages_by_state

    rows = pages_by_state(tree)
    given = {(dump, vm): (pages, hpas) for dump, vm, state, pages, hpas in rows if state == "mapped"}
    wanted = {(dump, part_of(dump, vm)): sums for dump, _, vm, _, sums in all_guests}
    assert given == wanted, (given, wanted)
    assert sum(row[3] for row in rows) == sum(count for _, _, _, count, _ in all_guests)

if recipe == "ray":
    import ray
    from on_ray import translate_all

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        log_to_driver=False,
        runtime_env={"working_dir": ".", "excludes": ["pages", "session_*"]},
        _temp_dir=str(Path.cwd()),
        _node_ip_address="127.0.0.1",
    )
    for start in range(0, len(all_guests), 2):
        some = all_guests[start : start + 2]
        work = []
        for dump, path, vm, _, _ in some:
            gpas = gpas_of(dump, vm, pa.uint64())
            arrays = [gpas[at : at + BATCH] for at in range(0, len(gpas), BATCH)]
            work.append((path, vm["pid"], arrays))
        for tables, (dump, _, vm, count, sums) in zip(translate_all(work), some, strict=True):
            table = pa.concat_tables(tables)
            assert (table.num_rows, counted(table)) == (count, sums), (dump, vm["name"])
    ray.shutdown()

if recipe == "spark":
    from on_spark import translate
    from pyspark.sql import SparkSession

    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.sources.partitionColumnTypeInference.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.addPyFile("translator.py")
    spark.sparkContext.addPyFile("on_spark.py")
    pages = spark.read.parquet(tree)
    for dump, path, vm, count, sums in all_guests:
        some = pages.where((pages.dump == dump) & (pages.vm == part_of(dump, vm)))
        answers = translate(some, path, vm["pid"])
        mapped = answers.where("state = 'mapped'").selectExpr("count(*)", "sum(hpa)").first()
        assert tuple(mapped) == sums, (dump, vm["name"], mapped, sums)
        assert some.where("state = 'mapped'").selectExpr("count(*)", "sum(hpa)").first() == mapped
    spark.stop()

print(f"{recipe}: {len(all_guests)} guests, {sum(count for _, _, _, count, _ in all_guests)} pages")
