"""Live chunks, orphans and their structures against what the programs planted.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import subprocess
import unittest
from pathlib import Path

from harness import (CORESCAN, Program, compile_program, corescan, corescan_json, count,
                     each_way)

REACH_DUMP = Path(os.environ.get("REACH_DUMP", CORESCAN.parent / "reach_dump"))


def reach_dump(target, *addresses, without=None):
    """The state of every chunk, by address, as the analyses see it; `target` is a core or a PID."""
    options = ["-w", without] if without else []
    result = subprocess.run([REACH_DUMP, *options, str(target), *addresses], check=True,
                            capture_output=True, text=True)
    return json.loads(result.stdout)


def suspects(document):
    return {chunk["address"]: chunk for chunk in document["suspects"]}


class Planted(unittest.TestCase):
    def check_orphans(self, document, program):
        """All planted orphans are found, with their size, and no chunk but they is one."""
        found = suspects(document)
        planted = {int(line["orphan"], 16): line for line in program.told("orphan")}
        count("orphans planted", len(planted))
        for address, truth in planted.items():
            with self.subTest(orphan=truth):
                self.assertEqual(found.get(address, {}).get("state"), "orphaned")
                self.assertGreaterEqual(found[address]["size"], truth["size"])
                count("orphans found")
        others = {address for address, chunk in found.items()
                  if chunk["state"] == "orphaned" and address not in planted}
        count("live called orphaned", len(others))
        return others

    def check_shapes(self, document, program):
        self.assertEqual(self.check_orphans(document, program), set())
        structures = program.told("structure")
        self.assertEqual(sum(group["structures"] for group in document["groups"]),
                         len(structures))
        for what in {line["what"] for line in structures} - {""}:
            planted = [line for line in structures if line["what"] == what]
            groups = [group for group in document["groups"] if group["what"] == what]
            with self.subTest(what=what):
                self.assertLessEqual(sum(line["chunks"] for line in planted),
                                     sum(group["chunks"] for group in groups))
                self.assertLessEqual(sum(line["bytes"] for line in planted),
                                     sum(group["bytes"] for group in groups))
        self.assertEqual([group["bytes"] for group in document["groups"]],
                         sorted((group["bytes"] for group in document["groups"]), reverse=True))
        return document

    def test_shapes(self):
        with Program(compile_program("orphans_shapes", "-D_GNU_SOURCE")) as program:
            program.settle()
            planted = program.told("orphan")

            def look(arguments, way):
                self.check_shapes(reach_dump(arguments[-1]), program)
                document = corescan_json("leaks", "--limit=0", *arguments)
                self.assertEqual(sum(group["chunks"] for group in document["orphans"]["groups"]),
                                 len(planted))

            self.assertGreater(len(planted), 6000)
            each_way(self, program, look)

    def test_objects(self):
        # C++: classes are named by their vtables, with symbols or without.
        for flags in ((), ("-s",)):
            with Program(compile_program("orphans_objects", *flags)) as program:
                program.settle()

                def look(arguments, way):
                    document = reach_dump(arguments[-1])
                    self.assertEqual(self.check_orphans(document, program), set())
                    groups = {group["what"]: group for group in document["groups"]}
                    for line in program.told("class"):
                        name = f"class {line['class']} (vtable)"
                        if flags:
                            self.assertNotIn(name, groups)
                        else:
                            self.assertEqual(groups[name]["structures"], line["count"])
                    if flags:
                        named = [group for what, group in groups.items()
                                 if what.startswith("object with functions at ")]
                        self.assertEqual(len(named), len(program.told("class")))

                with self.subTest(flags=flags):
                    each_way(self, program, look)

    def check_containers(self, document, program):
        groups = {group["largest"]["head"]: group for group in document["orphans"]["groups"]}
        for line in program.told("plant"):
            with self.subTest(plant=line):
                if line["what"]:
                    self.assertIn(line["plant"], groups)
                    self.assertEqual(groups[line["plant"]]["what"], line["what"])
        parts = [group for group in groups.values()
                 if group["what"] == "looks like 56-byte nodes of a std::map or set"]
        self.assertEqual([(group["chunks"], group["content"]) for group in parts],
                         [(64, "container")])
        for line in program.told("vague"):
            with self.subTest(vague=line):
                self.assertNotIn(line["never"], groups[line["vague"]]["what"])
        for line in program.told("texts"):
            found = [group for group in groups.values() if group["what"] == line["what"]]
            self.assertEqual([group["structures"] for group in found], [line["texts"]])

    def test_containers(self):
        with Program(compile_program("orphans_containers")) as program:
            program.settle()
            self.assertGreater(len(program.told("plant")), 15)
            each_way(self, program, lambda arguments, way: self.check_containers(
                corescan_json("leaks", *arguments), program))

    def check_groupings(self, arguments, whole):
        for grouping in ("size", "type", "shape"):
            document = corescan_json("leaks", f"--group={grouping}", *arguments)
            groups = document["orphans"]["groups"]
            for count in ("structures", "chunks", "bytes"):
                self.assertEqual(sum(group[count] for group in groups),
                                 whole["orphans"][count])
            heads = [group["largest"]["head"] for group in groups]
            self.assertEqual(len(set(heads)), len(heads))
            whats = {group["what"].split(",")[0].split(":")[0] for group in groups}
            if grouping == "size":
                self.assertTrue(all(group["head_size"] for group in groups))
                self.assertEqual(len({group["head_size"] for group in groups}), len(groups))
            elif grouping == "type":
                self.assertTrue({"list", "binary tree", "zeros", "text"} <= whats, whats)
            else:
                self.assertTrue({"list of 40-byte nodes", "binary tree of 40-byte nodes",
                                 "single 136-byte chunk"} <= whats, whats)

    def test_groupings(self):
        with Program(compile_program("orphans_shapes", "-D_GNU_SOURCE")) as program:
            program.settle()
            arguments = [program.executable, program.core()]
            self.check_groupings(arguments, corescan_json("leaks", *arguments))
            verbose = corescan("leaks", "-v", "--limit=0", *arguments).stdout
            self.assertIn("48 54 54 50 2f 31 2e 31  20 32 30 30", verbose)

    def check_chunks(self, arguments, program):
        planted = {line["orphan"]: line["size"] for line in program.told("orphan")}
        live = {line["live"]: line["size"] for line in program.told("live")}
        every = [line.split() for line in corescan("chunks", *arguments).stdout.splitlines()]
        state = {line[0]: (int(line[1]), line[2]) for line in every}
        self.assertEqual(len(state), len(every))
        for address, size in planted.items():
            self.assertEqual(state[address][1], "orphaned")
            self.assertGreaterEqual(state[address][0], size)
        for address, size in live.items():
            self.assertEqual(state[address][1], "reachable")
            self.assertGreaterEqual(state[address][0], size)
        lines = corescan("chunks", "--state=orphaned", "--json", *arguments).stdout.splitlines()
        orphans = [json.loads(line) for line in lines]
        self.assertEqual({chunk["address"] for chunk in orphans}, set(planted))
        self.assertEqual({chunk["state"] for chunk in orphans}, {"orphaned"})
        self.assertEqual([(chunk["address"], chunk["size"]) for chunk in orphans],
                         [(line[0], int(line[1])) for line in every if line[2] == "orphaned"])
        others = corescan("chunks", "--state=free,reachable,possible", *arguments).stdout
        self.assertEqual(len(others.splitlines()), len(every) - len(orphans))

    def test_chunks(self):
        with Program(compile_program("orphans_shapes", "-D_GNU_SOURCE")) as program:
            program.settle()
            each_way(self, program,
                     lambda arguments, way: self.check_chunks(arguments, program))


class Whole(unittest.TestCase):
    def test_nothing_of_a_live_process_is_left_unexamined(self):
        """Guards of stacks, for one, hold nothing that would have to be read."""
        with Program(compile_program("many_threads"), "20") as program:
            corescan("report", "-p", program.pid, expect=(0,))
            self.assertEqual(corescan_json("leaks", "-p", program.pid, expect=(0,))["gaps"], [])


class Roots(unittest.TestCase):
    """Each live chunk is held by one kind of root: found with it, orphaned without it."""

    def check_roots(self, target, way, program):
        whole = reach_dump(target)
        found = suspects(whole)
        told = program.told("live")
        for truth in told:
            address = int(truth["live"], 16)
            with self.subTest(way=way, live=truth):
                if way != "live" and truth.get("kernel") == "no":
                    if (way, truth.get("gcore")) != ("gcore", "silent"):
                        self.assertTrue(any("not dumped" in gap for gap in whole["gaps"]))
                    if way == "core":
                        self.assertEqual(found[address]["state"], "possible")
                    continue
                wrong = found.get(address, {}).get("state") == "orphaned"
                count("live called orphaned", int(wrong))
                self.assertFalse(wrong)
        # The kernel's core lacks memory that may hold pointers; newer gdbs leave out (18, not 13)
        # what was never touched, which cannot be told from that.
        doubt = any("private, not dumped" in gap for gap in whole["gaps"])
        self.assertEqual(doubt, {"live": False, "core": True}.get(way, doubt))
        count("orphans planted", len(program.told("orphan")))
        for truth in program.told("orphan"):
            with self.subTest(way=way, orphan=truth):
                orphan = found[int(truth["orphan"], 16)]
                self.assertTrue(orphan["unheld"])
                self.assertEqual(orphan["state"], "possible" if doubt else "orphaned")
                count("orphans found")
        for kind in {truth["root"] for truth in told} - {""}:
            without = suspects(reach_dump(target, without=kind))
            for truth in told:
                if truth["root"] != kind:
                    continue
                with self.subTest(way=way, without=kind, live=truth):
                    self.assertTrue(without.get(int(truth["live"], 16), {}).get("unheld"))

    def test_roots(self):
        library = compile_program("orphans_library", "-shared", "-fPIC")
        with Program(compile_program("orphans_roots", "-D_GNU_SOURCE"), library) as program:
            program.settle()
            self.assertGreater(len(program.told("live")), 35)
            each_way(self, program,
                     lambda arguments, way: self.check_roots(arguments[-1], way, program))


if __name__ == "__main__":
    unittest.main()
