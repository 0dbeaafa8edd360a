"""Jinja2's compiler, kept from calling anything: it runs in the process that sends, which has no bound.

It works out beforehand what is the same for everybody. `{{ 'x' | center(20000000000) }}` is for the worker.
"""

from __future__ import annotations

from typing import Any

from jinja2 import nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.meta import TrackingCodeGenerator


class Compiler(CodeGenerator):
    """Calls no filter and no test."""

    def __init__(self, *settings: Any, **named: Any) -> None:
        super().__init__(*settings, **named)
        self.optimizer = None

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        if calls(node):
            raise nodes.Impossible
        return super()._output_child_to_const(node, frame, finalize)


class VariableFinder(Compiler, TrackingCodeGenerator):
    """As `jinja2.meta.find_undeclared_variables` goes through a template: its `undeclared_identifiers`."""


def calls(node: nodes.Node) -> bool:
    """Whether a filter or a test is called to know what this is."""
    calling = nodes.Filter, nodes.Test
    return isinstance(node, calling) or any(True for _ in node.find_all(calling))
