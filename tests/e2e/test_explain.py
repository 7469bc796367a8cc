"""What corescan explain says of addresses, against what the programs know of them.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import unittest

from harness import Program, compile_program, corescan, corescan_json, each_way


class Explain(unittest.TestCase):
    def check_storage(self, storage, expected):
        for key, value in expected.items():
            if key not in ("at", "value"):
                self.assertEqual(storage[key], value, storage)

    def check_path(self, path, truth):
        expected = truth["path"]
        self.assertEqual(len(path), truth.get("steps", len(expected)), path)
        for word, wanted in zip(path, expected):
            self.check_storage(word["storage"], wanted)
            for key in {"at", "value"} & wanted.keys():
                self.assertEqual(word[key], wanted[key])
        # Each word lies in the chunk that the former points into.
        for former, word in zip(path, path[1:]):
            start = int(word["storage"]["chunk"], 16)
            self.assertGreaterEqual(int(former["value"], 16), start)
            self.assertEqual(int(word["at"], 16), start + word["storage"]["chunk_offset"])

    def check_chunk(self, explanation, truth):
        chunk = explanation["chunk"]
        address = int(truth["address"], 16)
        self.assertEqual(chunk["state"], truth["state"])
        self.assertEqual(address - int(chunk["address"], 16), truth["inside"])
        self.assertEqual(explanation["storage"]["offset"], truth["inside"])
        self.check_path(explanation["path"], truth)
        if explanation["path"]:
            last = int(explanation["path"][-1]["value"], 16)
            self.assertIn(last - int(chunk["address"], 16), range(chunk["size"]))
        if truth["state"] != "orphaned":
            self.assertEqual(explanation["why"] is not None, truth["state"] == "possible")
        if "cache_tid" in truth:
            self.assertEqual(chunk["cache_tid"], truth["cache_tid"])
        structure = explanation["structure"]
        self.assertEqual(structure is not None, truth["state"] == "orphaned")
        if "cyclic" in truth:
            self.assertEqual(structure["cyclic"], truth["cyclic"])
            self.assertEqual(structure["chunks"], truth["chunks"])
        if "head" in truth:
            self.assertEqual(structure["head"], truth["head"])
            self.assertEqual(len(structure["path"]), len(truth["structure_path"]))
            for word, wanted in zip(structure["path"], truth["structure_path"]):
                self.check_storage(word["storage"], wanted)

    def check_referrer(self, explanation, wanted):
        found = [word for word in explanation["referrers"]["words"]
                 if word["class"] == wanted["class"]
                 and word["storage"]["name"] == wanted["name"]]
        self.assertEqual(len(found), 1, explanation["referrers"])

    def check_all(self, arguments, program):
        for truth in program.told("address"):
            with self.subTest(truth=truth):
                document = corescan_json("explain", truth["address"], *arguments)
                explanation = document["explanation"]
                self.assertEqual(explanation["address"], truth["address"])
                if "state" in truth:
                    self.check_chunk(explanation, truth)
                else:
                    self.assertIsNone(explanation["chunk"])
                    self.check_storage(explanation["storage"], truth["place"])
                if "referrer" in truth:
                    self.check_referrer(explanation, truth["referrer"])

    def test_paths(self):
        with Program(compile_program("explain_paths")) as program:
            program.settle()
            self.assertGreater(len(program.told("address")), 15)
            each_way(self, program, lambda arguments, way: self.check_all(arguments, program))

    def test_text(self):
        with Program(compile_program("explain_paths")) as program:
            program.settle()
            by_name = {truth["path"][0]["name"]: truth for truth in program.told("path")
                       if truth["path"] and "name" in truth["path"][0]}
            core = program.core()
            first = [truth for truth in program.told("path") if len(truth["path"]) == 2][0]
            text = corescan("explain", int(first["address"], 16), program.executable, core).stdout
            self.assertRegex(text, r"HELD BY +the shortest path from a root, 2 steps\n"
                             r"  <cache>\+8 \(data of explain_paths\)\n"
                             r"  → \+16 of 280-byte chunk 0x[0-9a-f]+\n"
                             r"  → \+8 of 56-byte chunk 0x[0-9a-f]+ = the address\n")
            text = corescan("explain", by_name["list_head"]["address"], core).stdout
            self.assertIn(" more\n", text)
            self.assertLess(text.count("\n"), 60)
            freed = [truth for truth in program.told("cache_tid")][0]
            text = corescan("explain", freed["address"], core).stdout
            self.assertRegex(text, rf"free · in the tcache of {freed['cache_tid']}\b")
            self.assertRegex(text, r"root +<wiped>\+0")


if __name__ == "__main__":
    unittest.main()
