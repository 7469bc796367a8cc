"""Reads the graphs that corescan --dot prints: the part of Graphviz's language that they use.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import re

NAME = r"[A-Za-z_][A-Za-z_0-9]*"
VALUE = rf'(?:"(?:[^"\\]|\\.)*"|{NAME})'
ATTRIBUTES = rf"\[({NAME}={VALUE}(?:, {NAME}={VALUE})*)\]"
NODE = re.compile(rf"\t({NAME}) {ATTRIBUTES};")
EDGE = re.compile(rf"\t({NAME}) -> ({NAME}) {ATTRIBUTES};")


def attributes(text):
    return {name: value[1:-1] if value.startswith('"') else value
            for name, value in re.findall(rf"({NAME})=({VALUE})", text)}


def parse(text):
    """(nodes, edges): name -> attributes, and (from, to, attributes). ValueError for anything
    else than a graph, for a node that is told twice, and for an edge without its nodes."""
    lines = text.split("\n")
    if lines[:2] != ["digraph waits {", "\trankdir=LR;"] or lines[-2:] != ["}", ""]:
        raise ValueError("not a graph")
    nodes, edges = {}, []
    for line in lines[2:-2]:
        edge, node = EDGE.fullmatch(line), NODE.fullmatch(line)
        if edge:
            edges.append((edge[1], edge[2], attributes(edge[3])))
        elif node and node[1] not in nodes:
            nodes[node[1]] = attributes(node[2])
        else:
            raise ValueError(f"neither a new node nor an edge: {line!r}")
    for start, end, _ in edges:
        if start not in nodes or end not in nodes:
            raise ValueError(f"an edge without its nodes: {start} -> {end}")
    return nodes, edges
