"""What grew between two looks at a program, against what the program tells of its growth.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import signal
import time
import unittest

from harness import SCHEMA, WORK, Program, compile_go, compile_program, corescan, corescan_json

CRASH = {"GOTRACEBACK": "crash"}


def diff_json(*arguments, **options):
    import jsonschema
    document = json.loads(corescan("diff", *arguments, "--json", **options).stdout)
    jsonschema.validate(document, json.loads((SCHEMA.parent / "diff.schema.json").read_text()))
    return document


def part(document, name):
    [found] = [one for one in document["parts"] if one["name"] == name]
    return found


def grow(program):
    program.process.send_signal(signal.SIGUSR1)
    deadline = time.monotonic() + 30
    while '{"grown":true}' not in (program.directory / "output").read_text():
        if time.monotonic() > deadline:
            raise RuntimeError("the program did not grow")
        time.sleep(0.05)
    program.settle()


class Growth(unittest.TestCase):
    def check(self, old, new, saved_by, *arguments):
        """A document of what `saved_by` tells; all parts that it has are compared."""
        document = diff_json(*arguments, expect=(0,))
        self.assertEqual(document["not_compared"], [])
        more = {name: new[name] - old[name] for name in ("cached", "leaked", "threads")}
        sizes = part(document, "sizes")["rows"]
        self.assertEqual(sizes[0]["what"], f"{old['cached_size']} bytes")
        self.assertEqual(sizes[0]["new_count"] - sizes[0]["old_count"], more["cached"])
        self.assertEqual(sizes[0]["new_bytes"] - sizes[0]["old_bytes"],
                         more["cached"] * old["cached_size"])
        roots = part(document, "roots")["rows"]
        self.assertEqual(roots[0]["what"], "<cache> of grows")
        self.assertEqual(roots[0]["new_count"] - roots[0]["old_count"], more["cached"])
        self.assertNotIn("<steady> of grows", [row["what"] for row in roots])
        states = {row["what"]: row for row in part(document, "heap")["rows"]}
        self.assertEqual(states["orphaned"]["old_count"], old["leaked"])
        self.assertEqual(states["orphaned"]["new_count"], new["leaked"])
        if saved_by == "all":
            orphans = part(document, "orphans")["rows"]
            self.assertEqual(orphans[0]["new_count"], new["leaked"])
            self.assertEqual(orphans[0]["old_count"], old["leaked"])
            self.assertEqual(orphans[0]["new_bytes"], new["leaked"] * new["leaked_size"])
            threads = part(document, "threads")["rows"]
            self.assertIn("waiter", threads[0]["what"])
            self.assertEqual(threads[0]["new_count"], new["threads"])
            self.assertEqual(threads[0]["old_count"], old["threads"])

    def test_c(self):
        with Program(compile_program("grows")) as program:
            program.settle()
            old = program.told("cached")[0]
            first = program.gcore()
            first = first.rename(program.directory / "old")
            saved = [program.directory / "old.json", program.directory / "new.json"]
            saved[0].write_text(corescan("heap", "--retained", "--json", "-p", program.pid).stdout)
            grow(program)
            program.wait_until_ready()
            new = program.told("cached")[1]
            saved[1].write_text(corescan("heap", "--retained", "--json", "-p", program.pid).stdout)
            exe = program.executable
            with self.subTest(way="core and process"):
                self.check(old, new, "all", exe, first, "-p", program.pid)
            with self.subTest(way="saved"):
                self.check(old, new, "heap", *saved)
            second = program.core()
            with self.subTest(way="cores"):
                self.check(old, new, "all", exe, first, second)
            with self.subTest(way="the same"):
                document = diff_json(first, first, expect=(0,))
                self.assertEqual([row for one in document["parts"] for row in one["rows"]], [])
                self.assertIn("as before", corescan("diff", first, first, expect=(0,)).stdout)
            with self.subTest(way="shrinking"):
                rows = part(diff_json(second, first, expect=(0,)), "sizes")["rows"]
                self.assertEqual(rows[-1]["what"], f"{old['cached_size']} bytes")
            with self.subTest(way="of different kinds"):
                document = diff_json(saved[0], second, expect=(1,))
                self.assertFalse(part(document, "threads")["compared"])
                self.assertEqual(part(document, "threads")["rows"], [])
                self.assertIn("THREADS, by stack was not compared: OLD does not tell it",
                              document["not_compared"])
            with self.subTest(way="text"):
                text = corescan("diff", first, second, expect=(0,)).stdout
                self.assertIn("<cache> of grows", text)
                for line in text.splitlines():
                    self.assertLessEqual(len(line), 80, line)

    def test_go(self):
        with Program(compile_go("grows", "-ldflags=-w"), environment=CRASH) as program:
            program.settle()
            first = program.gcore().rename(program.directory / "old")
            grow(program)
            document = diff_json(first, program.core(), expect=(0,))
        goroutines = part(document, "goroutines")["rows"]
        told = {row["what"]: (row["old_count"], row["new_count"]) for row in goroutines}
        self.assertEqual(goroutines[0]["what"],
                         "runtime.chanrecv1 ← main.forgotten, created by main.grow")
        self.assertEqual(told["runtime.chanrecv1 ← main.forgotten, created by main.grow"],
                         (3, 23))
        self.assertEqual(told["runtime.chanrecv1 ← main.waiting, created by main.grow"], (2, 7))
        [leaked] = part(document, "leaked_goroutines")["rows"]
        self.assertEqual((leaked["old_count"], leaked["new_count"]), (3, 23))
        self.assertAlmostEqual(leaked["new_bytes"] - leaked["old_bytes"], 20 * 106496, delta=20000)
        functions = part(document, "functions")["rows"]
        # Nothing in it can be asked for a profile unless it is started with an argument: it is
        # linked in all the same, and so the runtime samples.
        self.assertEqual(functions[0]["what"], "main.fillCache")
        self.assertAlmostEqual(functions[0]["new_bytes"] - functions[0]["old_bytes"], 900 * 10240,
                               delta=100000)

    def test_rows_that_were_left_out(self):
        """--limit made the old document shorter: what is new is then perhaps old."""
        with Program(compile_program("grows")) as program:
            program.settle()
            saved = program.directory / "old.json"
            saved.write_text(corescan("heap", "--retained", "--json", "--limit", "1", "-p",
                                      program.pid).stdout)
            document = diff_json(saved, "-p", program.pid, expect=(1,))
            self.assertTrue([note for note in document["not_compared"] if "--limit" in note])

    def test_two_programs(self):
        with Program(compile_program("grows")) as one, \
                Program(compile_program("retained_roots")) as other:
            document = diff_json(one.gcore(), "-p", other.pid, expect=(0, 1))
            self.assertTrue([note for note in document["not_compared"] if "two programs" in note])


class BadDocuments(unittest.TestCase):
    def refused(self, text, why):
        path = WORK / "bad.json"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        result = corescan("diff", path, path, expect=(2,))
        self.assertIn(why, result.stderr)
        self.assertEqual(result.stdout, "")

    def document(self, **members):
        return json.dumps({"schema": 1, "corescan": "0.1.0", **members})

    def test_refused(self):
        self.refused("", "neither a core file nor")
        self.refused("plain text", "neither a core file nor")
        self.refused(b"\0" * 100, "neither a core file nor")
        self.refused("[" * 100000, "neither a core file nor")
        self.refused("[]", "has not written this")
        self.refused("{}", "has not written this")
        self.refused('{"schema": 1, "schema": 1, "corescan": ""}', "neither a core file nor")
        self.refused('{"schema": 2, "corescan": "9"}', "is of schema 2")
        for members in ({"heap": []}, {"heap": {"states": {"free": {"chunks": -1}}}},
                        {"heap": {"states": {"free": {"bytes": "many"}}}},
                        {"heap": {"sizes": [{"least": 1.5}]}}, {"heap": {"sizes": {}}},
                        {"orphans": {"groups": [{"what": 7}]}}, {"orphans": {"groups": [5]}},
                        {"retained": {"roots": [{}]}}, {"goroutine_groups": [{"stack": 5}]},
                        {"goroutine_groups": [{"count": 1, "stack": 0}], "go_stacks": [[]]},
                        {"goroutine_leaks": {"groups": [{"group": 2 ** 60}]}},
                        {"threads": [{"frames": 1}]}, {"target": {"executable": []}},
                        {"profile": {"kind": "heap", "functions": [{"flat": 1}]}}):
            with self.subTest(members=members):
                self.refused(self.document(**members), "corescan has not written this")

    def test_odd_but_right(self):
        path = WORK / "odd.json"
        path.write_text(self.document(heap={"sizes": [
            {"least": 8, "most": 8, "chunks": 2 ** 63 - 1, "bytes": 2 ** 63 - 1},
            {"least": 8, "most": 8, "chunks": 5, "bytes": 5}]}, threads=[
                {"frames": [{"function": "\x1b[31mred\n"}] * 5000}]))
        empty = WORK / "empty.json"
        empty.write_text(self.document(heap={"sizes": []}, threads=[]))
        text = corescan("diff", empty, path, expect=(0,)).stdout
        self.assertNotIn("\x1b", text)
        document = diff_json(empty, path, expect=(0,))
        self.assertEqual(part(document, "sizes")["rows"][0]["new_count"], 2 ** 63 - 1)
        self.assertEqual(len(document["parts"]), 2)

    def test_missing_file(self):
        self.assertIn("No such file", corescan("diff", "no-such-1", "no-such-2",
                                               expect=(2,)).stderr)


if __name__ == "__main__":
    unittest.main()
