"""What each root holds alone, against programs that counted it.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import unittest

from harness import Program, compile_program, corescan, corescan_json, each_way

EXE = "retained_roots"


def told(document):
    return document["retained"]


class Retained(unittest.TestCase):
    def check_sums(self, document):
        """Every reachable chunk is in exactly one line."""
        retained = told(document)
        lines = retained["roots"] + [retained[name] for name in
                                     ("shared", "allocator", "departed_threads")]
        for unit in ("chunks", "bytes"):
            self.assertEqual(sum(line[unit] for line in lines), retained[unit])
            self.assertEqual(retained[unit], document["heap"]["states"]["reachable"][unit])
        self.assertEqual([root["bytes"] for root in retained["roots"]],
                         sorted((root["bytes"] for root in retained["roots"]), reverse=True))

    def check_root(self, document, truth):
        keys = [key for key in ("symbol", "tid", "function") if key in truth]
        found = [root for root in told(document)["roots"]
                 if root["kind"] == truth["retained"]
                 and all(root[key] == truth[key] for key in keys)]
        self.assertEqual(len(found), 1, truth)
        self.assertEqual((found[0]["chunks"], found[0]["bytes"]),
                         (truth["chunks"], truth["bytes"]), truth)

    def check_shared(self, document, program):
        retained = told(document)
        for truth in program.told("shared"):
            found = [head for head in retained["shared_heads"]
                     if head["address"] == truth["shared"]]
            self.assertEqual(len(found), 1, truth)
            self.assertEqual((found[0]["chunks"], found[0]["bytes"]),
                             (truth["chunks"], truth["bytes"]))
            if truth["holders"]:
                self.assertEqual(sorted(found[0]["holders"]), truth["holders"])
            else:
                self.assertTrue(all(name.startswith("chunk 0x") for name in found[0]["holders"]))
                self.assertGreaterEqual(len(found[0]["holders"]), 2)
        # Nothing else of the program's own is shared by two roots; threads' dtvs may be.
        planted = program.told("shared_all")
        others = {unit: retained["shared"][unit] - sum(line[unit] for line in planted)
                  for unit in ("chunks", "bytes")}
        dtv = program.told("dtv_bytes")[0]["dtv_bytes"]
        self.assertIn(others["chunks"], range(5))  # of them
        self.assertEqual(others["bytes"], others["chunks"] * dtv)

    def test_every_kind_of_root(self):
        with Program(compile_program(EXE)) as program:
            program.settle()

            def look(arguments, way):
                document = corescan_json("heap", "--retained", *arguments)
                self.check_sums(document)
                for truth in program.told("retained"):
                    with self.subTest(truth=truth):
                        if truth.get("register"):
                            truth = {**truth, "tid": program.told("register_tid")[0]["register_tid"]}
                        self.check_root(document, truth)
                self.check_shared(document, program)

            self.assertEqual(len(program.told("retained")), 7 + 3 * 3)
            each_way(self, program, look)

    def test_text_and_limit(self):
        with Program(compile_program(EXE)) as program:
            program.settle()
            core = program.gcore()
            text = corescan("heap", "--retained", program.executable, core).stdout
            for words in ("RETAINED", "<list>", "hold_in_frame()", "shared by several roots",
                          "held by <left> and <right>"):
                self.assertIn(words, text)
            report = corescan(program.executable, core).stdout
            self.assertIn("largest roots: <list> 508 kB", report)
            short = corescan("heap", "--retained", "--limit=2", program.executable, core).stdout
            self.assertIn("more roots: --limit 0", short)
            document = corescan_json("heap", "--retained", "--limit=2", program.executable, core)
            self.assertEqual(len(told(document)["roots"]), 2)
            self.assertGreater(told(document)["roots_omitted"], 2)
            self.assertNotIn("retained", corescan_json("heap", program.executable, core))


if __name__ == "__main__":
    unittest.main()
