"""Which variables a template asks for, and on which line."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from jinja2 import Environment, nodes

from campaign_cli.content.compiler import VariableFinder

GUARDS = ("default", "d")
"""Filters that give a variable a value when it has none."""


def undeclared(
    environment: Environment, sources: Mapping[str, str], columns: Collection[str]
) -> dict[str, list[tuple[str, int]]]:
    """For each file, the variables that are neither columns nor made by the template, each with its first line.

    A variable that one file sets counts for all, because what is included sees it. One behind a `default` or tested
    with `is defined` is allowed to be missing.
    """
    trees = {file: environment.parse(source) for file, source in sources.items()}
    known = set(columns) | set(environment.globals)
    for tree in trees.values():
        known |= {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
        known |= {
            name for test in tree.find_all(nodes.Test) if test.name in ("defined", "undefined") for name in _of(test)
        }
    found: dict[str, list[tuple[str, int]]] = {}
    for file, tree in trees.items():
        # Only what the filter stands behind at once: in `{{ x | upper | default }}`, `upper` fails before it.
        guarded = {id(each.node) for each in tree.find_all(nodes.Filter) if each.name in GUARDS}
        finder = VariableFinder(environment)
        finder.visit(tree)
        missing = finder.undeclared_identifiers - known
        lines: dict[str, int] = {}
        for name in tree.find_all(nodes.Name):
            if name.name in missing and id(name) not in guarded:
                lines.setdefault(name.name, name.lineno)
        found[file] = sorted(lines.items(), key=lambda item: item[1])
    return found


def _of(test: nodes.Test) -> list[str]:
    return [test.node.name] if isinstance(test.node, nodes.Name) else []
